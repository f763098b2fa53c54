/**
 * keys.ts: the commands of the workload for keys of any type, as Redis's documentation tells them.
 */
import { LIBRARY_DB } from '../../../crdt/effects/key-effects.ts'
import { isMet } from './hashes.ts'
import { PAYLOADS } from './payloads.ts'
import { type Model, type Models, type PlainData, Refusal } from './plain-data.ts'

const NO_KEY = -2
const NO_DEADLINE = -1
const NEVER = Number.POSITIVE_INFINITY

const remove: Model = (words, data) => {
  const keys = [...new Set(words.slice(1))]
  // Whether all of them are known has to be clear before the first one goes.
  for (const key of keys) data.at(key)
  return keys.filter((key) => data.remove(key)).length
}

const rename: Model = ([, from, to], data) => {
  const source = data.at(from!)
  if (source === undefined) throw new Refusal('ERR')
  data.remove(from!)
  data.put(to!, source.value, source.deadlineMs)
  return 'OK'
}

const renameIfFree: Model = (words, data, told) => {
  const [, from, to] = words
  if (data.at(from!) === undefined) throw new Refusal('ERR')
  if (data.at(to!) !== undefined) return 0
  rename(words, data, told)
  return 1
}

/** `COPY source destination [DB number] [REPLACE]` */
const copy: Model = (words, data) => {
  const [, from, to] = words
  const target = words[3] === 'DB' ? data.in(Number(words[4])) : data
  if (from === to && target === data) throw new Refusal('ERR')
  const source = data.at(from!)
  if (source === undefined) return 0
  if (!words.includes('REPLACE') && target.at(to!) !== undefined) return 0
  target.put(to!, source.value, source.deadlineMs)
  return 1
}

/** `MOVE key number` */
const moveTo: Model = ([, key, db], data) => {
  const target = data.in(Number(db))
  if (target === data) throw new Refusal('ERR')
  const source = data.at(key!)
  if (source === undefined || target.at(key!) !== undefined) return 0
  data.remove(key!)
  target.put(key!, source.value, source.deadlineMs)
  return 1
}

/** `RESTORE key ttl payload [REPLACE]`. Nothing is known of payloads that a redis-server did not make. */
const restore: Model = ([, key, ttl, bytes, option], data) => {
  if (option !== 'REPLACE' && data.at(key!) !== undefined) throw new Refusal('BUSYKEY')
  const value = PAYLOADS.keys.find((one) => one.bytes === bytes)?.value
  if (value === undefined) throw new Refusal('ERR')
  data.put(key!, value, ttl === '0' ? NEVER : data.nowMs + Number(ttl))
  return 'OK'
}

/** Where there are other regions no two databases change places. */
const swap: Model = ([, first, second]) => {
  if (first !== second) throw new Refusal('ERR')
  return 'OK'
}

/** A deadline that is not in the future removes the key. */
function expire(momentOf: (number: number, nowMs: number) => number): Model {
  return (words, data) => {
    const key = data.at(words[1]!)
    if (key === undefined) return 0
    const deadlineMs = momentOf(Number(words[2]), data.nowMs)
    if (!isMet(words[3], deadlineMs, key.deadlineMs)) return 0
    if (deadlineMs <= data.nowMs) data.remove(words[1]!)
    else data.expire(words[1]!, deadlineMs)
    return 1
  }
}

const persist: Model = (words, data) => {
  const key = data.at(words[1]!)
  if (key === undefined || key.deadlineMs === NEVER) return 0
  data.expire(words[1]!, NEVER)
  return 1
}

/** TTL and its kin: seconds are rounded to the nearest. */
function timeOf(unitMs: number, isRelative: boolean): Model {
  return ([, key], data) => {
    const { deadlineMs } = data.at(key!) ?? {}
    if (deadlineMs === undefined) return NO_KEY
    if (deadlineMs === NEVER) return NO_DEADLINE
    const ms = isRelative ? deadlineMs - data.nowMs : deadlineMs
    return unitMs === 1 ? ms : Math.floor((ms + unitMs / 2) / unitMs)
  }
}

function typeName(key: string, data: PlainData): string {
  const type = data.at(key)?.value.type ?? 'none'
  return type === 'hll' ? 'string' : type
}

/** Function libraries are in no database that a client can select, and stay. */
const flushAll: Model = (_words, data) => {
  for (const [db, database] of data.databases) if (db !== LIBRARY_DB) database.flush()
  return 'OK'
}

export const KEY_MODELS: Models = {
  DEL: remove,
  UNLINK: remove,
  RENAME: rename,
  COPY: copy,
  RENAMENX: renameIfFree,
  MOVE: moveTo,
  SWAPDB: swap,
  RESTORE: restore,
  EXISTS: ([, ...keys], data) => keys.filter((key) => data.at(key) !== undefined).length,
  EXPIRE: expire((seconds, nowMs) => nowMs + seconds * 1000),
  PEXPIRE: expire((ms, nowMs) => nowMs + ms),
  EXPIREAT: expire((seconds) => seconds * 1000),
  PEXPIREAT: expire((ms) => ms),
  PERSIST: persist,
  TTL: timeOf(1000, true),
  PTTL: timeOf(1, true),
  EXPIRETIME: timeOf(1000, false),
  PEXPIRETIME: timeOf(1, false),
  TYPE: (words, data) => typeName(words[1]!, data),
  FLUSHALL: flushAll,
  FLUSHDB: (_words, data) => {
    data.flush()
    return 'OK'
  },
}
