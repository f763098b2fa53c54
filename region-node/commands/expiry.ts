/**
 * expiry.ts: deadlines of keys: EXPIRE, TTL, PERSIST and their kin.
 *
 * A deadline is a moment in milliseconds since the Unix epoch, Infinity for none. One that is not in the
 * future removes the key at once.
 */
import { deadlineOf } from '../../crdt/key.ts'
import { errors } from '../errors.ts'
import { type CommandContext, type CommandFlag, defineCommands, ONE_KEY } from './command.ts'
import {
  type ExpiryUnit,
  MILLISECONDS,
  momentAt,
  parseInt64,
  SECONDS,
  UNIX_MILLISECONDS,
  UNIX_SECONDS,
} from './parse.ts'

const NO_KEY = -2
const NO_DEADLINE = -1

/** @param command  full name, for the error */
function expire(ctx: CommandContext, words: readonly string[], unit: ExpiryUnit, command: string): void {
  const condition = words.length === 3 ? ALWAYS : parseCondition(words)
  const moment = momentAt(parseInt64(words[2]!), unit, ctx.nowMs)
  if (moment === undefined) throw errors.invalidExpire(command)
  const key = words[1]!
  const entry = ctx.entry(key)
  if (entry === undefined || (condition !== ALWAYS && !isMet(condition, moment, deadlineOf(entry)))) {
    ctx.out.integer(0)
    return
  }
  if (moment <= ctx.nowMs) ctx.write.clear(key)
  else ctx.write.setDeadline(key, moment)
  ctx.out.integer(1)
}

/** When EXPIRE takes effect. */
interface Condition {
  nx: boolean
  xx: boolean
  gt: boolean
  lt: boolean
}

const ALWAYS: Condition = { nx: false, xx: false, gt: false, lt: false }

function parseCondition(words: readonly string[]): Condition {
  const condition = { ...ALWAYS }
  for (let i = 3; i < words.length; i++) {
    const option = words[i]!.toLowerCase()
    if (option !== 'nx' && option !== 'xx' && option !== 'gt' && option !== 'lt') {
      throw errors.unsupportedOption(words[i]!)
    }
    condition[option] = true
  }
  const { nx, xx, gt, lt } = condition
  if (nx && (xx || gt || lt)) throw errors.expireNxExclusive
  if (gt && lt) throw errors.expireGtLtExclusive
  return condition
}

/** No deadline is later than any: GT never meets it, LT always does. */
function isMet({ nx, xx, gt, lt }: Condition, moment: number, current: number): boolean {
  const hasDeadline = current !== Number.POSITIVE_INFINITY
  if (nx && hasDeadline) return false
  if (xx && !hasDeadline) return false
  if (gt && moment <= current) return false
  return !(lt && moment >= current)
}

function persist(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  const entry = ctx.entry(key)
  const hasDeadline = entry !== undefined && deadlineOf(entry) !== Number.POSITIVE_INFINITY
  if (hasDeadline) ctx.write.setDeadline(key, Number.POSITIVE_INFINITY)
  ctx.out.integer(hasDeadline ? 1 : 0)
}

/** TTL and EXPIRETIME in their four forms. Seconds are rounded to the nearest, as Redis does. */
function timeOf(ctx: CommandContext, words: readonly string[], { unitMs, isRelative }: ExpiryUnit): void {
  const entry = ctx.entry(words[1]!)
  const deadline = entry === undefined ? 0 : deadlineOf(entry)
  if (entry === undefined) {
    ctx.out.integer(NO_KEY)
  } else if (deadline === Number.POSITIVE_INFINITY) {
    ctx.out.integer(NO_DEADLINE)
  } else {
    const ms = isRelative ? deadline - ctx.nowMs : deadline
    ctx.out.integer(unitMs === 1 ? ms : Math.floor((ms + 500) / 1000))
  }
}

