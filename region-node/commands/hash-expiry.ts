/**
 * hash-expiry.ts: deadlines of single hash fields: HEXPIRE, HTTL, HPERSIST and their kin, as of Redis 7.4.
 *
 * Each field named gets a reply of its own. A field past its deadline is in no hash that a command sees.
 */
import type { HashState } from '../../crdt/hash-aw.ts'
import { commandError, errors } from '../errors.ts'
import { type CommandContext, type CommandDef, defineCommands, ONE_KEY } from './command.ts'
import {
  type ExpiryUnit,
  MILLISECONDS,
  parseInt64,
  readInt64,
  SECONDS,
  UNIX_MILLISECONDS,
  UNIX_SECONDS,
} from './parse.ts'

const NEVER = Number.POSITIVE_INFINITY
/** The latest moment that Redis takes for a field, milliseconds since the Unix epoch: in the year 4199. */
const MOMENT_MAX = 2 ** 46 - 1

const NO_FIELD = -2
const NO_DEADLINE = -1
const REFUSED = 0
const DONE = 1
const REMOVED = 2

const negative = commandError('ERR invalid expire time, must be >= 0')
const fieldsMissing = commandError('ERR Mandatory argument FIELDS is missing or not at the right position')
const countNotPositive = commandError('ERR Parameter `numFields` should be greater than 0')
const fieldCountNotPositive = commandError('ERR Number of fields must be a positive integer')
const countMismatch = commandError('ERR The `numfields` parameter must match the number of arguments')

/** The fields behind `FIELDS count`. @param at  where the word FIELDS should be @throws CommandError */
function parseFields(
  words: readonly string[],
  at: number,
  badCount = fieldCountNotPositive,
): readonly string[] {
  if (words[at]?.toLowerCase() !== 'fields') throw fieldsMissing
  const count = readInt64(words[at + 1] ?? '')
  if (count === undefined || count < 1) throw badCount
  if (Number(count) !== words.length - at - 2) throw countMismatch
  return words.slice(at + 2)
}

/** @throws CommandError */
function parseMoment(
  word: string,
  { unitMs, isRelative }: ExpiryUnit,
  nowMs: number,
  command: string,
): number {
  const value = parseInt64(word)
  if (value < 0) throw negative
  const moment = Number(value) * unitMs + (isRelative ? nowMs : 0)
  if (moment > MOMENT_MAX) throw errors.invalidExpire(command)
  return moment
}

type Condition = 'nx' | 'xx' | 'gt' | 'lt'

function readCondition(word: string): Condition | undefined {
  const option = word.toLowerCase()
  return option === 'nx' || option === 'xx' || option === 'gt' || option === 'lt' ? option : undefined
}

/** No deadline is later than any: GT never meets it, LT always does. */
function isMet(condition: Condition | undefined, moment: number, current: number): boolean {
  switch (condition) {
    case 'nx':
      return current === NEVER
    case 'xx':
      return current !== NEVER
    case 'gt':
      return moment > current
    case 'lt':
      return moment < current
    default:
      return true
  }
}

/** @param command  full name, for the error */
function expire(ctx: CommandContext, words: readonly string[], unit: ExpiryUnit, command: string): void {
  const key = words[1]!
  const hash = ctx.hash(key)
  const moment = parseMoment(words[2]!, unit, ctx.nowMs, command)
  const condition = readCondition(words[3]!)
  const fields = parseFields(words, condition === undefined ? 3 : 4, countNotPositive)
  const isPast = moment <= ctx.nowMs
  // A field may be named twice: what the first time does to it counts for the second.
  const reached = new Set<string>()
  const replies = fields.map((field) => {
    if (hash === undefined || !hash.fields.has(field) || (isPast && reached.has(field))) return NO_FIELD
    const current = reached.has(field) ? moment : hash.deadlineOf(field)
    if (!isMet(condition, moment, current)) return REFUSED
    reached.add(field)
    return isPast ? REMOVED : DONE
  })
  if (reached.size > 0 && isPast) ctx.write.removeFields(key, [...reached])
  else if (reached.size > 0) ctx.write.setFieldDeadline(key, [...reached], moment)
  writeReplies(ctx, replies)
}

