/**
 * strings.ts: the string commands of the workload, as Redis's documentation tells them.
 */
import { integer, plusFloat, plusInteger } from './numbers.ts'
import type { Model, Models, PlainData } from './plain-data.ts'

function string(text: string) {
  return { type: 'string', text } as const
}

/** The moment that `EX seconds` and its kin name. */
function momentOf(option: string, number: string, nowMs: number): number {
  const ms = Number(number) * (option.startsWith('EX') ? 1000 : 1)
  return option.endsWith('AT') ? ms : nowMs + ms
}

/** `SET key value [NX|XX] [GET] [EX|PX|EXAT|PXAT number|KEEPTTL]` */
const set: Model = (words, data) => {
  const [, key, text, ...options] = words
  const before = options.includes('GET') ? (data.text(key!) ?? null) : undefined
  const isThere = data.at(key!) !== undefined
  if (isThere ? options.includes('NX') : options.includes('XX')) return before ?? null
  const at = options.findIndex((option) => /^[EP]X(AT)?$/.test(option))
  if (options.includes('KEEPTTL')) data.keep(key!, string(text!))
  else if (at < 0) data.put(key!, string(text!))
  else data.put(key!, string(text!), momentOf(options[at]!, options[at + 1]!, data.nowMs))
  return before === undefined ? 'OK' : before
}

/** `MSET key value key value` */
const setAll: Model = (words, data) => {
  for (let i = 1; i < words.length; i += 2) data.put(words[i]!, string(words[i + 1]!))
  return 'OK'
}

/** `GETEX key [EX|PX|EXAT|PXAT number|PERSIST]` */
const getThenExpire: Model = ([, key, option, number], data) => {
  const text = data.text(key!)
  if (text === undefined) return null
  if (option === undefined) return text
  const never = Number.POSITIVE_INFINITY
  const deadlineMs = option === 'PERSIST' ? never : momentOf(option, number!, data.nowMs)
  if (deadlineMs <= data.nowMs) data.remove(key!)
  else data.expire(key!, deadlineMs)
  return text
}

/** @returns the length of what is there now */
function keptText(data: PlainData, key: string, text: string): number {
  data.keep(key, string(text))
  return text.length
}

function incremented(data: PlainData, key: string, delta: bigint) {
  const sum = plusInteger(data.text(key), delta)
  data.keep(key, string(String(sum)))
  return integer(sum)
}

export const STRING_MODELS: Models = {
  GET: (words, data) => data.text(words[1]!) ?? null,
  SET: set,
  SETNX: ([, key, text], data) => {
    if (data.at(key!) !== undefined) return 0
    data.put(key!, string(text!))
    return 1
  },
  SETEX: ([name, key, seconds, text], data, told) => set([name!, key!, text!, 'EX', seconds!], data, told),
  PSETEX: ([name, key, ms, text], data, told) => set([name!, key!, text!, 'PX', ms!], data, told),
  MSET: setAll,
  MSETNX: (words, data, told) => {
    const keys = words.filter((_, i) => i % 2 === 1)
    if (keys.map((key) => data.at(key)).some((found) => found !== undefined)) return 0
    setAll(words, data, told)
    return 1
  },
  GETSET: (words, data) => {
    const before = data.text(words[1]!) ?? null
    data.put(words[1]!, string(words[2]!))
    return before
  },
  GETDEL: (words, data) => {
    const before = data.text(words[1]!) ?? null
    data.remove(words[1]!)
    return before
  },
  GETEX: getThenExpire,
  STRLEN: ([, key], data) => (data.text(key!) ?? '').length,
  APPEND: (words, data) => keptText(data, words[1]!, (data.text(words[1]!) ?? '') + words[2]!),
  SETRANGE: (words, data) => {
    const [, key, offset, text] = words
    const before = (data.text(key!) ?? '').padEnd(Number(offset), '\0')
    const end = Number(offset) + text!.length
    return keptText(data, key!, before.slice(0, Number(offset)) + text! + before.slice(end))
  },
  INCR: (words, data) => incremented(data, words[1]!, 1n),
  DECR: (words, data) => incremented(data, words[1]!, -1n),
  INCRBY: (words, data) => incremented(data, words[1]!, BigInt(words[2]!)),
  DECRBY: (words, data) => incremented(data, words[1]!, -BigInt(words[2]!)),
  INCRBYFLOAT: (words, data) => {
    const text = plusFloat(data.text(words[1]!), words[2]!)
    data.keep(words[1]!, string(text))
    return text
  },
}
