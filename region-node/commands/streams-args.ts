/**
 * streams-args.ts: stream ids and the trimming options out of the words of a command, and entries into replies.
 *
 * Forms and errors are Redis 7.2's (t_stream.c): where an id may be `-` or `+`, where `(` excludes it, and what a
 * missing sequence stands for depends on the command.
 */
import type { StreamEntry } from '../../crdt/stream.ts'
import {
  ID_MAX,
  ID_MIN,
  idText,
  nextId,
  parseU64,
  previousId,
  type StreamId,
  type U64,
  U64_MAX,
} from '../../crdt/stream-id.ts'
import { type CommandError, commandError, errors } from '../errors.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import { parseCount } from './parse.ts'

export const streamErrors = {
  invalidId: commandError('ERR Invalid stream ID specified as stream command argument'),
  invalidStart: commandError('ERR invalid start ID for the interval'),
  invalidEnd: commandError('ERR invalid end ID for the interval'),
  twoStrategies: commandError(
    'ERR syntax error, MAXLEN and MINID options at the same time are not compatible',
  ),
  negativeMaxlen: commandError('ERR The MAXLEN argument must be >= 0.'),
  negativeLimit: commandError('ERR The LIMIT argument must be >= 0.'),
  limitWithoutStrategy: commandError(
    'ERR syntax error, LIMIT cannot be used without specifying a trimming strategy',
  ),
  noStrategy: commandError('ERR syntax error, XTRIM must be called with a trimming strategy'),
  limitOfExact: commandError('ERR syntax error, LIMIT cannot be used without the special ~ option'),
  noSuchGroup: (group: string, key: string) =>
    commandError(`NOGROUP No such consumer group '${shown(group)}' for key name '${shown(key)}'`),
  noKeyOrGroup: (key: string, group: string) =>
    commandError(`NOGROUP No such key '${shown(key)}' or consumer group '${shown(group)}'`),
  noGroupToRead: (key: string, group: string) =>
    commandError(
      `NOGROUP No such key '${shown(key)}' or consumer group '${shown(group)}' in XREADGROUP with GROUP option`,
    ),
  claimOption: (option: string) => commandError(`ERR Unrecognized XCLAIM option '${shown(option)}'`),
} as const

/** A word in an error, as far as C takes it for text. */
function shown(word: string): string {
  const end = word.indexOf('\0')
  return end < 0 ? word : word.slice(0, end)
}

/** Redis looks at no longer ones. */
const ID_LENGTH_MAX = 127

/** @returns undefined for what is no id. @param missing  the sequence where the word has none */
function readId(word: string, missing: U64): StreamId | undefined {
  if (word.length > ID_LENGTH_MAX) return undefined
  const dash = word.indexOf('-')
  const ms = parseU64(dash < 0 ? word : word.slice(0, dash))
  const sequence = dash < 0 ? missing : parseU64(word.slice(dash + 1))
  return ms === undefined || sequence === undefined ? undefined : { ms, sequence }
}

/** An id that names one place: `<ms>-<sequence>` or `<ms>`, which stands for sequence 0. @throws CommandError */
export function parseId(word: string): StreamId {
  const id = readId(word, 0)
  if (id === undefined) throw streamErrors.invalidId
  return id
}

/** The same; undefined for what is none. */
export function tryId(word: string): StreamId | undefined {
  return readId(word, 0)
}

/** An id, `-` or `+`. @throws CommandError */
export function parseBoundId(word: string, missing: U64): StreamId {
  if (word === '-') return ID_MIN
  if (word === '+') return ID_MAX
  const id = readId(word, missing)
  if (id === undefined) throw streamErrors.invalidId
  return id
}

/** The beginning of an interval; `(` before an id leaves that one out. @throws CommandError */
export function parseStart(word: string): StreamId {
  if (word.length < 2 || word[0] !== '(') return parseBoundId(word, 0)
  return behind(nextId(parseId(word.slice(1))), streamErrors.invalidStart)
}

/** The end of an interval. @throws CommandError */
export function parseEnd(word: string): StreamId {
  if (word.length < 2 || word[0] !== '(') return parseBoundId(word, U64_MAX)
  const id = readId(word.slice(1), U64_MAX)
  if (id === undefined) throw streamErrors.invalidId
  return behind(previousId(id), streamErrors.invalidEnd)
}

function behind(id: StreamId | undefined, otherwise: CommandError): StreamId {
  if (id === undefined) throw otherwise
  return id
}

