/**
 * bitfields.ts: BITFIELD and BITFIELD_RO: integers of 1 to 64 bits anywhere in a string.
 *
 * All subcommands are parsed before the first one runs, each then sees what those before it changed, and
 * the value is written once, if a bit of it has changed or it has grown.
 */
import { errors } from '../errors.ts'
import { BitEditor } from './bits.ts'
import { type CommandContext, type CommandDef, defineCommands, ONE_KEY } from './command.ts'
import { parseInt64, readInt64 } from './parse.ts'

type Overflow = 'wrap' | 'sat' | 'fail'

interface Field {
  readonly isSigned: boolean
  readonly bits: number
  /** Of its first bit. */
  readonly offset: number
}

interface Operation {
  readonly kind: 'get' | 'set' | 'incrby'
  readonly field: Field
  /** What to set or to add. */
  readonly operand: bigint
  readonly overflow: Overflow
}

function isOverflow(word: string): word is Overflow {
  return word === 'wrap' || word === 'sat' || word === 'fail'
}

/** @throws CommandError */
function parseField(ctx: CommandContext, type: string, position: string): Field {
  const isSigned = type.startsWith('i')
  const bits = isSigned || type.startsWith('u') ? Number(readInt64(type.slice(1)) ?? 0) : 0
  if (bits < 1 || bits > (isSigned ? 64 : 63)) throw errors.bitfieldType
  return { isSigned, bits, offset: parseOffset(ctx, position, bits) }
}

/** A number of bits, or `#` and a number of fields of that width. @throws CommandError */
function parseOffset(ctx: CommandContext, word: string, bits: number): number {
  const isCounted = word.startsWith('#')
  const number = parseInt64(isCounted ? word.slice(1) : word, errors.bitOffset)
  const offset = isCounted ? Number(BigInt.asIntN(64, BigInt(number) * BigInt(bits))) : Number(number)
  if (offset < 0 || offset >= 8 * ctx.services.stringBytesMax) throw errors.bitOffset
  return offset
}

/** @throws CommandError */
function parseOperations(ctx: CommandContext, words: readonly string[]): Operation[] {
  const operations: Operation[] = []
  let overflow: Overflow = 'wrap'
  for (let at = 2; at < words.length; ) {
    const kind = words[at]!.toLowerCase()
    const left = words.length - at - 1
    if (kind === 'overflow' && left >= 1) {
      const wanted = words[at + 1]!.toLowerCase()
      if (!isOverflow(wanted)) throw errors.bitfieldOverflowType
      overflow = wanted
      at += 2
    } else if (kind === 'get' && left >= 2) {
      operations.push({ kind, field: parseField(ctx, words[at + 1]!, words[at + 2]!), operand: 0n, overflow })
      at += 3
    } else if ((kind === 'set' || kind === 'incrby') && left >= 3) {
      const field = parseField(ctx, words[at + 1]!, words[at + 2]!)
      operations.push({ kind, field, operand: BigInt(parseInt64(words[at + 3]!)), overflow })
      at += 4
    } else {
      throw errors.syntax
    }
  }
  return operations
}

function read(editor: BitEditor, { isSigned, bits, offset }: Field): bigint {
  const value = editor.read(offset, bits)
  return isSigned ? BigInt.asIntN(bits, value) : value
}

/** The value as the field can hold it; undefined when it does not fit and the overflow is to fail. */
function fitted({ isSigned, bits }: Field, value: bigint, overflow: Overflow): bigint | undefined {
  const max = (1n << BigInt(isSigned ? bits - 1 : bits)) - 1n
  const min = isSigned ? -max - 1n : 0n
  if (value >= min && value <= max) return value
  if (overflow === 'fail') return undefined
  if (overflow === 'sat') return value > max ? max : min
  return isSigned ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)
}

/** @returns the reply; undefined for nil */
function perform(editor: BitEditor, { kind, field, operand, overflow }: Operation): bigint | undefined {
  const old = read(editor, field)
  if (kind === 'get') return old
  // To an unsigned field Redis gives a negative number as the large one with the same 64 bits.
  const given = field.isSigned ? operand : BigInt.asUintN(64, operand)
  const value = fitted(field, kind === 'set' ? given : old + operand, overflow)
  if (value === undefined) return undefined
  editor.write(field.offset, field.bits, value)
  return kind === 'set' ? old : value
}

function bitfield(ctx: CommandContext, words: readonly string[], isReadOnly: boolean): void {
  const key = words[1]!
  const operations = parseOperations(ctx, words)
  const ends = operations
    .filter(({ kind }) => kind !== 'get')
    .map(({ field }) => Math.ceil((field.offset + field.bits) / 8))
  if (isReadOnly && ends.length > 0) throw errors.bitfieldReadOnly
  const editor = new BitEditor(ctx.text(key) ?? '')
  const length = ends.reduce((most, end) => Math.max(most, end), 0)
  // A field that begins within the limit may end behind it.
  if (length > ctx.services.stringBytesMax) throw errors.bitOffset
  editor.grow(length)
  const replies = operations.map((operation) => perform(editor, operation))
  if (editor.isChanged) ctx.write.put(key, editor.text)
  ctx.out.array(replies.length)
  for (const reply of replies) {
    if (reply === undefined) ctx.out.nil()
    else ctx.out.integer(reply)
  }
}

export const bitfieldCommands: readonly CommandDef[] = defineCommands([
  {
    name: 'bitfield',
    arity: -2,
    flags: ['write', 'denyoom'],
    keys: ONE_KEY,
    group: 'bitmap',
    since: '3.2.0',
    summary: 'Performs arbitrary bitfield integer operations on strings.',
    syntax:
      'key [<GET encoding offset|[OVERFLOW <WRAP|SAT|FAIL>] <SET encoding offset value:integer|INCRBY encoding offset increment>> ...]',
    complexity: 'O(N) where N is the length of the string when it is written, O(1) for each GET',
    run: (ctx, words) => bitfield(ctx, words, false),
  },
  {
    name: 'bitfield_ro',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    group: 'bitmap',
    since: '6.0.0',
    summary: 'Performs arbitrary read-only bitfield integer operations on strings.',
    syntax: 'key [GET encoding offset ...]',
    complexity: 'O(1) for each subcommand specified',
    run: (ctx, words) => bitfield(ctx, words, true),
  },
])
