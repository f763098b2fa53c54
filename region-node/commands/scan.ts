/**
 * scan.ts: SCAN, HSCAN and SSCAN: options, cursors, and steps of a walk.
 *
 * A name that is there from the first call of a walk to the last is returned at least once, whatever is
 * added and removed in between, and the server remembers nothing of a walk: a cursor is a number.
 *
 * Small collections are returned whole. Large ones are walked by position (`crdt/member-index.ts`), from
 * the highest down; a cursor is the position above the next one. The index removes a name by moving the
 * last one to its place, so a name only ever moves down, from a higher position to a lower one: one that
 * the walk has not met yet cannot get behind it. Names added later go to the top and need not be met.
 * A call costs O(COUNT); the index is built once, at the first step or draw, and kept up to date.
 * (A walk in the order of hashes needs no index, but would sort all names anew whenever one was added:
 * at every `SSCAN key 0` of a set that is being filled.) The order of an index does not outlive the
 * process: as in Redis, a walk through a large collection does not go on past a restart or failover.
 *
 * Keys are walked group by group, which are such an index already: the low part of the cursor is the group,
 * the high part the row in it.
 *
 * Invariant: a cursor of 0 is the beginning for the client and the end from the server.
 */
import type { Positions } from '../../crdt/member-index.ts'
import type { Names } from '../../crdt/table/member-table.ts'
import { type Database, GROUP_COUNT } from '../engine/database.ts'
import { errors } from '../errors.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import { parseCount } from './parse.ts'

export interface ScanOptions {
  /** How many names to look at. */
  count: number
  /** Glob pattern; undefined matches all. */
  match: string | undefined
  /** Lower-case type name, SCAN only. */
  type: string | undefined
}

/** Names found by one step, before MATCH and TYPE, and where the next step begins. */
export interface ScanStep {
  readonly names: string[]
  readonly cursor: number
}

const COUNT_DEFAULT = 10
/** Collections of at most this many names are returned whole, as Redis does with its compact encodings. */
export const WHOLE_SIZE_MAX = 128

const CURSOR = /^[+-]?[0-9]+$/
const UINT64_MAX = 2n ** 64n - 1n

/**
 * A cursor as C's strtoul reads it, which is what Redis does: an empty word is 0, a sign is allowed.
 * Past 2^53 it is rounded: no walk gets there, any number is only required to be answered.
 * @throws CommandError
 */
export function parseCursor(word: string): number {
  const nul = word.indexOf('\0')
  const text = nul < 0 ? word : word.slice(0, nul)
  if (text === '') return 0
  if (!CURSOR.test(text)) throw errors.invalidCursor
  const isNegative = text.startsWith('-')
  const magnitude = BigInt(text.replace(/^[+-]/, ''))
  if (magnitude > UINT64_MAX) throw errors.invalidCursor
  return Number(isNegative ? BigInt.asUintN(64, -magnitude) : magnitude)
}

/** @param first  index of the first option  @param takesType  SCAN itself  @throws CommandError */
export function parseScanOptions(words: readonly string[], first: number, takesType = false): ScanOptions {
  const options: ScanOptions = { count: COUNT_DEFAULT, match: undefined, type: undefined }
  for (let at = first; at < words.length; at += 2) {
    const value = words[at + 1]
    if (value === undefined) throw errors.syntax
    const name = words[at]!.toLowerCase()
    if (name === 'count') {
      options.count = parseCount(value)
      if (options.count < 1) throw errors.syntax
    } else if (name === 'match') {
      options.match = value === '*' ? undefined : value
    } else if (name === 'type' && takesType) {
      options.type = value.toLowerCase()
    } else {
      throw errors.syntax
    }
  }
  return options
}

/** Who has an index of its names, or makes one when it is first asked for. */
interface Indexed {
  readonly index: Positions
}

/** One step through the names of a set or a hash. */
export function scanNames(all: Names, owner: Indexed, cursor: number, count: number): ScanStep {
  const names: string[] = []
  return { names, cursor: walk(all, owner, cursor, count, names) }
}

/** One step through the keys of a database: all that are stored, due ones included. */
export function scanKeys(database: Database, cursor: number, count: number): ScanStep {
  const names: string[] = []
  let above = Math.floor(cursor / GROUP_COUNT)
  for (let at = cursor % GROUP_COUNT; at < GROUP_COUNT; at++) {
    const group = database.group(at)
    if (group !== undefined && group.count > 0) {
      if (names.length >= count) return { names, cursor: at }
      let row = above === 0 ? group.count : Math.min(above, group.count)
      while (row > 0 && names.length < count) names.push(group.name(group.place(--row)))
      if (row > 0) return { names, cursor: row * GROUP_COUNT + at }
    }
    above = 0
  }
  return { names, cursor: 0 }
}

/** @returns the position above the next one to look at; 0: all names have been seen */
function walk(all: Names, owner: Indexed, above: number, count: number, into: string[]): number {
  const { size } = all
  if (size <= WHOLE_SIZE_MAX) {
    for (const name of all.keys()) into.push(name)
    return 0
  }
  const { index } = owner
  const top = above === 0 ? size : Math.min(above, size)
  const bottom = Math.max(0, top - count)
  for (let position = top - 1; position >= bottom; position--) into.push(index.at(position))
  return bottom
}

/** The head of a reply: the cursor and the header of the elements that follow. */
export function writeScanHead(out: ReplyWriter, cursor: number, elements: number): void {
  out.array(2)
  out.bulk(String(cursor))
  out.array(elements)
}