/** An id as XADD is given it. */
export interface GivenId {
  readonly ms: U64
  /** Undefined: to be made, as `<ms>-*` asks. */
  readonly sequence: U64 | undefined
  /** The word had no sequence at all. */
  readonly isPartial: boolean
}

/** @throws CommandError */
export function parseGivenId(word: string): GivenId {
  if (word.endsWith('-*') && word.indexOf('-') === word.length - 2) {
    return { ms: parseId(word.slice(0, -2)).ms, sequence: undefined, isPartial: false }
  }
  const { ms, sequence } = parseId(word)
  return { ms, sequence, isPartial: !word.includes('-') }
}

/** What of the beginning of a stream is to go. */
export interface Trimming {
  /** How many entries stay; undefined: `minId` decides. */
  readonly maxlen: number | undefined
  /** The lowest id that stays. */
  readonly minId: StreamId
  /** `~`: only in whole blocks. */
  readonly isRough: boolean
  /** Most entries that go; Infinity: all. */
  readonly limit: number
}

/** Entries in one of Redis's blocks (stream-node-max-entries). */
const BLOCK_ENTRIES = 100
const ROUGH_LIMIT = 100 * BLOCK_ENTRIES

export interface TrimOptions {
  readonly trimming: Trimming | undefined
  readonly noMkstream: boolean
  /** Place of the first word that is no option: XADD's id. */
  readonly end: number
}

/**
 * The options of XTRIM, and those of XADD before its id.
 * @throws CommandError
 */
export function parseTrimOptions(words: readonly string[], isXadd: boolean): TrimOptions {
  let maxlen: number | undefined
  let minId: StreamId | undefined
  let isRough = false
  let limit: number | undefined
  let noMkstream = false
  let at = 2
  for (; at < words.length; at++) {
    const word = words[at]!
    const more = words.length - 1 - at
    if (isXadd && word === '*') break
    const option = word.toLowerCase()
    if ((option === 'maxlen' || option === 'minid') && more > 0) {
      if (maxlen !== undefined || minId !== undefined) throw streamErrors.twoStrategies
      const sign = words[at + 1]!
      isRough = more >= 2 && sign === '~'
      at += more >= 2 && (sign === '~' || sign === '=') ? 2 : 1
      if (option === 'minid') minId = parseId(words[at]!)
      else maxlen = parseNotNegative(words[at]!, streamErrors.negativeMaxlen)
    } else if (option === 'limit' && more > 0) {
      limit = parseNotNegative(words[++at]!, streamErrors.negativeLimit)
    } else if (isXadd && option === 'nomkstream') {
      noMkstream = true
    } else if (isXadd) {
      break
    } else {
      throw errors.syntax
    }
  }
  // Redis looks at what the id is before it looks at what the options are together.
  if (isXadd && at < words.length && words[at] !== '*') parseGivenId(words[at]!)
  const isTrimmed = maxlen !== undefined || minId !== undefined
  if (!isTrimmed && limit !== undefined && limit > 0) throw streamErrors.limitWithoutStrategy
  if (!isTrimmed && !isXadd) throw streamErrors.noStrategy
  if (limit !== undefined && !isRough) throw streamErrors.limitOfExact
  // 0 is no limit to Redis.
  const most = limit ?? (isRough ? ROUGH_LIMIT : 0)
  const trimming = isTrimmed
    ? { maxlen, minId: minId ?? ID_MIN, isRough, limit: most || Number.POSITIVE_INFINITY }
    : undefined
  return { trimming, noMkstream, end: at }
}

function parseNotNegative(word: string, otherwise: CommandError): number {
  const count = parseCount(word)
  if (count < 0) throw otherwise
  return count
}

/** How many of `size` entries go, where `excess` could. With `~`, those that fill blocks, or all there are. */
export function trimmedCount({ isRough, limit }: Trimming, excess: number, size: number): number {
  if (!isRough) return excess
  const most = Math.min(excess, limit)
  return most === size ? size : Math.floor(most / BLOCK_ENTRIES) * BLOCK_ENTRIES
}

export function writeEntry(out: ReplyWriter, entry: StreamEntry): void {
  out.array(2)
  out.bulk(idText(entry))
  out.words(entry.fields)
}

export function writeEntries(out: ReplyWriter, entries: readonly StreamEntry[]): void {
  out.array(entries.length)
  for (const entry of entries) writeEntry(out, entry)
}
