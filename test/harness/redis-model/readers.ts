/**
 * readers.ts: the commands of the workload on consumer groups, as Redis's documentation tells them. Who reads is known
 * in each region by itself (semantics.md, Stream).
 */
import type { Reply } from '../../../region-node/resp/parse-reply.ts'
import { givenTo, type Pending, type Position, type Readers } from '../readers.ts'
import { compareIdTexts, idIn, idTextOf } from '../stream-reading.ts'
import {
  type Model,
  type Models,
  type PlainData,
  Refusal,
  type StreamValue,
  Unsaid,
  type Words,
} from './plain-data.ts'
import { keepStream, shownEntry } from './streams.ts'

const NOBODY: Readers = {
  consumers: new Set(),
  pending: new Map(),
  position: { cursor: '0-0', late: [] },
}

/** A stream, and one of its groups. */
interface Found {
  readonly stream: StreamValue
  readonly readers: Readers
}

/** @throws Refusal  where the group is not there. @throws Unsaid  where nothing is known of it */
function found(data: PlainData, key: string, name: string): Found {
  const stream = data.stream(key)
  if (stream === undefined || !stream.groups.has(name)) throw new Refusal('NOGROUP')
  const readers = stream.groups.get(name)
  if (readers === undefined) throw new Unsaid()
  return { stream, readers }
}

function keepReaders(data: PlainData, key: string, name: string, change: Partial<Readers>): void {
  const { stream, readers } = found(data, key, name)
  keepStream(data, key, { groups: new Map([...stream.groups, [name, { ...readers, ...change }]]) })
}

function withConsumer({ consumers }: Readers, name: string): ReadonlySet<string> {
  return new Set([...consumers, name])
}

/** An id as it is written out. */
function wholeId(id: string): string {
  return idTextOf(idIn(id))
}

function isPresent({ entries }: StreamValue, id: string): boolean {
  return entries.some((entry) => entry[0] === id)
}

/** `$` is the last id of a stream, which is known where its last entry is the highest there ever was. */
function placeOf(word: string, stream: StreamValue | undefined): Position | undefined {
  if (word !== '$') return { cursor: wholeId(word), late: [] }
  const last = stream?.entries.at(-1)?.[0] ?? '0-0'
  const isKnown = stream === undefined || last === stream.top
  return isKnown ? { cursor: last, late: [] } : undefined
}

/** `XGROUP CREATE key group id [MKSTREAM]` */
const create: Model = ([, , key, name, id, option], data) => {
  const stream = data.stream(key!)
  if (stream === undefined && option !== 'MKSTREAM') throw new Refusal('ERR')
  if (stream?.groups.has(name!) === true) throw new Refusal('BUSYGROUP')
  const readers = data.knowsReaders(key!) ? { ...NOBODY, position: placeOf(id!, stream) } : undefined
  keepStream(data, key!, { groups: new Map([...(stream?.groups ?? []), [name!, readers]]) })
  return 'OK'
}

/** XGROUP does not say NOGROUP of a key that is not there. @throws Refusal */
function streamOf(data: PlainData, key: string): StreamValue {
  const stream = data.stream(key)
  if (stream === undefined) throw new Refusal('ERR')
  return stream
}

const destroy: Model = ([, , key, name], data) => {
  const { groups } = streamOf(data, key!)
  keepStream(data, key!, { groups: new Map([...groups].filter(([one]) => one !== name)) })
  return groups.has(name!) ? 1 : 0
}

const setPosition: Model = ([, , key, name, id], data) => {
  const position = placeOf(id!, streamOf(data, key!))
  keepReaders(data, key!, name!, { position })
  return 'OK'
}

const createConsumer: Model = ([, , key, name, consumer], data) => {
  streamOf(data, key!)
  const { readers } = found(data, key!, name!)
  keepReaders(data, key!, name!, { consumers: withConsumer(readers, consumer!) })
  return readers.consumers.has(consumer!) ? 0 : 1
}

const removeConsumer: Model = ([, , key, name, gone], data) => {
  streamOf(data, key!)
  const { readers } = found(data, key!, name!)
  const pending = new Map([...readers.pending].filter(([, { consumer }]) => consumer !== gone))
  const consumers = new Set([...readers.consumers].filter((one) => one !== gone))
  keepReaders(data, key!, name!, { pending, consumers })
  return readers.pending.size - pending.size
}

