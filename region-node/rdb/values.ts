/**
 * values.ts: values of keys in Redis's serialised form, each behind the byte that names its shape.
 *
 * Every shape that Redis up to 7.2 writes is read. Written are the plain ones, which every Redis reads and turns
 * into a compact one by itself where it keeps such a value compact.
 */
import { DecodeError } from '../../crdt/codec/bytes.ts'
import { readListpack } from './listpack.ts'
import { readIntset, readZiplist, readZipmap } from './older-forms.ts'
import type { RdbReader, RdbWriter } from './rdb-bytes.ts'
import { type RdbStream, readStream, writeStream } from './streams.ts'

export type RdbValue =
  | { readonly type: 'string'; readonly text: string }
  /** Fields and values in turn. */
  | { readonly type: 'hash'; readonly pairs: readonly string[] }
  | { readonly type: 'set'; readonly members: readonly string[] }
  | { readonly type: 'zset'; readonly members: readonly string[]; readonly scores: readonly number[] }
  | { readonly type: 'list'; readonly elements: readonly string[] }
  | RdbStream

const SHAPE = {
  STRING: 0,
  LIST: 1,
  SET: 2,
  ZSET_TEXT_SCORES: 3,
  HASH: 4,
  ZSET: 5,
  HASH_ZIPMAP: 9,
  LIST_ZIPLIST: 10,
  SET_INTSET: 11,
  ZSET_ZIPLIST: 12,
  HASH_ZIPLIST: 13,
  LIST_QUICKLIST: 14,
  STREAM: 15,
  HASH_LISTPACK: 16,
  ZSET_LISTPACK: 17,
  LIST_QUICKLIST_2: 18,
  STREAM_2: 19,
  SET_LISTPACK: 20,
  STREAM_3: 21,
} as const

/** A node of a quicklist that is one element, not a listpack. */
const PLAIN_NODE = 1
const PACKED_NODE = 2

// Scores as text: the length of the text, or one of these.
const SCORE_NAN = 253
const SCORE_INFINITE = 254
const SCORE_MINUS_INFINITE = 255

/** @throws DecodeError when the bytes are no such value, or an empty collection, which no key can hold */
export function readValue(from: RdbReader): RdbValue {
  const shape = from.byte()
  switch (shape) {
    case SHAPE.STRING:
      return { type: 'string', text: from.text() }
    case SHAPE.LIST:
    case SHAPE.LIST_ZIPLIST:
    case SHAPE.LIST_QUICKLIST:
    case SHAPE.LIST_QUICKLIST_2:
      return { type: 'list', elements: some(readElements(shape, from)) }
    case SHAPE.SET:
      return { type: 'set', members: distinct(some(texts(from.length(), from)), 1) }
    case SHAPE.SET_INTSET:
      return { type: 'set', members: distinct(some(readIntset(from.blob())), 1) }
    case SHAPE.SET_LISTPACK:
      return { type: 'set', members: distinct(some(readListpack(from.blob())), 1) }
    case SHAPE.HASH:
      return hashOf(texts(2 * from.length(), from))
    case SHAPE.HASH_ZIPMAP:
      return hashOf(readZipmap(from.blob()))
    case SHAPE.HASH_ZIPLIST:
      return hashOf(readZiplist(from.blob()))
    case SHAPE.HASH_LISTPACK:
      return hashOf(readListpack(from.blob()))
    case SHAPE.ZSET:
    case SHAPE.ZSET_TEXT_SCORES:
      return readZset(shape, from)
    case SHAPE.ZSET_ZIPLIST:
      return zsetOf(readZiplist(from.blob()))
    case SHAPE.ZSET_LISTPACK:
      return zsetOf(readListpack(from.blob()))
    case SHAPE.STREAM:
      return readStream(1, from)
    case SHAPE.STREAM_2:
      return readStream(2, from)
    case SHAPE.STREAM_3:
      return readStream(3, from)
    default:
      throw new DecodeError(`an unknown shape of a value ${shape}`)
  }
}

