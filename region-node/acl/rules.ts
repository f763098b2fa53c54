/**
 * rules.ts: the words of ACL SETUSER, which are also those of an ACL file: each changes something of a user.
 *
 * A parenthesis holds the rules of one selector; those that came as several words are put together first.
 * Source: ACLSetUser and ACLSetSelector of Redis 7.2.
 */
import { type Catalog, Permissions } from './permissions.ts'
import type { User } from './user.ts'

/** A rule that means nothing, in Redis's words; without the rule itself. */
export class RuleError extends Error {}

const UNKNOWN_COMMAND = 'Unknown command or category name in ACL'
const SYNTAX = 'Syntax error'
const BAD_HASH =
  'The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters'
const NO_SUCH_PASSWORD = 'The password you are trying to remove from the user does not exist'
const USELESS_KEYS =
  "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. " +
  "Try 'resetkeys' to start with an empty list of patterns"
const USELESS_CHANNELS =
  "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. " +
  "Try 'resetchannels' to start with an empty list of channels"
const NO_FIRST_WORD_DENIED =
  'Allowing first-arg of a subcommand is not supported, and neither is denying one of a command'

export interface RulePorts {
  readonly catalog: Catalog
  /** SHA-256 of a word, 64 lower-case hexadecimal digits. */
  readonly hash: (word: string) => string
  /** `acl-pubsub-default`: what a user begins with. */
  readonly allChannelsAtFirst: () => boolean
}

/** Puts words between parentheses together to one. @throws RuleError when one is never closed */
export function gatherSelectors(words: readonly string[]): string[] {
  const rules: string[] = []
  let open: string | undefined
  for (const word of words) {
    if (open === undefined && !word.startsWith('(')) {
      rules.push(word)
      continue
    }
    open = open === undefined ? word : `${open} ${word}`
    if (!word.endsWith(')')) continue
    rules.push(open)
    open = undefined
  }
  if (open !== undefined) throw new RuleError(`Unmatched parenthesis in acl selector starting at '${open}'.`)
  return rules
}

/** Applies one rule to a user. @throws RuleError */
export function applyRule(user: User, rule: string, ports: RulePorts): void {
  switch (rule.toLowerCase()) {
    case 'on':
      user.isEnabled = true
      return
    case 'off':
      user.isEnabled = false
      return
    case 'nopass':
      user.needsNoPassword = true
      user.passwordHashes.clear()
      return
    case 'resetpass':
      user.needsNoPassword = false
      user.passwordHashes.clear()
      return
    case 'sanitize-payload':
      user.sanitizesPayload = true
      return
    case 'skip-sanitize-payload':
      user.sanitizesPayload = false
      return
    case 'clearselectors':
      user.selectors = []
      return
    case 'reset':
      reset(user, ports)
      return
  }
  if (rule.startsWith('(') && rule.endsWith(')')) {
    const selector = newPermissions(ports)
    for (const one of rule.slice(1, -1).split(' ')) if (one !== '') applySelectorRule(selector, one, ports)
    user.selectors.push(selector)
    return
  }
  if (!applyPasswordRule(user, rule, ports)) applySelectorRule(user.root, rule, ports)
}

/** What a new user, or a new selector, begins with. */
export function newPermissions({ allChannelsAtFirst }: RulePorts): Permissions {
  const permissions = new Permissions()
  permissions.allChannels = allChannelsAtFirst()
  return permissions
}

function reset(user: User, ports: RulePorts): void {
  user.isEnabled = false
  user.needsNoPassword = false
  user.passwordHashes.clear()
  user.sanitizesPayload = true
  user.root = newPermissions(ports)
  user.selectors = []
}

/** @returns false when the rule is not about passwords */
function applyPasswordRule(user: User, rule: string, { hash }: RulePorts): boolean {
  const rest = rule.slice(1)
  switch (rule[0]) {
    case '>':
      addPassword(user, hash(rest))
      return true
    case '#':
      addPassword(user, checkedHash(rest))
      return true
    case '<':
      removePassword(user, hash(rest))
      return true
    case '!':
      removePassword(user, checkedHash(rest))
      return true
    default:
      return false
  }
}

function checkedHash(text: string): string {
  if (!/^[0-9a-f]{64}$/.test(text)) throw new RuleError(BAD_HASH)
  return text
}

function addPassword(user: User, hash: string): void {
  user.passwordHashes.add(hash)
  user.needsNoPassword = false
}

function removePassword(user: User, hash: string): void {
  if (!user.passwordHashes.delete(hash)) throw new RuleError(NO_SUCH_PASSWORD)
}

/** A rule about commands, keys or channels. @throws RuleError */
function applySelectorRule(permissions: Permissions, rule: string, { catalog }: RulePorts): void {
  switch (rule.toLowerCase()) {
    case 'allcommands':
    case '+@all':
      permissions.setAll(true, catalog)
      return
    case 'nocommands':
    case '-@all':
      permissions.setAll(false, catalog)
      return
    case 'allkeys':
    case '~*':
      permissions.resetKeys()
      permissions.allKeys = true
      return
    case 'resetkeys':
      permissions.resetKeys()
      return
    case 'allchannels':
    case '&*':
      permissions.resetChannels()
      permissions.allChannels = true
      return
    case 'resetchannels':
      permissions.resetChannels()
      return
  }
  if (rule[0] === '~' || rule[0] === '%') addKeys(permissions, rule)
  else if (rule[0] === '&') addChannels(permissions, rule.slice(1))
  else if (rule[0] === '+' || rule[0] === '-') setCommands(permissions, rule, catalog)
  else throw new RuleError(SYNTAX)
}

function addKeys(permissions: Permissions, rule: string): void {
  const match = /^(?:~|%([rwRW]+)~)([\s\S]*)$/.exec(rule)
  if (match === null) throw new RuleError(SYNTAX)
  const access = match[1]?.toLowerCase() ?? 'rw'
  const pattern = match[2]!
  if (/[ \0]/.test(pattern)) throw new RuleError(SYNTAX)
  if (permissions.allKeys) throw new RuleError(USELESS_KEYS)
  permissions.addKeys(pattern, access.includes('r'), access.includes('w'))
}

function addChannels(permissions: Permissions, pattern: string): void {
  if (/[ \0]/.test(pattern)) throw new RuleError(SYNTAX)
  if (permissions.allChannels) throw new RuleError(USELESS_CHANNELS)
  permissions.addChannels(pattern)
}

function setCommands(permissions: Permissions, rule: string, catalog: Catalog): void {
  const allows = rule[0] === '+'
  const name = rule.slice(1).toLowerCase()
  if (name.startsWith('@')) {
    if (!permissions.setCategory(allows, name.slice(1), catalog)) throw new RuleError(UNKNOWN_COMMAND)
    return
  }
  const entry = catalog.get(name)
  if (entry !== undefined) {
    permissions.setCommand(allows, entry)
    return
  }
  const bar = name.indexOf('|')
  const command = bar < 0 ? undefined : catalog.get(name.slice(0, bar))
  const word = name.slice(bar + 1)
  if (command === undefined || command.subcommands.length > 0 || word === '')
    throw new RuleError(UNKNOWN_COMMAND)
  if (!allows || word.includes('|')) throw new RuleError(NO_FIRST_WORD_DENIED)
  permissions.allowFirstWord(command.name, word)
}
