/**
 * bitmaps.ts: SETBIT, GETBIT, BITCOUNT, BITPOS and BITOP; BITFIELD is in bitfields.ts.
 *
 * A bitmap is a string, and across regions it is one value: of two concurrent writes the later one wins
 * with all its bits (semantics.md, String). So a SETBIT that changes nothing writes nothing, as in Redis:
 * it would only hide a concurrent change of another bit. The deadline stays; BITOP replaces the key, as SET
 * does.
 */
import { errors } from '../errors.ts'
import { bitfieldCommands } from './bitfields.ts'
import { BitEditor, type BitOperation, bitAt, combine, countOnes, findBit } from './bits.ts'
import { type CommandContext, defineCommands, ONE_KEY } from './command.ts'
import { parseCount, parseInt64 } from './parse.ts'

/** The bit a client means. @throws CommandError when no string can be that long */
function parseOffset(ctx: CommandContext, word: string): number {
  const offset = parseCount(word, errors.bitOffset)
  if (offset < 0 || offset >= 8 * ctx.services.stringBytesMax) throw errors.bitOffset
  return offset
}

function setBit(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  const offset = parseOffset(ctx, words[2]!)
  const bit = parseInt64(words[3]!, errors.bitValue)
  if (bit !== 0 && bit !== 1) throw errors.bitValue
  const text = ctx.text(key) ?? ''
  const index = Math.floor(offset / 8)
  const mask = 0x80 >> (offset % 8)
  const editor = new BitEditor(text)
  editor.grow(index + 1)
  editor.setByte(index, bit === 1 ? editor.byteAt(index) | mask : editor.byteAt(index) & ~mask)
  const old = bitAt(text, offset)
  if (editor.isChanged) ctx.write.put(key, editor.text)
  ctx.out.integer(old)
}

function getBit(ctx: CommandContext, words: readonly string[]): void {
  const offset = parseOffset(ctx, words[2]!)
  ctx.out.integer(bitAt(ctx.text(words[1]!) ?? '', offset))
}

/** Bits counted in bytes or in bits, as the last word says. @throws CommandError */
function parseUnit(word: string | undefined): 1 | 8 {
  const unit = word?.toLowerCase()
  if (unit === 'bit') return 1
  if (unit !== undefined && unit !== 'byte') throw errors.syntax
  return 8
}

/** An index counted from the end when it is negative, and never before the beginning. */
function indexIn(length: number, index: number): number {
  return Math.max(0, index < 0 ? length + index : index)
}

function bitCount(ctx: CommandContext, words: readonly string[]): void {
  const text = ctx.text(words[1]!)
  // Redis answers for a key that is not there before it looks at the range.
  const range = text === undefined ? undefined : countedRange(text, words)
  const { latin1 } = ctx.services
  ctx.out.integer(
    text === undefined || range === undefined ? 0 : countOnes(text, range.first, range.last, latin1),
  )
}

/** Bits, both ends included; undefined for none. @throws CommandError */
function countedRange(text: string, words: readonly string[]): { first: number; last: number } | undefined {
  const all = 8 * text.length
  if (words.length === 2) return all === 0 ? undefined : { first: 0, last: all - 1 }
  if (words.length === 3 || words.length > 5) throw errors.syntax
  const start = parseCount(words[2]!)
  const end = parseCount(words[3]!)
  if (start < 0 && end < 0 && start > end) return undefined
  return rangeOfBits(all, start, end, parseUnit(words[4]))
}

/** The bits from `start` to `end`, counted in units; undefined for none. */
function rangeOfBits(
  all: number,
  start: number,
  end: number,
  unit: 1 | 8,
): { first: number; last: number } | undefined {
  const first = unit * indexIn(all / unit, start)
  const last = Math.min(unit * (indexIn(all / unit, end) + 1), all) - 1
  return first > last ? undefined : { first, last }
}

function bitPosition(ctx: CommandContext, words: readonly string[]): void {
  const bit = parseInt64(words[2]!)
  if (bit !== 0 && bit !== 1) throw errors.bitArgument
  const text = ctx.text(words[1]!)
  if (text === undefined) {
    ctx.out.integer(bit === 1 ? -1 : 0)
    return
  }
  if (words.length > 6) throw errors.syntax
  const start = words.length > 3 ? parseCount(words[3]!) : 0
  const unit = parseUnit(words[5])
  const end = words.length > 4 ? parseCount(words[4]!) : -1
  const range = rangeOfBits(8 * text.length, start, end, unit)
  const found = range === undefined ? -1 : findBit(text, bit, range.first, range.last, ctx.services.latin1)
  // Without an end the string is followed by zeros for ever.
  const isBehind = found < 0 && bit === 0 && words.length < 5 && range !== undefined
  ctx.out.integer(isBehind ? 8 * text.length : found)
}

const OPERATIONS: ReadonlySet<string> = new Set<BitOperation>(['and', 'or', 'xor', 'not'])

function isOperation(word: string): word is BitOperation {
  return OPERATIONS.has(word)
}

function bitOp(ctx: CommandContext, words: readonly string[]): void {
  const operation = words[1]!.toLowerCase()
  const target = words[2]!
  if (!isOperation(operation)) throw errors.syntax
  if (operation === 'not' && words.length !== 4) throw errors.bitopNot
  const texts: string[] = []
  for (let i = 3; i < words.length; i++) texts.push(ctx.text(words[i]!) ?? '')
  const result = combine(operation, texts, ctx.services.latin1)
  if (result === '') ctx.write.clear(target)
  else ctx.write.set(target, result)
  ctx.out.integer(result.length)
}

export const bitmapCommands = defineCommands([
  {
    name: 'setbit',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: ONE_KEY,
    group: 'bitmap',
    since: '2.2.0',
    summary: "Sets or clears the bit at offset of the string value. Creates the key if it doesn't exist.",
    // Redis's is O(1): it changes the byte in place. Here the whole value is written, to the log too.
    syntax: 'key offset value:integer',
    complexity: 'O(N) where N is the length of the resulting string.',
    run: setBit,
  },
  {
    name: 'getbit',
    arity: 3,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    group: 'bitmap',
    since: '2.2.0',
    summary: 'Returns a bit value by offset.',
    syntax: 'key offset',
    complexity: 'O(1)',
    run: getBit,
  },
  {
    name: 'bitcount',
    arity: -2,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'bitmap',
    since: '2.6.0',
    summary: 'Counts the number of set bits (population counting) in a string.',
    syntax: 'key [start end [BYTE|BIT]]',
    complexity: 'O(N)',
    run: bitCount,
  },
  {
    name: 'bitpos',
    arity: -3,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'bitmap',
    since: '2.8.7',
    summary: 'Finds the first set (1) or clear (0) bit in a string.',
    syntax: 'key bit [start [end [BYTE|BIT]]]',
    complexity: 'O(N)',
    run: bitPosition,
  },
  {
    name: 'bitop',
    arity: -4,
    flags: ['write', 'denyoom'],
    keys: { first: 2, last: -1, step: 1 },
    uses: ['W', 'R'],
    group: 'bitmap',
    since: '2.6.0',
    summary: 'Performs bitwise operations on multiple strings, and stores the result.',
    syntax: '<AND|OR|XOR|NOT> destkey key [key ...]',
    complexity: 'O(N)',
    run: bitOp,
  },
  ...bitfieldCommands,
])
