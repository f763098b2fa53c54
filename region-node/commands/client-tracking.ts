/**
 * client-tracking.ts: the subcommands of CLIENT by which a client that keeps copies of keys says so: TRACKING,
 * CACHING, GETREDIR, TRACKINGINFO. What is done for it is in `engine/tracking.ts`.
 */
import { commandError, errors } from '../errors.ts'
import { type CommandContext, type CommandDef, defineCommands, NO_KEYS } from './command.ts'
import { parseCount } from './parse.ts'
import type { Session, Tracked, TrackingOptions } from './session.ts'

const noSuchRedirect = commandError('ERR The client ID you want redirect to does not exist')
const prefixNeedsBroadcast = commandError('ERR PREFIX option requires BCAST mode to be enabled')
const cannotSwitchBroadcast = commandError(
  "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then " +
    're-enabling it with a different mode.',
)
const cannotSwitchMode = commandError(
  "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then " +
    're-enabling it with a different mode.',
)
const bothModes = commandError("ERR You can't specify both OPTIN mode and OPTOUT mode")
const modeWithBroadcast = commandError('ERR OPTIN and OPTOUT are not compatible with BCAST')
const cachingWithoutMode = commandError(
  'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
)
const yesWithoutOptin = commandError(
  'ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.',
)
const noWithoutOptout = commandError(
  'ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.',
)

function tracking(ctx: CommandContext, words: readonly string[]): void {
  const { session, out } = ctx
  const options = parseOptions(ctx, words)
  const state = words[2]!.toLowerCase()
  if (state === 'on') {
    checkOptions(options, session.tracking)
    ctx.tracking.begin(session, options)
  } else if (state === 'off') {
    ctx.tracking.end(session)
  } else {
    throw errors.syntax
  }
  out.ok()
}

/** @throws CommandError */
function parseOptions(ctx: CommandContext, words: readonly string[]): TrackingOptions {
  let redirect: Session | undefined
  let broadcasts = false
  let noLoop = false
  const modes = new Set<'optin' | 'optout'>()
  const prefixes: string[] = []
  for (let at = 3; at < words.length; at++) {
    const option = words[at]!.toLowerCase()
    const hasValue = at + 1 < words.length
    if (option === 'redirect' && hasValue) redirect = sessionOf(ctx, words[++at]!)
    else if (option === 'prefix' && hasValue) prefixes.push(words[++at]!)
    else if (option === 'bcast') broadcasts = true
    else if (option === 'noloop') noLoop = true
    else if (option === 'optin' || option === 'optout') modes.add(option)
    else throw errors.syntax
  }
  if (modes.size > 1) throw bothModes
  const [mode = 'all'] = modes
  return { broadcasts, mode, noLoop, redirect, prefixes }
}

/** @throws CommandError */
function sessionOf({ services }: CommandContext, word: string): Session {
  const id = parseCount(word, errors.notInteger)
  for (const session of services.sessions) if (session.id === id) return session
  throw noSuchRedirect
}

/** @param before  how the client tracks now @throws CommandError */
function checkOptions({ broadcasts, mode, prefixes }: TrackingOptions, before: Tracked | undefined): void {
  if (prefixes.length > 0 && !broadcasts) throw prefixNeedsBroadcast
  if (before !== undefined && before.options.broadcasts !== broadcasts) throw cannotSwitchBroadcast
  if (broadcasts && mode !== 'all') throw modeWithBroadcast
  const modeBefore = before?.options.mode ?? 'all'
  if (mode !== 'all' && modeBefore !== 'all' && mode !== modeBefore) throw cannotSwitchMode
  prefixes.forEach((prefix, i) => {
    for (const other of before?.options.prefixes ?? []) {
      if (overlap(prefix, other)) throw overlapping(prefix, 'an existing prefix', other)
    }
    for (const other of prefixes.slice(i + 1)) {
      if (overlap(prefix, other)) throw overlapping(prefix, 'another provided prefix', other)
    }
  })
}

function overlap(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a)
}

function overlapping(prefix: string, what: string, other: string): ReturnType<typeof commandError> {
  return commandError(
    `ERR Prefix '${prefix}' overlaps with ${what} '${other}'. Prefixes for a single client must not overlap.`,
  )
}

function caching({ session, out }: CommandContext, words: readonly string[]): void {
  const { tracking: tracked } = session
  if (tracked === undefined || tracked.options.mode === 'all') throw cachingWithoutMode
  const choice = words[2]!.toLowerCase()
  if (choice !== 'yes' && choice !== 'no') throw errors.syntax
  if (choice === 'yes' && tracked.options.mode !== 'optin') throw yesWithoutOptin
  if (choice === 'no' && tracked.options.mode !== 'optout') throw noWithoutOptout
  tracked.caching = choice
  out.ok()
}

/** -1: the client does not track; 0: it is told itself. */
function redirectOf({ tracking: tracked }: Session): number {
  return tracked === undefined ? -1 : (tracked.options.redirect?.id ?? 0)
}

function flagsOf(tracked: Tracked): string[] {
  const { options, caching: choice, isRedirectBroken } = tracked
  const flags = ['on']
  if (options.broadcasts) flags.push('bcast')
  if (options.mode !== 'all') flags.push(options.mode)
  if (choice !== undefined) flags.push(`caching-${choice}`)
  if (options.noLoop) flags.push('noloop')
  if (isRedirectBroken) flags.push('broken_redirect')
  return flags
}

function trackingInfo({ session, out }: CommandContext): void {
  const { tracking: tracked } = session
  const flags = tracked === undefined ? ['off'] : flagsOf(tracked)
  out.map(3)
  out.bulk('flags')
  out.set(flags.length)
  for (const flag of flags) out.bulk(flag)
  out.bulk('redirect')
  out.integer(redirectOf(session))
  out.bulk('prefixes')
  out.words(tracked?.options.prefixes ?? [])
}

const ANYBODY: CommandDef['flags'] = ['noscript', 'loading', 'stale']

/** Subcommands of CLIENT. */
export const clientTrackingCommands = defineCommands([
  {
    name: 'client|tracking',
    arity: -3,
    flags: ANYBODY,
    keys: NO_KEYS,
    isOfConnection: true,
    group: 'connection',
    since: '6.0.0',
    summary: 'Tells the client when keys that it has read change, in this region or in another one.',
    syntax: '<ON|OFF> [REDIRECT client-id] [PREFIX prefix ...] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]',
    complexity: 'O(1). Some options may introduce additional complexity.',
    run: tracking,
  },
  {
    name: 'client|caching',
    arity: 3,
    flags: ANYBODY,
    keys: NO_KEYS,
    group: 'connection',
    since: '6.0.0',
    summary: 'Says whether the keys of the next command are tracked.',
    syntax: '<YES|NO>',
    complexity: 'O(1)',
    run: caching,
  },
  {
    name: 'client|trackinginfo',
    arity: 2,
    flags: ANYBODY,
    keys: NO_KEYS,
    group: 'connection',
    since: '6.2.0',
    summary: 'Returns how the connection tracks keys.',
    complexity: 'O(1)',
    run: trackingInfo,
  },
  {
    name: 'client|getredir',
    arity: 2,
    flags: ANYBODY,
    keys: NO_KEYS,
    group: 'connection',
    since: '6.0.0',
    summary: "Returns the client ID to which the connection's tracking notifications are redirected.",
    complexity: 'O(1)',
    run: ({ session, out }) => out.integer(redirectOf(session)),
  },
])