const WRITES: readonly CommandFlag[] = ['write', 'fast']
const READS: readonly CommandFlag[] = ['readonly', 'fast']

export const expiryCommands = defineCommands([
  {
    name: 'expire',
    arity: -3,
    flags: WRITES,
    keys: ONE_KEY,
    uses: ['W'],
    group: 'generic',
    since: '1.0.0',
    summary: 'Sets the expiration time of a key in seconds.',
    syntax: 'key seconds [NX|XX|GT|LT]',
    complexity: 'O(1)',
    run: (ctx, words) => expire(ctx, words, SECONDS, 'expire'),
  },
  {
    name: 'pexpire',
    arity: -3,
    flags: WRITES,
    keys: ONE_KEY,
    uses: ['W'],
    group: 'generic',
    since: '2.6.0',
    summary: 'Sets the expiration time of a key in milliseconds.',
    syntax: 'key milliseconds [NX|XX|GT|LT]',
    complexity: 'O(1)',
    run: (ctx, words) => expire(ctx, words, MILLISECONDS, 'pexpire'),
  },
  {
    name: 'expireat',
    arity: -3,
    flags: WRITES,
    keys: ONE_KEY,
    uses: ['W'],
    group: 'generic',
    since: '1.2.0',
    summary: 'Sets the expiration time of a key to a Unix timestamp.',
    syntax: 'key unix-time-seconds [NX|XX|GT|LT]',
    complexity: 'O(1)',
    run: (ctx, words) => expire(ctx, words, UNIX_SECONDS, 'expireat'),
  },
  {
    name: 'pexpireat',
    arity: -3,
    flags: WRITES,
    keys: ONE_KEY,
    uses: ['W'],
    group: 'generic',
    since: '2.6.0',
    summary: 'Sets the expiration time of a key to a Unix milliseconds timestamp.',
    syntax: 'key unix-time-milliseconds [NX|XX|GT|LT]',
    complexity: 'O(1)',
    run: (ctx, words) => expire(ctx, words, UNIX_MILLISECONDS, 'pexpireat'),
  },
  {
    name: 'ttl',
    arity: 2,
    flags: READS,
    keys: ONE_KEY,
    group: 'generic',
    since: '1.0.0',
    summary: 'Returns the expiration time in seconds of a key.',
    syntax: 'key',
    complexity: 'O(1)',
    run: (ctx, words) => timeOf(ctx, words, SECONDS),
  },
  {
    name: 'pttl',
    arity: 2,
    flags: READS,
    keys: ONE_KEY,
    group: 'generic',
    since: '2.6.0',
    summary: 'Returns the expiration time in milliseconds of a key.',
    syntax: 'key',
    complexity: 'O(1)',
    run: (ctx, words) => timeOf(ctx, words, MILLISECONDS),
  },
  {
    name: 'expiretime',
    arity: 2,
    flags: READS,
    keys: ONE_KEY,
    group: 'generic',
    since: '7.0.0',
    summary: 'Returns the expiration time of a key as a Unix timestamp.',
    syntax: 'key',
    complexity: 'O(1)',
    run: (ctx, words) => timeOf(ctx, words, UNIX_SECONDS),
  },
  {
    name: 'pexpiretime',
    arity: 2,
    flags: READS,
    keys: ONE_KEY,
    group: 'generic',
    since: '7.0.0',
    summary: 'Returns the expiration time of a key as a Unix milliseconds timestamp.',
    syntax: 'key',
    complexity: 'O(1)',
    run: (ctx, words) => timeOf(ctx, words, UNIX_MILLISECONDS),
  },
  {
    name: 'persist',
    arity: 2,
    flags: WRITES,
    keys: ONE_KEY,
    uses: ['W'],
    group: 'generic',
    since: '2.2.0',
    summary: 'Removes the expiration time of a key.',
    syntax: 'key',
    complexity: 'O(1)',
    run: persist,
  },
])
