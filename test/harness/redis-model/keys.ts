/**
 * keys.ts: the commands of the workload for keys of any type, as Redis's documentation tells them.
 */
import { type Model, type Models, type PlainData, Refusal, type Words } from './plain-data.ts'

const NO_KEY = -2
const NO_DEADLINE = -1

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

/** `COPY source destination REPLACE` */
const copy: Model = ([, from, to], data) => {
  if (from === to) throw new Refusal('ERR')
  const source = data.at(from!)
  if (source === undefined) return 0
  data.put(to!, source.value, source.deadlineMs)
  return 1
}

/** A deadline that is not in the future removes the key. */
function expire(momentOf: (words: Words, nowMs: number) => number): Model {
  return (words, data) => {
    const key = data.at(words[1]!)
    if (key === undefined) return 0
    const deadlineMs = momentOf(words, data.nowMs)
    if (deadlineMs <= data.nowMs) data.remove(words[1]!)
    else data.expire(words[1]!, deadlineMs)
    return 1
  }
}

const persist: Model = (words, data) => {
  const key = data.at(words[1]!)
  if (key === undefined || key.deadlineMs === Number.POSITIVE_INFINITY) return 0
  data.expire(words[1]!, Number.POSITIVE_INFINITY)
  return 1
}

function leftMs(key: string, data: PlainData): number {
  const { deadlineMs } = data.at(key) ?? {}
  if (deadlineMs === undefined) return NO_KEY
  return deadlineMs === Number.POSITIVE_INFINITY ? NO_DEADLINE : deadlineMs - data.nowMs
}

function typeName(key: string, data: PlainData): string {
  const type = data.at(key)?.value.type ?? 'none'
  return type === 'hll' ? 'string' : type
}

const flush: Model = (_words, data) => {
  data.flush()
  return 'OK'
}

export const KEY_MODELS: Models = {
  DEL: remove,
  UNLINK: remove,
  RENAME: rename,
  COPY: copy,
  PEXPIRE: expire((words, nowMs) => nowMs + Number(words[2])),
  PEXPIREAT: expire((words) => Number(words[2])),
  PERSIST: persist,
  PTTL: (words, data) => leftMs(words[1]!, data),
  TYPE: (words, data) => typeName(words[1]!, data),
  FLUSHALL: flush,
  FLUSHDB: flush,
}
