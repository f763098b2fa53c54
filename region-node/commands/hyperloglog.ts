/**
 * hyperloglog.ts: PFADD, PFCOUNT, PFMERGE, and Redis's two commands for looking inside.
 *
 * To clients a HyperLogLog is a string: GET shows its bytes, and a string with such bytes may be added to.
 * What a command raises is worked out here, on a copy, register by register as Redis does it, so that the
 * representation goes from sparse to dense at the same element as there.
 */

import { HllState } from '../../crdt/hll.ts'
import { indexOf, levelOf, packed, REGISTER_COUNT, raiseOf } from '../../crdt/hll-hash.ts'
import { estimate, HllRegisters, staleCard } from '../../crdt/hll-registers.ts'
import { commandError } from '../errors.ts'
import { type CommandContext, type CommandDef, defineCommands, NO_KEYS, ONE_KEY } from './command.ts'

/** Registers that rise at once beyond which the whole value is smaller than a list of them. */
const RAISES_MAX = 4096

function pfadd(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  const hll = ctx.hll(key)
  const registers = hll?.registers ?? new HllRegisters()
  const raises: number[] = []
  for (let i = 2; i < words.length; i++) {
    const raise = raiseOf(words[i]!)
    if (registers.get(indexOf(raise)) < levelOf(raise)) raises.push(raise)
  }
  const isChanged = hll === undefined || raises.length > 0
  if (isChanged) ctx.write.hll.raise(key, raises, growsDense(registers, raises))
  ctx.out.integer(isChanged ? 1 : 0)
}

/** The registers are dense, or would be after that. */
function growsDense(registers: HllRegisters, raises: readonly number[]): boolean {
  if (registers.hasOutgrownSparse) return true
  const trial = registers.copy()
  for (const raise of raises) trial.raise(raise)
  return trial.hasOutgrownSparse
}

function pfcount(ctx: CommandContext, words: readonly string[]): void {
  if (words.length === 2) {
    ctx.out.integer(ctx.hll(words[1]!)?.count() ?? 0)
    return
  }
  const values = new Uint8Array(REGISTER_COUNT)
  for (let i = 1; i < words.length; i++) ctx.hll(words[i]!)?.registers.maximumInto(values)
  ctx.out.integer(estimate(values))
}

function pfmerge(ctx: CommandContext, words: readonly string[]): void {
  const values = new Uint8Array(REGISTER_COUNT)
  let isDense = false
  for (let i = 1; i < words.length; i++) {
    const registers = ctx.hll(words[i]!)?.registers
    if (registers === undefined) continue
    registers.maximumInto(values)
    isDense ||= registers.isDense
  }
  const key = words[1]!
  const hll = ctx.hll(key)
  const merged = (hll?.registers ?? new HllRegisters()).copy()
  if (isDense) merged.pin()
  const raises: number[] = []
  for (let index = 0; index < REGISTER_COUNT; index++) {
    const raise = packed(index, values[index]!)
    if (values[index]! > 0 && merged.raise(raise)) raises.push(raise)
  }
  if (merged.hasOutgrownSparse) merged.pin()
  if (raises.length <= RAISES_MAX) ctx.write.hll.raise(key, raises, merged.isPinned)
  else ctx.write.hll.join(key, merged.text(staleCard((hll ?? new HllState()).card)))
  ctx.out.ok()
}

const noSuchKey = commandError('ERR The specified key does not exist')
const notSparse = commandError('ERR HLL encoding is not sparse')

function pfdebug(ctx: CommandContext, words: readonly string[]): void {
  const key = words[2]!
  const hll = ctx.hll(key)
  if (hll === undefined) throw noSuchKey
  const { registers } = hll
  switch (words[1]!.toLowerCase()) {
    case 'getreg':
      makeDense(ctx, key, hll)
      ctx.out.array(REGISTER_COUNT)
      for (const value of registers.values()) ctx.out.integer(value)
      break
    case 'decode': {
      const runs = registers.describeSparse()
      if (runs === undefined) throw notSparse
      ctx.out.bulk(runs)
      break
    }
    case 'encoding':
      ctx.out.simple(registers.isDense ? 'dense' : 'sparse')
      break
    case 'todense':
      ctx.out.integer(registers.isDense ? 0 : 1)
      makeDense(ctx, key, hll)
      break
    default:
      throw commandError(`ERR Unknown PFDEBUG subcommand '${words[1]!}'`)
  }
}