/** Counted is what was pending in this region. */
const xack: Model = ([, key, name, ...words], data) => {
  const stream = data.stream(key!)
  if (stream === undefined || !stream.groups.has(name!)) return 0
  const { readers } = found(data, key!, name!)
  const ids = words.map(wholeId)
  const pending = new Map([...readers.pending].filter(([id]) => !ids.includes(id)))
  keepReaders(data, key!, name!, { pending })
  return readers.pending.size - pending.size
}

interface Claiming {
  readonly consumer: string
  readonly idleMs: number
  readonly isForced: boolean
  readonly isJustId: boolean
  readonly deliveries: number | undefined
}

/** @returns who has the entry then; undefined: it is left as it is */
function claimed(before: Pending | undefined, claiming: Claiming, nowMs: number): Pending | undefined {
  if (before === undefined && !claiming.isForced) return undefined
  if (before !== undefined && nowMs - before.deliveredMs < claiming.idleMs) return undefined
  // An entry that is made pending here counts as given once already.
  const counted = (before?.deliveries ?? 1) + (claiming.isJustId ? 0 : 1)
  return { consumer: claiming.consumer, deliveredMs: nowMs, deliveries: claiming.deliveries ?? counted }
}

function shownClaims({ entries }: StreamValue, ids: readonly string[], isJustId: boolean): Reply {
  return isJustId ? [...ids] : ids.map((id) => shownEntry(entries.find((entry) => entry[0] === id)!))
}

/** `XCLAIM key group consumer idle id [id] [FORCE] [RETRYCOUNT count] [JUSTID]` */
const xclaim: Model = (words, data) => {
  const [, key, name, consumer, idleMs, ...rest] = words
  const { stream, readers } = found(data, key!, name!)
  const pending = new Map(readers.pending)
  const nowMs = Math.trunc(data.nowMs)
  const isJustId = rest.includes('JUSTID')
  const countAt = rest.indexOf('RETRYCOUNT')
  const claiming: Claiming = {
    consumer: consumer!,
    idleMs: Number(idleMs),
    isForced: rest.includes('FORCE'),
    isJustId,
    deliveries: countAt < 0 ? undefined : Number(rest[countAt + 1]),
  }
  const ids: string[] = []
  for (const id of rest.filter((word) => word.includes('-'))) {
    const after = claimed(pending.get(id), claiming, nowMs)
    if (!isPresent(stream, id)) pending.delete(id)
    else if (after !== undefined) {
      pending.set(id, after)
      ids.push(id)
    }
  }
  keepReaders(data, key!, name!, { pending, consumers: withConsumer(readers, consumer!) })
  return shownClaims(stream, ids, isJustId)
}

function inOrder(pending: ReadonlyMap<string, Pending>): (readonly [string, Pending])[] {
  return [...pending].sort(([a], [b]) => compareIdTexts(a, b))
}

/** `XAUTOCLAIM key group consumer idle start [COUNT count]` */
const xautoclaim: Model = (words, data) => {
  const [, key, name, consumer, idleMs, start] = words
  const { stream, readers } = found(data, key!, name!)
  const pending = new Map(readers.pending)
  const nowMs = Math.trunc(data.nowMs)
  const claiming = {
    consumer: consumer!,
    idleMs: Number(idleMs),
    isForced: false,
    isJustId: false,
    deliveries: undefined,
  }
  const waiting = inOrder(pending).filter(([id]) => start === '-' || compareIdTexts(id, start!) >= 0)
  const [ids, gone]: [string[], string[]] = [[], []]
  let left = words[6] === 'COUNT' ? Number(words[7]) : 100
  let looks = left * 10
  while (waiting.length > 0 && left > 0 && looks-- > 0) {
    const [id, before] = waiting.shift()!
    const after = claimed(before, claiming, nowMs)
    if (!isPresent(stream, id)) gone.push(id)
    else if (after === undefined) continue
    else {
      pending.set(id, after)
      ids.push(id)
    }
    left--
  }
  for (const id of gone) pending.delete(id)
  keepReaders(data, key!, name!, { pending, consumers: withConsumer(readers, consumer!) })
  return [waiting[0]?.[0] ?? '0-0', shownClaims(stream, ids, false), gone]
}