function texts(count: number, from: RdbReader): string[] {
  const words: string[] = []
  for (let left = count; left > 0; left--) words.push(from.text())
  return words
}

function some(words: string[]): string[] {
  if (words.length === 0) throw new DecodeError('a collection without members')
  return words
}

/** @param stride  names stand at every so many places */
function distinct(words: string[], stride: number): string[] {
  const names = new Set<string>()
  for (let i = 0; i < words.length; i += stride) names.add(words[i]!)
  if (names.size * stride !== words.length) throw new DecodeError('a name that comes twice')
  return words
}

function readElements(shape: number, from: RdbReader): string[] {
  if (shape === SHAPE.LIST) return texts(from.length(), from)
  if (shape === SHAPE.LIST_ZIPLIST) return readZiplist(from.blob())
  const elements: string[] = []
  for (let left = from.length(); left > 0; left--) {
    for (const element of readNode(shape, from)) elements.push(element)
  }
  return elements
}

function readNode(shape: number, from: RdbReader): string[] {
  if (shape === SHAPE.LIST_QUICKLIST) return readZiplist(from.blob())
  const container = from.length()
  if (container === PLAIN_NODE) return [from.text()]
  if (container === PACKED_NODE) return readListpack(from.blob())
  throw new DecodeError(`an unknown node of a list ${container}`)
}

function hashOf(pairs: string[]): RdbValue {
  return { type: 'hash', pairs: distinct(some(pairs), 2) }
}

/** @param words  members and their scores in turn */
function zsetOf(words: string[]): RdbValue {
  distinct(some(words), 2)
  const members = words.filter((_, i) => i % 2 === 0)
  const scores = words.filter((_, i) => i % 2 === 1).map(scoreOf)
  return { type: 'zset', members, scores }
}

const SCORES_BY_NAME: Readonly<Record<string, number>> = {
  inf: Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
}

function scoreOf(text: string): number {
  const score = SCORES_BY_NAME[text] ?? Number(text)
  if (text.trim() === '' || Number.isNaN(score)) throw new DecodeError('a score that is no number')
  return score
}

function readZset(shape: number, from: RdbReader): RdbValue {
  const members: string[] = []
  const scores: number[] = []
  for (let left = from.length(); left > 0; left--) {
    members.push(from.text())
    const score = shape === SHAPE.ZSET ? from.double() : readTextScore(from)
    if (Number.isNaN(score)) throw new DecodeError('a score that is no number')
    scores.push(score)
  }
  return { type: 'zset', members: distinct(some(members), 1), scores }
}

function readTextScore(from: RdbReader): number {
  const length = from.byte()
  if (length === SCORE_INFINITE) return Number.POSITIVE_INFINITY
  if (length === SCORE_MINUS_INFINITE) return Number.NEGATIVE_INFINITY
  return length === SCORE_NAN ? Number.NaN : scoreOf(from.characters(length))
}

export function writeValue(value: RdbValue, out: RdbWriter): void {
  switch (value.type) {
    case 'string':
      out.byte(SHAPE.STRING)
      out.text(value.text)
      break
    case 'hash':
      out.byte(SHAPE.HASH)
      out.length(value.pairs.length / 2)
      for (const word of value.pairs) out.text(word)
      break
    case 'set':
      out.byte(SHAPE.SET)
      writeTexts(value.members, out)
      break
    case 'list':
      out.byte(SHAPE.LIST)
      writeTexts(value.elements, out)
      break
    case 'stream':
      out.byte(SHAPE.STREAM_2)
      writeStream(value, out)
      break
    case 'zset':
      out.byte(SHAPE.ZSET)
      out.length(value.members.length)
      for (const [i, member] of value.members.entries()) {
        out.text(member)
        out.double(value.scores[i]!)
      }
  }
}

function writeTexts(words: readonly string[], out: RdbWriter): void {
  out.length(words.length)
  for (const word of words) out.text(word)
}
