/**
 * access-control.ts: who may do what: the users of this node, and the one question the engine asks.
 *
 * Users belong to a node, as in Redis: their names and rules are configuration, not data, and are the same in
 * all regions only if they are set so. Passwords are kept as SHA-256 and nowhere in clear.
 *
 * Invariants: (1) the user `default` is always there; a client that has not said who it is, is `default`, if that
 * one needs no password. (2) Rules of one SETUSER, and of one file, are applied all or none.
 */
import { type CommandError, commandError, errors } from '../errors.ts'
import { AclLog, type LogContext, type LogReason } from './acl-log.ts'
import type { Denial, Request } from './permissions.ts'
import { applyRule, gatherSelectors, newPermissions, RuleError, type RulePorts } from './rules.ts'
import { User } from './user.ts'

export const DEFAULT_USER = 'default'

/** What of a session access control needs to know. */
export interface Subject {
  /** Undefined until the client has said who it is. */
  user: User | undefined
}

export interface AclPorts extends RulePorts {
  /** Wall clock, milliseconds since the Unix epoch. */
  readonly nowMs: () => number
  /** `acllog-max-len` */
  readonly logLengthMax: () => number
  /** A user has changed or is gone: clients that may no longer do what they are doing are disconnected. */
  readonly changed: (user: User, isGone: boolean) => void
}

export class AccessControl {
  readonly log = new AclLog()
  readonly #ports: AclPorts
  #users = new Map<string, User>()

  constructor(ports: AclPorts) {
    this.#ports = ports
    this.#users.set(DEFAULT_USER, this.#newDefault())
  }

  #newDefault(): User {
    const user = new User(DEFAULT_USER)
    for (const rule of ['on', 'nopass', '~*', '&*', '+@all']) applyRule(user, rule, this.#ports)
    user.settle()
    return user
  }

  get(name: string): User | undefined {
    return this.#users.get(name)
  }

  /** By name. */
  get users(): User[] {
    return [...this.#users.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Who a client is that has said nothing: nobody, when `default` has a password or is off. */
  get first(): User | undefined {
    const user = this.#users.get(DEFAULT_USER)!
    return user.isEnabled && user.needsNoPassword ? user : undefined
  }

  /** Anybody may come in without a password. */
  get isOpen(): boolean {
    return this.first !== undefined
  }

  /** @returns the user; undefined when name and password do not belong together, or the user is off */
  authenticate(name: string, password: string): User | undefined {
    const user = this.#users.get(name)
    // A hash is worked out for a name that nobody has, too: how long it takes does not say which names there are.
    const hash = this.#ports.hash(password)
    if (user?.isEnabled !== true) return undefined
    return user.needsNoPassword || user.passwordHashes.has(hash) ? user : undefined
  }

  /** `requirepass`: the one password of the user `default`; '' for none. */
  setDefaultPassword(password: string): void {
    const user = this.#users.get(DEFAULT_USER)!
    applyRule(user, password === '' ? 'nopass' : 'resetpass', this.#ports)
    if (password !== '') applyRule(user, `>${password}`, this.#ports)
    user.settle()
  }

  /** ACL SETUSER. @throws CommandError, nothing having changed */
  setUser(name: string, words: readonly string[]): void {
    const before = this.#users.get(name)
    const changed = this.#userOf(name, before, words, (rule, why) =>
      commandError(rule === '' ? `ERR ${why}` : `ERR Error in ACL SETUSER modifier '${rule}': ${why}`),
    )
    if (before === undefined) {
      this.#users.set(name, changed)
      return
    }
    before.become(changed)
    this.#ports.changed(before, false)
  }

  #userOf(
    name: string,
    before: User | undefined,
    words: readonly string[],
    refuse: (rule: string, why: string) => CommandError,
  ): User {
    const user = before?.copy() ?? new User(name)
    if (before === undefined) user.root = newPermissions(this.#ports)
    let rule = ''
    try {
      for (const one of gatherSelectors(words)) {
        rule = one
        applyRule(user, one, this.#ports)
      }
    } catch (error) {
      if (error instanceof RuleError) throw refuse(rule, error.message)
      throw error
    }
    user.settle()
    return user
  }

  /** ACL DELUSER. @returns false when there was none. @throws CommandError for `default` */
  deleteUser(name: string): boolean {
    if (name === DEFAULT_USER) throw errors.defaultUserStays
    const user = this.#users.get(name)
    if (user === undefined) return false
    this.#users.delete(name)
    this.#ports.changed(user, true)
    return true
  }

  /** Every user, a line each: what an ACL file holds. */
  get text(): string {
    return this.users.map(({ text }) => `${text}\n`).join('')
  }

  /**
   * ACL LOAD: the users of a file in place of those there are.
   * @throws CommandError that names the lines that cannot be read, nothing having changed
   */
  load(text: string): void {
    const users = new Map<string, User>()
    const wrong: string[] = []
    text.split('\n').forEach((line, i) => {
      const words = line.trim().split(/\s+/)
      if (line.trim() === '' || line.trim().startsWith('#')) return
      const [keyword, name, ...rules] = words
      const refuse = (rule: string, why: string): CommandError =>
        commandError(`line ${i + 1}: ${rule === '' ? '' : `'${rule}': `}${why}`)
      try {
        if (keyword !== 'user' || name === undefined) throw refuse('', 'a line begins with: user <name>')
        if (users.has(name)) throw refuse('', `user '${name}' is there already`)
        users.set(name, this.#userOf(name, undefined, rules, refuse))
      } catch (error) {
        wrong.push((error as Error).message)
      }
    })
    if (wrong.length > 0) throw errors.aclFileWrong(wrong)
    if (!users.has(DEFAULT_USER)) users.set(DEFAULT_USER, this.#newDefault())
    this.#replace(users)
  }

  /** Sessions go on with users that are still there. */
  #replace(users: ReadonlyMap<string, User>): void {
    const before = this.#users
    this.#users = new Map()
    for (const user of users.values()) {
      const known = before.get(user.name)
      this.#users.set(user.name, known ?? user)
      if (known === undefined) continue
      known.become(user)
      this.#ports.changed(known, false)
    }
    for (const user of before.values()) if (!this.#users.has(user.name)) this.#ports.changed(user, true)
  }

  /**
   * The one question. What is refused is logged.
   * @returns the error to answer; undefined when the user may
   */
  refusal(
    user: User,
    request: Request,
    context: LogContext,
    clientInfo: () => string,
  ): CommandError | undefined {
    const denial = user.denies(request)
    if (denial === undefined) return undefined
    this.note(denial.reason, denial.object, user.name, context, clientInfo)
    return errors.noPermission(denialText(user, denial, false))
  }

  note(
    reason: LogReason,
    object: string,
    username: string,
    context: LogContext,
    clientInfo: () => string,
  ): void {
    const entry = { reason, context, object, username, clientInfo: clientInfo() }
    this.log.add(entry, this.#ports.nowMs(), this.#ports.logLengthMax())
  }
}

/** @param names  which key or channel it is: only for those who manage users */
export function denialText({ name }: User, { reason, object }: Denial, names: boolean): string {
  if (reason === 'command') return `User ${name} has no permissions to run the '${object}' command`
  return names
    ? `User ${name} has no permissions to access the '${object}' ${reason}`
    : `No permissions to access a ${reason}`
}