function persist(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  const hash = ctx.hash(key)
  const fields = parseFields(words, 2)
  const reached = new Set<string>()
  const replies = fields.map((field) => {
    if (hash === undefined || !hash.fields.has(field)) return NO_FIELD
    if (reached.has(field) || hash.deadlineOf(field) === NEVER) return NO_DEADLINE
    reached.add(field)
    return DONE
  })
  if (reached.size > 0) ctx.write.setFieldDeadline(key, [...reached], NEVER)
  writeReplies(ctx, replies)
}

/** HTTL and HEXPIRETIME in their four forms. Seconds are rounded up, as Redis does for fields. */
function timeOf(ctx: CommandContext, words: readonly string[], { unitMs, isRelative }: ExpiryUnit): void {
  const hash = ctx.hash(words[1]!)
  const fields = parseFields(words, 2)
  const base = isRelative ? ctx.nowMs : 0
  writeReplies(
    ctx,
    fields.map((field) => timeOfField(hash, field, base, unitMs)),
  )
}

function timeOfField(hash: HashState | undefined, field: string, base: number, unitMs: number): number {
  if (hash === undefined || !hash.fields.has(field)) return NO_FIELD
  const moment = hash.deadlineOf(field)
  return moment === NEVER ? NO_DEADLINE : Math.ceil((moment - base) / unitMs)
}

function writeReplies({ out }: CommandContext, replies: readonly number[]): void {
  out.array(replies.length)
  for (const reply of replies) out.integer(reply)
}

const FIELDS = 'FIELDS numfields field [field ...]'

function row(
  name: string,
  arity: number,
  flags: CommandDef['flags'],
  summary: string,
  syntax: string,
  run: CommandDef['run'],
): CommandDef {
  return {
    name,
    arity,
    flags,
    keys: ONE_KEY,
    group: 'hash',
    since: '7.4.0',
    summary,
    syntax,
    complexity: 'O(N) where N is the number of specified fields',
    run,
  }
}

/** @param moment  what the second word is */
function setting(name: string, moment: string, unit: ExpiryUnit, summary: string): CommandDef {
  const syntax = `key ${moment} [NX|XX|GT|LT] ${FIELDS}`
  return row(name, -6, ['write', 'denyoom', 'fast'], summary, syntax, (ctx, words) =>
    expire(ctx, words, unit, name),
  )
}

function telling(name: string, unit: ExpiryUnit, summary: string): CommandDef {
  return row(name, -5, ['readonly', 'fast'], summary, `key ${FIELDS}`, (ctx, words) =>
    timeOf(ctx, words, unit),
  )
}

export const hashExpiryCommands = defineCommands([
  setting('hexpire', 'seconds', SECONDS, 'Set expiry for hash field using relative time to expire (seconds)'),
  setting(
    'hpexpire',
    'milliseconds',
    MILLISECONDS,
    'Set expiry for hash field using relative time to expire (milliseconds)',
  ),
  setting(
    'hexpireat',
    'unix-time-seconds',
    UNIX_SECONDS,
    'Set expiry for hash field using an absolute Unix timestamp (seconds)',
  ),
  setting(
    'hpexpireat',
    'unix-time-milliseconds',
    UNIX_MILLISECONDS,
    'Set expiry for hash field using an absolute Unix timestamp (milliseconds)',
  ),
  telling('httl', SECONDS, 'Returns the TTL in seconds of a hash field.'),
  telling('hpttl', MILLISECONDS, 'Returns the TTL in milliseconds of a hash field.'),
  telling(
    'hexpiretime',
    UNIX_SECONDS,
    'Returns the expiration time of a hash field as a Unix timestamp, in seconds.',
  ),
  telling(
    'hpexpiretime',
    UNIX_MILLISECONDS,
    'Returns the expiration time of a hash field as a Unix timestamp, in msec.',
  ),
  row(
    'hpersist',
    -5,
    ['write', 'fast'],
    'Removes the expiration time for each specified field',
    `key ${FIELDS}`,
    persist,
  ),
])
