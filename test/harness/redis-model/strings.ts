/**
 * strings.ts: the string commands of the workload, as Redis's documentation tells them.
 */
import { integer, plusFloat, plusInteger } from './numbers.ts'
import type { Model, Models, PlainData } from './plain-data.ts'

function string(text: string) {
  return { type: 'string', text } as const
}

const set: Model = (words, data) => {
  const [, key, text, option, ms] = words
  if (option === 'NX' && data.at(key!) !== undefined) return null
  if (option === 'KEEPTTL') data.keep(key!, string(text!))
  else if (option === 'PX') data.put(key!, string(text!), data.nowMs + Number(ms))
  else data.put(key!, string(text!))
  return 'OK'
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
  MSET: (words, data) => {
    for (let i = 1; i < words.length; i += 2) data.put(words[i]!, string(words[i + 1]!))
    return 'OK'
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
  GETEX: (words, data) => {
    const text = data.text(words[1]!)
    if (text === undefined) return null
    data.expire(words[1]!, data.nowMs + Number(words[3]))
    return text
  },
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
  INCRBYFLOAT: (words, data) => {
    const text = plusFloat(data.text(words[1]!), words[2]!)
    data.keep(words[1]!, string(text))
    return text
  },
}
