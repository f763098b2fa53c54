/**
 * hll-state.ts: a HyperLogLog in a snapshot: its marks, and while it is live its bytes as Redis keeps them.
 * See FORMAT.md beside this file.
 */
import { Dot, type Stamp } from '../dot.ts'
import { HllState } from '../hll.ts'
import { cardIn, HllRegisters, isHllText } from '../hll-registers.ts'
import { type ByteReader, type ByteWriter, DecodeError } from './bytes.ts'

interface DotWriter extends ByteWriter {
  dot(dot: Dot): void
}

interface DotReader extends ByteReader {
  dot(): Stamp
}

const GONE = 0
const LIVE = 1
/** Live, and dense because some writer had it dense. */
const LIVE_PINNED = 2

export function writeHll({ marks, latestWrite, registers, card }: HllState, out: DotWriter): void {
  out.varint(marks.length)
  for (const mark of marks) out.dot(mark)
  if (latestWrite === undefined) {
    out.byte(GONE)
    return
  }
  out.byte(registers.isPinned ? LIVE_PINNED : LIVE)
  out.dot(latestWrite)
  out.word(registers.text(card))
}

/** @throws DecodeError */
export function readHll(from: DotReader): HllState {
  const state = new HllState()
  const marks: Dot[] = []
  for (let left = from.varint(); left > 0; left--) marks.push(new Dot(from.dot()))
  state.marks = marks
  const kind = from.byte()
  if (kind === GONE) {
    if (marks.length === 0) throw new DecodeError('a HyperLogLog without anything')
    return state
  }
  if (kind !== LIVE && kind !== LIVE_PINNED) throw new DecodeError(`an unknown kind of HyperLogLog ${kind}`)
  state.latestWrite = new Dot(from.dot())
  const text = from.word()
  const registers = isHllText(text) ? HllRegisters.read(text, kind === LIVE_PINNED) : undefined
  if (registers === undefined) throw new DecodeError('no HyperLogLog')
  state.registers = registers
  state.card = cardIn(text)
  return state
}
