/**
 * bits.test.ts: the fast ways against the obvious ones, on random strings with long runs.
 */
import { describe, expect, it } from 'vitest'
import { type Latin1, portableLatin1 } from '../../../../crdt/codec/bytes.ts'
import { BitEditor, bitAt, combine, countOnes, findBit } from '../../../../region-node/commands/bits.ts'
import { nodeLatin1 } from '../../../../region-node/latin1-node.ts'
import { Prng } from '../../../harness/prng.ts'

const PIECE_BYTES = 64 * 1024

/** Runs of one byte, most of them 0x00 or 0xff, so that searches go far. */
function someText(r: Prng, bytesMax: number): string {
  let text = ''
  const length = r.below(bytesMax)
  while (text.length < length) {
    const byte = r.chance(0.4) ? 0 : r.chance(0.6) ? 0xff : r.below(256)
    text += String.fromCharCode(byte).repeat(Math.min(length - text.length, 1 + r.below(bytesMax / 4)))
  }
  return text
}

function bitsOf(text: string): string {
  return Array.from(text, (char) => char.charCodeAt(0).toString(2).padStart(8, '0')).join('')
}

describe.each([
  ['portable', portableLatin1],
  ['native', nodeLatin1],
] as const)('with the %s copy', (_name, latin1: Latin1) => {
  it('counts, finds and reads bits of short strings as a walk over them does', () => {
    const r = new Prng(1)
    for (let run = 0; run < 2000; run++) {
      const text = someText(r, 40)
      const bits = bitsOf(text)
      if (bits === '') continue
      const first = r.below(bits.length)
      const last = r.between(first, bits.length - 1)
      const range = bits.slice(first, last + 1)
      expect(countOnes(text, first, last, latin1)).toBe(range.replaceAll('0', '').length)
      for (const bit of [0, 1] as const) {
        const index = range.indexOf(String(bit))
        expect(findBit(text, bit, first, last, latin1)).toBe(index < 0 ? -1 : first + index)
      }
      expect(String(bitAt(text, first))).toBe(bits[first])
      expect(bitAt(text, bits.length + first)).toBe(0)
    }
  })

  it('crosses the borders of pieces', () => {
    const text = `${'\0'.repeat(PIECE_BYTES)}\x01${'\xff'.repeat(2 * PIECE_BYTES)}\x7f`
    const last = 8 * text.length - 1
    expect(countOnes(text, 0, last, latin1)).toBe(1 + 16 * PIECE_BYTES + 7)
    expect(findBit(text, 1, 0, last, latin1)).toBe(8 * PIECE_BYTES + 7)
    expect(findBit(text, 0, 8 * PIECE_BYTES + 7, last, latin1)).toBe(last - 7)
    expect(findBit(text, 0, 8 * PIECE_BYTES + 7, last - 8, latin1)).toBe(-1)
    const inverted = combine('not', [text], latin1)
    expect(combine('or', [text, inverted], latin1)).toBe('\xff'.repeat(text.length))
    expect(combine('xor', [text, inverted, text], latin1)).toBe(inverted)
    expect(combine('and', [text, 'ab'], latin1)).toBe('\0'.repeat(text.length))
  })

  it('combines strings of different lengths', () => {
    const r = new Prng(2)
    const operations = {
      and: (a: number, b: number) => a & b,
      or: (a: number, b: number) => a | b,
      xor: (a: number, b: number) => a ^ b,
    }
    for (let run = 0; run < 500; run++) {
      const texts = Array.from({ length: r.between(1, 4) }, () => someText(r, 30))
      const length = Math.max(...texts.map((text) => text.length))
      for (const [name, operation] of Object.entries(operations)) {
        let expected = ''
        for (let i = 0; i < length; i++) {
          expected += String.fromCharCode(texts.map((text) => text.charCodeAt(i) || 0).reduce(operation))
        }
        expect(combine(name as keyof typeof operations, texts, latin1)).toBe(expected)
      }
    }
  })
})

describe('BitEditor', () => {
  it('writes and reads fields of any width anywhere', () => {
    const r = new Prng(3)
    for (let run = 0; run < 500; run++) {
      const text = someText(r, 20)
      const editor = new BitEditor(text)
      editor.grow(30)
      let bits = bitsOf(text).padEnd(240, '0')
      for (let step = 0; step < 5; step++) {
        const width = r.between(1, 64)
        const offset = r.below(240 - width)
        const value = BigInt.asUintN(width, BigInt(r.below(2 ** 32)) * BigInt(r.below(2 ** 32)))
        editor.write(offset, width, value)
        bits = bits.slice(0, offset) + value.toString(2).padStart(width, '0') + bits.slice(offset + width)
        expect(editor.read(offset, width)).toBe(value)
      }
      expect(bitsOf(editor.text)).toBe(bits)
    }
  })

  it('knows whether anything has changed', () => {
    const editor = new BitEditor('ab')
    editor.setByte(1, 98)
    editor.grow(2)
    expect(editor.isChanged).toBe(false)
    editor.grow(3)
    expect(editor.isChanged).toBe(true)
    expect(editor.text).toBe('ab\0')
  })
})
