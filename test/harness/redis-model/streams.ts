/**
 * streams.ts: the commands of the workload on streams and their entries, as Redis's documentation tells them; ids are
 * those of semantics.md, Stream. Consumer groups are in `readers.ts`.
 *
 * A stream's last id may be higher than that of any entry it has, and how much higher hangs on what each region has
 * heard. What is known is its entries, and an id that it cannot be above.
 */
import { type Reply, RespError } from '../../../region-node/resp/parse-reply.ts'
import { compareIdTexts, idIn } from '../stream-reading.ts'
import { type Model, type Models, type PlainData, Refusal, type StreamValue, Unsaid } from './plain-data.ts'

/** Sequences of ids that a region makes are its number, modulo this. */
const REGION_STEP = 1024n

const NOTHING: StreamValue = { type: 'stream', entries: [], groups: new Map(), top: '0-0' }

type Entry = StreamValue['entries'][number]

export function highestOf(ids: readonly string[]): string {
  return ids.reduce((a, b) => (compareIdTexts(a, b) >= 0 ? a : b), '0-0')
}

/** The stream as it was but for this. */
export function keepStream(data: PlainData, key: string, change: Partial<StreamValue>): void {
  const before = data.stream(key) ?? NOTHING
  data.keep(key, { ...before, ...change })
}

/** What goes when the beginning of a stream is cut off: `MAXLEN|MINID [=|~] bound`. */
function trimmed(entries: readonly Entry[], kind: string, bound: string): readonly Entry[] {
  if (kind === 'MAXLEN') return entries.slice(Math.max(0, entries.length - Number(bound)))
  return entries.filter(([id]) => compareIdTexts(id, bound) >= 0)
}

/** Entries of streams as clients are told them. */
export function shownEntry([id, fields]: Entry): Reply {
  return [id, JSON.parse(fields) as string[]]
}

/** Ids of one region: the sequence tells which. */
function isOwn(id: string, data: PlainData): boolean {
  return idIn(id).sequence % REGION_STEP === BigInt(data.region)
}

/** Whether a node may have made this id of what XADD was given. @param top  the last one is not above it */
function mayBe(id: string, given: string, top: string, data: PlainData): boolean {
  const { ms } = idIn(id)
  if (given === '*') {
    const now = BigInt(Math.trunc(data.nowMs))
    return isOwn(id, data) && (ms === now || (ms > now && ms <= idIn(top).ms + 1n))
  }
  if (given.endsWith('-*')) return isOwn(id, data) && ms === idIn(given.slice(0, -2)).ms
  return id === (given.includes('-') ? given : `${given}-${data.region}`)
}

/** The highest id that XADD could make of what it was given; undefined: as high as it likes. */
function mostOf(given: string, data: PlainData): string | undefined {
  if (given === '*' || given.endsWith('-*')) return undefined
  return given.includes('-') ? given : `${given}-${data.region}`
}

/** `XADD key [NOMKSTREAM] [MAXLEN|MINID bound] id field value [field value]` */
const xadd: Model = (words, data, told) => {
  const key = words[1]!
  const isOptional = words[2] === 'NOMKSTREAM'
  const optionsAt = isOptional ? 3 : 2
  const isTrimmed = words[optionsAt] === 'MAXLEN' || words[optionsAt] === 'MINID'
  const idAt = isTrimmed ? optionsAt + 2 : optionsAt
  const stream = data.stream(key)
  if (stream === undefined && isOptional) return null
  const { entries, top } = stream ?? NOTHING
  const last = entries.at(-1)?.[0] ?? '0-0'
  const given = words[idAt]!
  const most = mostOf(given, data)
  if (most !== undefined && compareIdTexts(most, last) <= 0) throw new Refusal('ERR')
  if (told === undefined) throw new Unsaid()
  if (told instanceof RespError && (most === undefined || compareIdTexts(most, top) <= 0))
    throw new Refusal('ERR')
  if (typeof told !== 'string' || !mayBe(told, given, top, data)) return `an id for ${given}`
  if (compareIdTexts(told, last) <= 0) return `an id above ${last}`
  const added = [...entries, [told, JSON.stringify(words.slice(idAt + 1))] as const]
  const left = isTrimmed ? trimmed(added, words[optionsAt]!, words[optionsAt + 1]!) : added
  keepStream(data, key, { entries: left, top: highestOf([top, told]) })
  return told
}

const xdel: Model = ([, key, ...ids], data) => {
  const { entries } = data.stream(key!) ?? NOTHING
  const isNamed = (id: string) => ids.some((one) => compareIdTexts(one, id) === 0)
  const left = entries.filter(([id]) => !isNamed(id))
  keepStream(data, key!, { entries: left })
  return entries.length - left.length
}

/** `XTRIM key MAXLEN|MINID [=|~] bound`. With `~` only whole blocks go, which are a hundred entries, or all. */
const xtrim: Model = ([, key, kind, ...rest], data) => {
  const { entries } = data.stream(key!) ?? NOTHING
  const wanted = trimmed(entries, kind!, rest.at(-1)!)
  const isWhole = rest[0] !== '~' || wanted.length === 0
  const left = isWhole ? wanted : entries
  keepStream(data, key!, { entries: left })
  return entries.length - left.length
}

/** How far XDEL has come counts too, and is not known. */
const xsetid: Model = ([, key, id], data, told) => {
  const stream = data.stream(key!)
  const last = stream?.entries.at(-1)?.[0] ?? '0-0'
  if (stream === undefined || compareIdTexts(id!, last) < 0) throw new Refusal('ERR')
  if (told instanceof RespError && compareIdTexts(id!, stream.top) < 0) throw new Refusal('ERR')
  keepStream(data, key!, { top: highestOf([stream.top, id!]) })
  return 'OK'
}

export const STREAM_MODELS: Models = {
  XADD: xadd,
  XDEL: xdel,
  XTRIM: xtrim,
  XSETID: xsetid,
  XLEN: ([, key], data) => data.stream(key!)?.entries.length ?? 0,
  XRANGE: ([, key], data) => (data.stream(key!)?.entries ?? []).map(shownEntry),
}
