/**
 * zset-state.ts: scores of a sorted set in a snapshot, to bytes and back. See FORMAT.md beside this file.
 */
import type { Dot, Stamp } from '../dot.ts'
import { ManyScore, type Score, ScoreEntry, ScoreRegister } from '../zset-score.ts'
import { type ByteReader, type ByteWriter, DecodeError } from './bytes.ts'
import { decodeDouble, decodeExact, encodeDouble, encodeExact } from './doubles.ts'

interface DotWriter extends ByteWriter {
  dot(dot: Dot): void
}

interface DotReader extends ByteReader {
  /** In an object that moves on with the next call. */
  dot(): Stamp
}

export function encodeScore(score: Score, out: DotWriter): void {
  if (score instanceof ScoreRegister) {
    out.byte(1)
    out.byte(0)
    encodeRegister(score, out)
    return
  }
  out.varint(score.registers.length)
  out.varint(score.counter.length)
  for (const register of score.registers) encodeRegister(register, out)
  for (const entry of score.counter) {
    out.dot(entry)
    out.varint(entry.run)
    encodeExact(entry.total, out)
    encodeDouble(entry.accumulated, out)
    out.varint(entry.resetSeq)
    encodeExact(entry.resetTotal, out)
  }
}

function encodeRegister(register: ScoreRegister, out: DotWriter): void {
  out.dot(register)
  encodeDouble(register.score, out)
}

/** @throws DecodeError */
export function decodeScore(from: DotReader): Score {
  const registerCount = from.varint()
  const counterCount = from.varint()
  if (registerCount === 1 && counterCount === 0) return decodeRegister(from)
  if (registerCount + counterCount === 0) throw new DecodeError('a member without a write')
  const registers: ScoreRegister[] = []
  for (let left = registerCount; left > 0; left--) registers.push(decodeRegister(from))
  const counter: ScoreEntry[] = []
  for (let left = counterCount; left > 0; left--) counter.push(decodeEntry(from))
  return new ManyScore(registers, counter)
}

function decodeRegister(from: DotReader): ScoreRegister {
  const stamp = from.dot()
  return new ScoreRegister(decodeDouble(from), stamp)
}

function decodeEntry(from: DotReader): ScoreEntry {
  const stamp = from.dot()
  const run = from.varint()
  const total = decodeExact(from)
  const accumulated = decodeDouble(from)
  const resetSeq = from.varint()
  const entry = new ScoreEntry(stamp, { run, total, accumulated }, decodeExact(from))
  entry.resetSeq = resetSeq
  return entry
}
