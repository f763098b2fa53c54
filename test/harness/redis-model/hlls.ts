/**
 * hlls.ts: the HyperLogLog commands of the workload, as Redis's documentation and its papers tell them.
 *
 * Source: Austin Appleby, MurmurHash64A; Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog
 * sketches", 2017.
 */
import { isWhole, registersIn } from '../hll-reading.ts'
import { type Model, type Models, type PlainData, Refusal } from './plain-data.ts'

type Registers = ReadonlyMap<number, number>

const REGISTERS = 2 ** 14
/** The hash has this many bits behind those that choose the register. */
const LEVEL_BITS = 50

const MULTIPLIER = 0xc6a4a7935bd1e995n
const HASH_SEED = 0xadc83b19n

function wrapped(number: bigint): bigint {
  return BigInt.asUintN(64, number)
}

function murmur(text: string): bigint {
  let hash = HASH_SEED ^ wrapped(BigInt(text.length) * MULTIPLIER)
  const bytes = [...text].map((char) => BigInt(char.charCodeAt(0)))
  const wordAt = (at: number) =>
    bytes.slice(at, at + 8).reduce((word, byte, i) => word | (byte << BigInt(8 * i)), 0n)
  let at = 0
  for (; at + 8 <= bytes.length; at += 8) {
    let word = wrapped(wordAt(at) * MULTIPLIER)
    word ^= word >> 47n
    hash = wrapped((hash ^ wrapped(word * MULTIPLIER)) * MULTIPLIER)
  }
  if (at < bytes.length) hash = wrapped((hash ^ wordAt(at)) * MULTIPLIER)
  hash ^= hash >> 47n
  hash = wrapped(hash * MULTIPLIER)
  return hash ^ (hash >> 47n)
}

/** Which register an element raises, and how far: to the place of the first one among the bits. */
function raiseOf(element: string): readonly [register: number, level: number] {
  const hash = murmur(element)
  const bits = (hash >> 14n).toString(2).padStart(LEVEL_BITS, '0')
  const zeros = bits.length - 1 - bits.lastIndexOf('1')
  return [Number(hash % BigInt(REGISTERS)), (bits.includes('1') ? zeros : LEVEL_BITS) + 1]
}

/** Undefined where the key is not there. @throws Refusal for what is no HyperLogLog, or a damaged one */
function registersOf(data: PlainData, key: string): Registers | undefined {
  const value = data.at(key)?.value
  if (value === undefined) return undefined
  if (value.type === 'hll') return value.registers
  if (value.type !== 'string' || !value.text.startsWith('HYLL')) throw new Refusal('WRONGTYPE')
  // An exception that is documented: Redis reads on until it stumbles.
  if (!isWhole(value.text)) throw new Refusal('INVALIDOBJ')
  return registersIn(value.text)
}

function joined(all: readonly Registers[]): Registers {
  const highest = new Map<number, number>()
  for (const registers of all)
    for (const [register, level] of registers)
      highest.set(register, Math.max(level, highest.get(register) ?? 0))
  return highest
}

/** Nothing is written where nothing rises. */
const pfadd: Model = ([, key, ...elements], data) => {
  const before = registersOf(data, key!)
  const registers = joined([before ?? new Map(), ...elements.map((element) => new Map([raiseOf(element)]))])
  const isHigher = [...registers].some(([register, level]) => level > (before?.get(register) ?? 0))
  if (before !== undefined && !isHigher) return 0
  data.keep(key!, { type: 'hll', registers })
  return 1
}

const pfmerge: Model = ([, ...keys], data) => {
  const all = keys.map((key) => registersOf(data, key) ?? new Map())
  data.keep(keys[0]!, { type: 'hll', registers: joined(all) })
  return 'OK'
}

function sigma(share: number): number {
  if (share === 1) return Number.POSITIVE_INFINITY
  let [x, y, sum, before] = [share, 1, share, Number.NaN]
  while (sum !== before) {
    before = sum
    x *= x
    sum += x * y
    y += y
  }
  return sum
}

function tau(share: number): number {
  if (share === 0 || share === 1) return 0
  let [x, y, sum, before] = [share, 1, 1 - share, Number.NaN]
  while (sum !== before) {
    before = sum
    x = Math.sqrt(x)
    y /= 2
    sum -= (1 - x) ** 2 * y
  }
  return sum / 3
}

/** How many elements there were, more or less. */
function estimate(registers: Registers): number {
  const counts = new Array<number>(LEVEL_BITS + 2).fill(0)
  for (const level of registers.values()) counts[level]!++
  counts[0] = REGISTERS - registers.size
  let z = REGISTERS * tau((REGISTERS - counts[LEVEL_BITS + 1]!) / REGISTERS)
  for (let level = LEVEL_BITS; level >= 1; level--) z = (z + counts[level]!) / 2
  z += REGISTERS * sigma(counts[0] / REGISTERS)
  return Math.round((REGISTERS * REGISTERS) / (2 * Math.LN2) / z)
}

export const HLL_MODELS: Models = {
  PFADD: pfadd,
  PFMERGE: pfmerge,
  PFCOUNT: ([, ...keys], data) => estimate(joined(keys.map((key) => registersOf(data, key) ?? new Map()))),
}
