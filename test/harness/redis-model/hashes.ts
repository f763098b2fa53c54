/**
 * hashes.ts: the hash commands of the workload, and those for the deadlines of fields, as Redis's documentation
 * tells them.
 */
import { sameInAnyOrder } from './any-order.ts'
import { integer, plusFloat, plusInteger } from './numbers.ts'
import type { Field, Model, Models, PlainData, Words } from './plain-data.ts'

const NEVER = Number.POSITIVE_INFINITY

/** Replies of HEXPIRE and HPERSIST for a field. */
const NO_FIELD = -2
const NO_DEADLINE = -1
const REFUSED = 0
const DONE = 1
const REMOVED = 2

function keepFields(data: PlainData, key: string, fields: ReadonlyMap<string, Field>): void {
  data.keep(key, { type: 'hash', fields })
}

const hset: Model = (words, data) => {
  const before = data.hash(words[1]!)
  const fields = new Map(before)
  for (let i = 2; i < words.length; i += 2) fields.set(words[i]!, { text: words[i + 1]!, deadlineMs: NEVER })
  keepFields(data, words[1]!, fields)
  return fields.size - before.size
}

/** An increment leaves the deadline of its field alone. */
function keepText(data: PlainData, key: string, name: string, text: string): void {
  const before = data.hash(key)
  keepFields(
    data,
    key,
    new Map([...before, [name, { text, deadlineMs: before.get(name)?.deadlineMs ?? NEVER }]]),
  )
}

/** Runs for each field that is named. @param change  the reply, and the field from now on: undefined removes it */
function eachField(
  words: Words,
  data: PlainData,
  change: (field: Field) => readonly [reply: number, field: Field | undefined],
): number[] {
  const fields = new Map(data.hash(words[1]!))
  const replies = words.slice(words.indexOf('FIELDS') + 2).map((name) => {
    const field = fields.get(name)
    if (field === undefined) return NO_FIELD
    const [reply, changed] = change(field)
    if (changed === undefined) fields.delete(name)
    else fields.set(name, changed)
    return reply
  })
  keepFields(data, words[1]!, fields)
  return replies
}

/** Whether the condition lets a field have that deadline. One without a deadline has the latest there is. */
export function isMet(condition: string | undefined, deadlineMs: number, currentMs: number): boolean {
  if (condition === 'NX') return currentMs === NEVER
  if (condition === 'XX') return currentMs !== NEVER
  if (condition === 'GT') return deadlineMs > currentMs
  return condition !== 'LT' || deadlineMs < currentMs
}

/** `HPEXPIRE key number [NX|XX|GT|LT] FIELDS count field [field]` */
function expire(momentOf: (number: number, nowMs: number) => number): Model {
  return (words, data) => {
    const deadlineMs = momentOf(Number(words[2]), data.nowMs)
    return eachField(words, data, (field) => {
      if (!isMet(words[3], deadlineMs, field.deadlineMs)) return [REFUSED, field]
      return deadlineMs <= data.nowMs ? [REMOVED, undefined] : [DONE, { ...field, deadlineMs }]
    })
  }
}

/** HTTL and its kin: seconds are rounded up. */
function timeOf(unitMs: number, isRelative: boolean): Model {
  return (words, data) =>
    eachField(words, data, (field) => {
      if (field.deadlineMs === NEVER) return [NO_DEADLINE, field]
      return [Math.ceil((field.deadlineMs - (isRelative ? data.nowMs : 0)) / unitMs), field]
    })
}

export const HASH_MODELS: Models = {
  HSET: hset,
  HSETNX: (words, data, told) => (data.hash(words[1]!).has(words[2]!) ? 0 : hset(words, data, told)),
  HDEL: (words, data) => {
    const before = data.hash(words[1]!)
    const fields = new Map(before)
    for (const name of words.slice(2)) fields.delete(name)
    keepFields(data, words[1]!, fields)
    return before.size - fields.size
  },
  HINCRBY: (words, data) => {
    const [, key, name, delta] = words
    const sum = plusInteger(data.hash(key!).get(name!)?.text, BigInt(delta!))
    keepText(data, key!, name!, String(sum))
    return integer(sum)
  },
  HINCRBYFLOAT: (words, data) => {
    const [, key, name, delta] = words
    const text = plusFloat(data.hash(key!).get(name!)?.text, delta!)
    keepText(data, key!, name!, text)
    return text
  },
  HGETALL: (words, data, told) => {
    const pairs = [...data.hash(words[1]!)].map(([name, { text }]) => [name, text])
    return sameInAnyOrder(pairs, told)
  },
  HMSET: (words, data, told) => {
    hset(words, data, told)
    return 'OK'
  },
  HMGET: ([, key, ...names], data) => names.map((name) => data.hash(key!).get(name)?.text ?? null),
  HEXPIRE: expire((seconds, nowMs) => nowMs + seconds * 1000),
  HPEXPIRE: expire((ms, nowMs) => nowMs + ms),
  HEXPIREAT: expire((seconds) => seconds * 1000),
  HPEXPIREAT: expire((ms) => ms),
  HTTL: timeOf(1000, true),
  HPTTL: timeOf(1, true),
  HEXPIRETIME: timeOf(1000, false),
  HPEXPIRETIME: timeOf(1, false),
  HPERSIST: (words, data) =>
    eachField(words, data, (field) =>
      field.deadlineMs === NEVER ? [NO_DEADLINE, field] : [DONE, { ...field, deadlineMs: NEVER }],
    ),
}
