/**
 * list-state.ts: the nodes of a list as bytes, and back. See FORMAT.md beside this file.
 *
 * Nodes are written in the order of the list, markers included. A list that was taken apart for a snapshot comes
 * in parts, each with the place of its chunk among all; the reader puts them in order when the list is closed.
 */
import { Dot, type Stamp } from '../dot.ts'
import { LINK, type Link, type ListChunk, type ListValue } from '../list-chunk.ts'
import { ListState, type RestoredNode } from '../list-fugue.ts'
import { type ListPlace, type NodeName, RUN_PLACES } from '../list-names.ts'
import type { Origin } from '../origin.ts'
import { Register } from '../register.ts'
import { type ByteReader, type ByteWriter, DecodeError } from './bytes.ts'

/** What of `state.ts` this needs. */
interface NodeWriter extends ByteWriter {
  dot(dot: Dot): void
  origin(origin: Origin): void
}

interface NodeReader extends ByteReader {
  dot(): Stamp
  origin(): Origin
}

/** What a node is. */
const MARKER = 0
const ELEMENT = 1
const SET_ELEMENT = 2
/** How it hangs: bits above those. */
const LINK_SHIFT = 2
const ON_LEFT = 16
const UNDER_ROOT = 32
const HLC_LOW = 2 ** 22

/** The nodes of one chunk, to be read by `readNodes`. */
export function writeNodes(list: ListState, chunk: ListChunk, out: NodeWriter): void {
  out.varint(chunk.size)
  for (let slot = chunk.from; slot < chunk.to; slot++) writeNode(list, chunk, slot, out)
}

function writeNode(list: ListState, chunk: ListChunk, slot: number, out: NodeWriter): void {
  const value = chunk.values[slot]
  const link = chunk.link(slot)
  const place = link === LINK.WRITTEN ? list.placeOf(chunk, slot) : undefined
  const kind = value === undefined ? MARKER : typeof value === 'string' ? ELEMENT : SET_ELEMENT
  const side = place?.side === 'left' ? ON_LEFT : 0
  const root = place !== undefined && place.parent === undefined ? UNDER_ROOT : 0
  out.byte(kind | (link << LINK_SHIFT) | side | root)
  if (place?.parent !== undefined) writeName(place.parent, out)
  if (value === undefined) {
    writeName(list.nameIn(chunk, slot), out)
    const removals = list.removalsOf(chunk, slot)
    out.varint(removals.length)
    for (const { origin, seq } of removals) {
      out.origin(origin)
      out.varint(seq)
    }
    return
  }
  out.dot(list.dotIn(chunk, slot))
  out.varint(chunk.sub(slot) % RUN_PLACES)
  if (typeof value === 'string') {
    out.word(value)
    return
  }
  out.varint(value.length)
  for (const register of value) {
    out.dot(register)
    out.word(register.value)
  }
}

function writeName({ origin, seq, sub }: NodeName, out: NodeWriter): void {
  out.origin(origin)
  out.varint(seq)
  out.varint(Math.floor(sub / RUN_PLACES))
  out.varint(sub % RUN_PLACES)
}

/** The whole list. */
export function writeList(list: ListState, out: NodeWriter): void {
  let count = 0
  for (let chunk = list.chunks.first; chunk !== undefined; chunk = chunk.next) count++
  out.varint(count)
  for (let chunk = list.chunks.first; chunk !== undefined; chunk = chunk.next) writeNodes(list, chunk, out)
}

/** @throws DecodeError */
export function readList(from: NodeReader): ListState {
  const list = new ListState()
  for (let chunks = from.varint(); chunks > 0; chunks--) {
    for (const node of readNodes(from)) list.restoreNode(node)
  }
  return closed(list)
}

/** A list of parts that were read in any order. @throws DecodeError */
export function joinParts(list: ListState, parts: ReadonlyMap<number, readonly RestoredNode[]>): ListState {
  for (const place of [...parts.keys()].sort((a, b) => a - b))
    for (const node of parts.get(place)!) list.restoreNode(node)
  return closed(list)
}

function closed(list: ListState): ListState {
  list.restored()
  if (list.size + list.markers === 0) throw new DecodeError('a list without nodes')
  return list
}

/** @throws DecodeError */
export function readNodes(from: NodeReader): RestoredNode[] {
  const nodes: RestoredNode[] = []
  for (let left = from.varint(); left > 0; left--) nodes.push(readNode(from))
  return nodes
}

function readNode(from: NodeReader): RestoredNode {
  const head = from.byte()
  const kind = head & 3
  const place = readPlace(head, from)
  if (kind === MARKER) {
    const name = readName(from)
    const removals: Dot[] = []
    for (let left = from.varint(); left > 0; left--) {
      const origin = from.origin()
      removals.push(new Dot({ origin, seq: from.varint(), index: 0, hlcHigh: 0, hlcLow: 0 }))
    }
    if (removals.length === 0) throw new DecodeError('a marker that nobody removed')
    return { name, value: undefined, hlc: 0, place, removals }
  }
  if (kind !== ELEMENT && kind !== SET_ELEMENT) throw new DecodeError(`an unknown node of a list ${kind}`)
  const { origin, seq, index, hlcHigh, hlcLow } = from.dot()
  const name = { origin, seq, sub: index * RUN_PLACES + from.varint() }
  const value = kind === ELEMENT ? from.word() : readSets(from)
  return { name, value, hlc: hlcHigh * HLC_LOW + hlcLow, place, removals: [] }
}

function readPlace(head: number, from: NodeReader): RestoredNode['place'] {
  const link = ((head >> LINK_SHIFT) & 3) as Link
  if (link === LINK.RIGHT_OF_PREVIOUS || link === LINK.LEFT_OF_NEXT) return link
  if (link !== LINK.WRITTEN) throw new DecodeError(`an unknown place in a list ${link}`)
  const parent = (head & UNDER_ROOT) === 0 ? readName(from) : undefined
  const place: ListPlace = { parent, side: (head & ON_LEFT) === 0 ? 'right' : 'left' }
  return place
}

function readSets(from: NodeReader): ListValue {
  const registers: Register[] = []
  for (let left = from.varint(); left > 0; left--) {
    const stamp = from.dot()
    registers.push(new Register(from.word(), stamp))
  }
  if (registers.length === 0) throw new DecodeError('an element without a value')
  return registers
}

function readName(from: NodeReader): NodeName {
  const origin = from.origin()
  const seq = from.varint()
  const index = from.varint()
  return { origin, seq, sub: index * RUN_PLACES + from.varint() }
}
