/**
 * bits.ts: the commands of the workload on the bits of strings, as Redis's documentation tells them: a string of
 * noughts and ones, the first bit of a byte being its highest.
 */
import type { Reply } from '../../../region-node/resp/parse-reply.ts'
import { integer } from './numbers.ts'
import type { Model, Models, PlainData, Words } from './plain-data.ts'

/** Noughts and ones, eight to a byte. */
function bitsOf(text: string): string {
  return [...text].map((char) => char.charCodeAt(0).toString(2).padStart(8, '0')).join('')
}

function textOf(bits: string): string {
  return (bits.match(/.{8}/g) ?? []).map((byte) => String.fromCharCode(Number.parseInt(byte, 2))).join('')
}

/** Whole bytes, and at least so many bits. */
function grownTo(bits: string, count: number): string {
  return bits.padEnd(Math.max(bits.length, Math.ceil(count / 8) * 8), '0')
}

function keepBits(data: PlainData, key: string, bits: string): void {
  data.keep(key, { type: 'string', text: textOf(bits) })
}

const setbit: Model = ([, key, offset, bit], data) => {
  const at = Number(offset)
  const bits = grownTo(bitsOf(data.text(key!) ?? ''), at + 1)
  keepBits(data, key!, bits.slice(0, at) + bit! + bits.slice(at + 1))
  return Number(bits[at])
}

const JOINS: Readonly<Record<string, (bits: readonly string[]) => boolean>> = {
  AND: (bits) => bits.every((bit) => bit === '1'),
  OR: (bits) => bits.includes('1'),
  XOR: (bits) => bits.filter((bit) => bit === '1').length % 2 === 1,
  NOT: (bits) => !bits.includes('1'),
}

/** `BITOP AND|OR|XOR|NOT destination key [key]` */
const bitop: Model = ([, operation, to, ...keys], data) => {
  const all = keys.map((key) => bitsOf(data.text(key) ?? ''))
  const length = Math.max(...all.map((bits) => bits.length))
  const places = Array.from({ length }, (_, at) => all.map((bits) => bits[at] ?? '0'))
  const joined = places.map((bits) => (JOINS[operation!]!(bits) ? '1' : '0')).join('')
  if (length === 0) data.remove(to!)
  else data.put(to!, { type: 'string', text: textOf(joined) })
  return length / 8
}

interface Place {
  readonly isSigned: boolean
  readonly width: number
  readonly at: number
}

/** `i5` and `#1`, or a number of bits. */
function placeOf(type: string, offset: string): Place {
  const width = Number(type.slice(1))
  const at = offset.startsWith('#') ? Number(offset.slice(1)) * width : Number(offset)
  return { isSigned: type.startsWith('i'), width, at }
}

function numberAt(bits: string, { isSigned, width, at }: Place): bigint {
  const digits = bits.slice(at, at + width).padEnd(width, '0')
  const number = BigInt(`0b${digits}`)
  return isSigned && digits.startsWith('1') ? number - 2n ** BigInt(width) : number
}

/** What becomes of a number that may not fit; undefined: the subcommand is not done. */
function fitted(number: bigint, { isSigned, width }: Place, overflow: string): bigint | undefined {
  const size = 2n ** BigInt(width)
  const least = isSigned ? -size / 2n : 0n
  const greatest = least + size - 1n
  if (number >= least && number <= greatest) return number
  if (overflow === 'FAIL') return undefined
  if (overflow === 'SAT') return number < least ? least : greatest
  const wrapped = ((number % size) + size) % size
  return wrapped > greatest ? wrapped - size : wrapped
}

function withNumber(bits: string, { width, at }: Place, number: bigint): string {
  const digits = (number < 0n ? number + 2n ** BigInt(width) : number).toString(2).padStart(width, '0')
  return bits.slice(0, at) + digits + bits.slice(at + width)
}

interface Step {
  readonly kind: string
  readonly place: Place
  readonly operand: bigint
  readonly overflow: string
}

function stepsIn(words: Words): Step[] {
  const steps: Step[] = []
  let overflow = 'WRAP'
  for (let at = 2; at < words.length; ) {
    const [kind, type, offset, operand] = words.slice(at, at + 4)
    if (kind === 'OVERFLOW') {
      overflow = type!
      at += 2
      continue
    }
    const isGet = kind === 'GET'
    const number = isGet ? 0n : BigInt(operand!)
    steps.push({ kind: kind!, place: placeOf(type!, offset!), operand: number, overflow })
    at += isGet ? 3 : 4
  }
  return steps
}

/** The string grows as far as any subcommand writes, whether it then does or not. */
const bitfield: Model = (words, data) => {
  const steps = stepsIn(words)
  const ends = steps.filter(({ kind }) => kind !== 'GET').map(({ place }) => place.at + place.width)
  let bits = bitsOf(data.text(words[1]!) ?? '')
  if (ends.length > 0) bits = grownTo(bits, Math.max(...ends))
  const replies = steps.map(({ kind, place, operand, overflow }): Reply => {
    const before = numberAt(bits, place)
    if (kind === 'GET') return integer(before)
    // What SET is given counts as 64 bits with a sign, or without one, like the field.
    const given = place.isSigned ? operand : BigInt.asUintN(64, operand)
    const after = fitted(kind === 'SET' ? given : before + operand, place, overflow)
    if (after === undefined) return null
    bits = withNumber(bits, place, after)
    return integer(kind === 'SET' ? before : after)
  })
  if (ends.length > 0) keepBits(data, words[1]!, bits)
  return replies
}

export const BIT_MODELS: Models = {
  SETBIT: setbit,
  GETBIT: ([, key, offset], data) => Number(bitsOf(data.text(key!) ?? '')[Number(offset)] ?? 0),
  BITCOUNT: ([, key], data) => bitsOf(data.text(key!) ?? '').replaceAll('0', '').length,
  BITOP: bitop,
  BITFIELD: bitfield,
}