function makeDense(ctx: CommandContext, key: string, { registers, card }: HllState): void {
  if (registers.isDense) return
  const dense = registers.copy()
  dense.pin()
  ctx.write.hll.join(key, dense.text(card))
}

const SELFTEST_ROUNDS = 20
const SELFTEST_ELEMENTS = 100_000
/** Four standard errors: once in some ten thousand times an honest one is further off. */
const SELFTEST_ERROR_MAX = 4 * (1.04 / Math.sqrt(REGISTER_COUNT))
const registersBroken = commandError('ERR TESTFAILED Register changed value unexpectedly')
const estimateBroken = commandError('ERR TESTFAILED Too big error')

/** Registers keep what they are told, dense and sparse, and the estimate is near the number of elements. */
function pfselftest(ctx: CommandContext): void {
  for (let round = 0; round < SELFTEST_ROUNDS; round++) {
    const registers = new HllRegisters()
    const expected = new Uint8Array(REGISTER_COUNT)
    for (let i = 0; i < REGISTER_COUNT; i++) {
      const index = Math.floor(ctx.random() * REGISTER_COUNT)
      const value = 1 + Math.floor(ctx.random() * (round % 2 === 0 ? 63 : 30))
      registers.raise(packed(index, value))
      expected[index] = Math.max(expected[index]!, value)
    }
    if (registers.values().some((value, index) => value !== expected[index])) throw registersBroken
  }
  const registers = new HllRegisters()
  for (let i = 1; i <= SELFTEST_ELEMENTS; i++) {
    registers.raise(raiseOf(String(i)))
    const isCheckpoint = Number.isInteger(Math.log10(i)) && i >= 100
    if (isCheckpoint && Math.abs(estimate(registers.values()) - i) > Math.ceil(i * SELFTEST_ERROR_MAX))
      throw estimateBroken
  }
  ctx.out.ok()
}

const ALL_KEYS = { first: 1, last: -1, step: 1 }

function row(own: Omit<CommandDef, 'group' | 'since'>): CommandDef {
  return { ...own, group: 'hyperloglog', since: '2.8.9' }
}

export const hyperloglogCommands = defineCommands([
  row({
    name: 'pfadd',
    arity: -2,
    flags: ['write', 'denyoom', 'fast'],
    keys: ONE_KEY,
    summary: "Adds elements to a HyperLogLog key. Creates the key if it doesn't exist.",
    syntax: 'key [element ...]',
    complexity: 'O(1) to add every element.',
    run: pfadd,
  }),
  row({
    name: 'pfcount',
    arity: -2,
    flags: ['readonly'],
    keys: ALL_KEYS,
    summary: 'Returns the approximated cardinality of the set(s) observed by the HyperLogLog key(s).',
    syntax: 'key [key ...]',
    complexity:
      'O(1) with a very small average constant time when called with a single key. O(N) with N being the number of keys, and much bigger constant times, when called with multiple keys.',
    run: pfcount,
  }),
  row({
    name: 'pfmerge',
    arity: -2,
    flags: ['write', 'denyoom'],
    keys: ALL_KEYS,
    summary: 'Merges one or more HyperLogLog values into a single key.',
    syntax: 'destkey [sourcekey ...]',
    complexity: 'O(N) to merge N HyperLogLogs, but with high constant times.',
    run: pfmerge,
  }),
  row({
    name: 'pfdebug',
    arity: 3,
    flags: ['write', 'denyoom', 'admin'],
    keys: { first: 2, last: 2, step: 1 },
    summary: 'Internal commands for debugging HyperLogLog values.',
    syntax: 'subcommand key',
    complexity: 'N/A',
    run: pfdebug,
  }),
  row({
    name: 'pfselftest',
    arity: 1,
    flags: ['admin'],
    keys: NO_KEYS,
    summary: 'An internal command for testing HyperLogLog values.',
    complexity: 'N/A',
    run: pfselftest,
  }),
])