/** What a group has not given, in the order in which it gives it. @throws Unsaid */
function newsOf({ entries }: StreamValue, position: Position | undefined): StreamValue['entries'] {
  const areTwins = new Set(entries.map(([id]) => id)).size < entries.length
  if (position === undefined || areTwins) throw new Unsaid()
  const late = entries.filter(([id]) => position.late.includes(id))
  return [...late, ...entries.filter(([id]) => compareIdTexts(id, position.cursor) > 0)]
}

interface Reading {
  readonly key: string
  readonly name: string
  readonly consumer: string
  readonly count: number
  readonly isRecorded: boolean
}

/** `XREADGROUP ... STREAMS key >` */
function readNews(data: PlainData, { key, name, consumer, count, isRecorded }: Reading): Reply {
  const { stream, readers } = found(data, key, name)
  const given = newsOf(stream, readers.position).slice(0, count)
  const pending = new Map(readers.pending)
  const ids = given.map(([id]) => id)
  const delivery = { consumer, deliveredMs: Math.trunc(data.nowMs), deliveries: 1 }
  if (isRecorded) for (const id of ids) pending.set(id, delivery)
  const consumers = withConsumer(readers, consumer)
  keepReaders(data, key, name, { pending, consumers, position: givenTo(readers.position, ids) })
  return given.length === 0 ? null : [[key, given.map(shownEntry)]]
}

/** `XREADGROUP ... STREAMS key id`: what the consumer has and has not acknowledged, which counts as given once more. */
function readAgain(data: PlainData, { key, name, consumer, count }: Reading, behind: string): Reply {
  const { stream, readers } = found(data, key, name)
  const mine = inOrder(readers.pending)
    .filter(([id, one]) => one.consumer === consumer && compareIdTexts(id, behind) > 0)
    .slice(0, count)
  const pending = new Map(readers.pending)
  const nowMs = Math.trunc(data.nowMs)
  for (const [id, one] of mine)
    if (isPresent(stream, id)) pending.set(id, { ...one, deliveredMs: nowMs, deliveries: one.deliveries + 1 })
  keepReaders(data, key, name, { pending, consumers: withConsumer(readers, consumer) })
  const shown = (id: string): Reply => {
    const entry = stream.entries.find((one) => one[0] === id)
    return entry === undefined ? [id, null] : shownEntry(entry)
  }
  return [[key, mine.map(([id]) => shown(id))]]
}

/** `XREADGROUP GROUP group consumer COUNT count [NOACK] [BLOCK ms] STREAMS key id` */
const xreadgroup: Model = (words, data) => {
  const [, , name, consumer, , count] = words
  const [key, id] = words.slice(-2)
  const isRecorded = !words.includes('NOACK')
  const reading = { key: key!, name: name!, consumer: consumer!, count: Number(count), isRecorded }
  return id === '>' ? readNews(data, reading) : readAgain(data, reading, id!)
}

function summary(pending: ReadonlyMap<string, Pending>): Reply {
  const ids = inOrder(pending).map(([id]) => id)
  if (ids.length === 0) return [0, null, null, null]
  const names = [...new Set([...pending.values()].map(({ consumer }) => consumer))].sort()
  const countOf = (name: string) => [...pending.values()].filter(({ consumer }) => consumer === name).length
  return [ids.length, ids[0]!, ids.at(-1)!, names.map((name) => [name, String(countOf(name))])]
}

/** `XPENDING key group [- + count]` */
const xpending: Model = (words: Words, data) => {
  const { readers } = found(data, words[1]!, words[2]!)
  if (words.length === 3) return summary(readers.pending)
  const nowMs = Math.trunc(data.nowMs)
  return inOrder(readers.pending)
    .slice(0, Number(words[5]))
    .map(([id, { consumer, deliveredMs, deliveries }]) => [
      id,
      consumer,
      Math.max(0, nowMs - deliveredMs),
      deliveries,
    ])
}

export const READER_MODELS: Models = {
  'XGROUP|CREATE': create,
  'XGROUP|DESTROY': destroy,
  'XGROUP|SETID': setPosition,
  'XGROUP|CREATECONSUMER': createConsumer,
  'XGROUP|DELCONSUMER': removeConsumer,
  XACK: xack,
  XCLAIM: xclaim,
  XAUTOCLAIM: xautoclaim,
  XREADGROUP: xreadgroup,
  XPENDING: xpending,
}
