/**
 * remint.test.ts: a region that was cut off comes back, and nobody can tell who had forgotten what by then.
 *
 * Region 1 goes dark while it writes on; regions 2 and 3 end its origin, go on, and forget below their cuts at
 * random moments. Then it comes back under a new origin and mints its late tail again, while the others still
 * write. All have to agree, with one another and with the oracle of the ops that count in the end.
 *
 * A second family of properties asks what the tail has come to. Where nobody removes anything, it must be what
 * the old ops would have been worth had they arrived after all, under their own dots.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amountText, parseAmount } from '../../crdt/amount.ts'
import { openRecord } from '../../crdt/codec/batch.ts'
import { TAG } from '../../crdt/effects/effect.ts'
import type { Reminted } from '../../region-node/engine/reminter.ts'
import { cutOf, exchange, reclaim } from '../harness/cuts.ts'
import { deliver, historyOf, opsOf, recordsOf, type Step, Writer, type writeOf } from '../harness/history.ts'
import { difference, observe } from '../harness/observe.ts'
import { type Answer, type AnsweredValue, answerOf, type OracleOp } from '../harness/oracle.ts'
import { Prng } from '../harness/prng.ts'

const RUNS = 150
const TIMEOUT_MS = 60_000
const DAY_MS = 86_400_000
const ALL = Number.POSITIVE_INFINITY

type Kinds = readonly (keyof typeof writeOf)[]

/** Runs steps; the writer of a step is a place in `cast`, in which one may stand twice. */
function run(
  steps: readonly Step[],
  cast: readonly Writer[],
  hears: (to: Writer, from: Writer) => boolean,
  between: () => void = () => {},
): void {
  for (const step of steps) {
    if (step.kind === 'clock') {
      cast[step.writer]!.jump(step.ms)
    } else if (step.kind === 'pull') {
      const [to, from] = [cast[step.to]!, cast[step.from]!]
      if (hears(to, from)) to.pull(from, step.count)
    } else {
      cast[step.writer]!.write(step.db, step.writes)
      if (step.closes) cast[step.writer]!.engine.endBatch()
    }
    between()
  }
  for (const { engine } of cast) engine.endBatch()
}

/** Ends the origin of `dark` at what the other two have of it. @returns that end */
function seal(dark: Writer, two: Writer, three: Writer): number {
  exchange([two, three])
  const origin = two.origins.intern(dark.engine.origin.id)
  const end = two.engine.applied.get(origin)
  two.engine.declare([{ tag: TAG.SEAL, origin, end }])
  exchange([two, three])
  return end
}

/** @returns what became of each op behind the end */
function remint(by: Writer, dark: Writer, end: number): (Reminted | undefined)[] {
  const fates: (Reminted | undefined)[] = []
  for (const record of recordsOf([dark])) {
    const batch = openRecord(record, by.origins)
    const { origin, deps } = batch.header
    for (const op of batch.ops()) if (op.seq > end) fates.push(by.engine.remint(origin, op, deps))
  }
  by.engine.endRemint()
  by.engine.endBatch()
  return fates
}

interface Told {
  readonly before: readonly Step[]
  readonly meanwhile: readonly Step[]
  readonly after: readonly Step[]
}

function storyOf(kinds: Kinds): fc.Arbitrary<Told> {
  const steps = historyOf(kinds)
  return fc.record({ before: steps, meanwhile: steps, after: steps })
}

/** @returns how many ops, removals and writes of the tail were minted again, dropped, overwritten */
function checkAgreement({ before, meanwhile, after }: Told, seed: number): [number, number, number] {
  const prng = new Prng(seed)
  const [dark, two, three] = [new Writer(1, 0), new Writer(2, 1), new Writer(3, 2)]
  const forget = (writers: readonly Writer[]) => () => {
    if (prng.random() < 0.2) exchange(writers)
    for (const writer of writers) if (prng.random() < 0.5) reclaim(writer, cutOf(writer, writers))
  }
  run(before, [dark, two, three, dark], () => true)
  const end = seal(dark, two, three)
  // It may still hear the others.
  run(meanwhile, [dark, two, three, dark], (_to, from) => from !== dark, forget([two, three]))

  exchange([two, three])
  const back = new Writer(1, 9)
  back.pull(two, ALL)
  const all = [two, three, back]
  if (prng.random() < 0.5) reclaim(back, cutOf(back, all))
  const fates = remint(back, dark, end)
  run(after, [back, two, three, two], () => true, forget(all))
  exchange(all)
  exchange(all)

  const records = recordsOf(all)
  const counted = recordsOf([dark]).filter(
    (record) => openRecord(record, back.origins).header.firstSeq <= end,
  )
  const expected = answerOf(opsOf([...counted, ...records]))
  const digest = deliver([...counted, ...records], seed).engine.keyspace.digest()
  for (const writer of all) {
    expect(difference(observe(writer.engine.keyspace), expected)).toBeUndefined()
    expect(writer.engine.keyspace.digest()).toBe(digest)
  }
  expect(remint(back, dark, end).every((one) => one === undefined)).toBe(true)
  return tally(fates)
}

function tally(fates: readonly (Reminted | undefined)[]): [number, number, number] {
  const sums: [number, number, number] = [0, 0, 0]
  for (const fate of fates) {
    if (fate === undefined) throw new Error('minted again twice')
    sums[0] += Number(fate.isMinted)
    sums[1] += fate.dropped
    sums[2] += fate.overwritten
  }
  return sums
}

const agreeing = {
  strings: ['set', 'put', 'increment', 'del'],
  deadlines: ['setWithDeadline', 'deadline', 'put', 'sadd', 'srem', 'del'],
  hashes: ['hset', 'hincrement', 'hdel', 'deadline'],
  'deadlines of fields': ['hset', 'hincrement', 'hdel', 'hexpire'],
  'sorted sets': ['zadd', 'zincrement', 'zrem', 'deadline', 'del'],
  hyperloglogs: ['pfadd', 'pfjoin', 'set', 'deadline', 'del'],
  streams: ['xadd', 'xdel', 'xtrim', 'xgroup', 'xungroup', 'xread', 'deadline', 'del'],
  everything: [
    'set',
    'setWithDeadline',
    'put',
    'increment',
    'hset',
    'hincrement',
    'hdel',
    'hexpire',
    'sadd',
    'srem',
    'zadd',
    'zincrement',
    'zrem',
    'xadd',
    'xdel',
    'xtrim',
    'xgroup',
    'xungroup',
    'xread',
    'pfadd',
    'deadline',
    'del',
    'flush',
  ],
} as const

describe('whatever was forgotten where, all regions agree on a late tail', () => {
  for (const [family, kinds] of Object.entries(agreeing)) {
    it(
      `of ${family}`,
      () => {
        const sums = [0, 0, 0]
        fc.assert(
          fc.property(storyOf(kinds), fc.integer(), (story, seed) => {
            for (const [i, count] of checkAgreement(story, seed).entries()) sums[i]! += count
          }),
          { numRuns: RUNS },
        )
        expect(Math.min(...sums), 'some are minted, some dropped, some lost').toBeGreaterThan(0)
      },
      TIMEOUT_MS,
    )
  }
})

/** No key is due, so that nothing is removed. */
function neverDue(steps: readonly Step[]): Step[] {
  return steps.map((step) => {
    if (step.kind !== 'op') return step
    const writes = step.writes.map((write) =>
      'deadlineMs' in write ? { ...write, deadlineMs: write.deadlineMs + DAY_MS } : write,
    )
    return { ...step, writes }
  })
}

/**
 * Scores and their increments up to ten. An origin's increments add up in doubles in its own order, and another
 * one's now: beside 1e308 one of them may count or not, and an infinite one takes it all.
 */
function tame(steps: readonly Step[]): Step[] {
  const near = (number: number): number => Math.max(-10, Math.min(10, number))
  return steps.map((step) => {
    if (step.kind !== 'op') return step
    const writes = step.writes.map((write) => {
      if (write.kind === 'zincrement') return { ...write, delta: near(write.delta) }
      if (write.kind !== 'zadd') return write
      return { ...write, pairs: write.pairs.map(([member, score]) => [member, near(score)] as const) }
    })
    return { ...step, writes }
  })
}

/** What the keys would answer had the tail arrived under its own dots. */
function checkWorth(told: Told, compared: (answer: Answer) => Answer): number {
  const [before, meanwhile] = [tame(told.before), tame(told.meanwhile)]
  const [dark, two, three] = [new Writer(1, 0), new Writer(2, 1), new Writer(3, 2)]
  run(neverDue(before), [dark, two, three, dark], () => true)
  exchange([dark, two, three])
  const end = seal(dark, two, three)
  run(neverDue(meanwhile), [dark, two, three, dark], (to, from) => to !== dark && from !== dark)
  exchange([two, three])
  const back = new Writer(1, 9)
  back.pull(two, ALL)
  const [minted] = tally(remint(back, dark, end))
  const arrived: OracleOp[] = opsOf(recordsOf([dark, two, three]))
  const seen = compared(observe(back.engine.keyspace))
  expect(difference(seen, compared(answerOf(arrived)))).toBeUndefined()
  return minted
}

/** Numbers in one form: under a counter, be it of 0, `1e2` reads `100`. */
function numbersAlike(answer: Answer): Answer {
  const alike = (value: AnsweredValue): AnsweredValue => {
    if (typeof value === 'string') return numberAlike(value)
    return value.map((one) =>
      typeof one === 'string' ? one : ([one[0], numberAlike(one[1])] as const),
    ) as AnsweredValue
  }
  return new Map(
    [...answer].map(([name, { states, deadlineMs }]) => [
      name,
      { states: states.map(({ type, value }) => ({ type, value: alike(value) })), deadlineMs },
    ]),
  )
}

function numberAlike(text: string): string {
  const amount = parseAmount(text)
  // Whether a sum saturates depends on whether its origin's run ever had a fraction in it, and runs differ.
  if (Math.abs(Number(text)) >= 2 ** 63) return Number(text) > 0 ? 'very many' : 'very few'
  return amount === undefined ? text : amountText(amount)
}

/** To nine decimals: the last digits of a sum depend on its order. */
function scoresAlike(answer: Answer): Answer {
  const alike = (value: AnsweredValue): AnsweredValue =>
    typeof value === 'string' || typeof value[0] === 'string'
      ? value
      : (value as readonly (readonly [string, string])[])
          .map(([member, score]) => [member, String(Number(Number(score).toFixed(9)) + 0)] as const)
          .sort(([a], [b]) => (a < b ? -1 : 1))
  return new Map(
    [...answer].map(([name, { states, deadlineMs }]) => [
      name,
      { states: states.map(({ type, value }) => ({ type, value: alike(value) })), deadlineMs },
    ]),
  )
}

/** A write that lost leaves no deadline either. */
function valuesOnly(answer: Answer): Answer {
  return new Map([...answer].map(([name, { states }]) => [name, { states, deadlineMs: 0 }]))
}

const worth: { readonly [family: string]: readonly [Kinds, (answer: Answer) => Answer] } = {
  strings: [['set', 'put', 'increment'], (answer) => valuesOnly(numbersAlike(answer))],
  fields: [['hset', 'hincrement'], (answer) => valuesOnly(numbersAlike(answer))],
  scores: [['zadd', 'zincrement'], (answer) => valuesOnly(scoresAlike(answer))],
  'members and deadlines': [['sadd', 'deadline'], (answer) => answer],
  'entries and groups of streams': [['xadd', 'xgroup'], (answer) => answer],
  'registers of HyperLogLogs': [['pfadd', 'pfjoin'], (answer) => answer],
  'deadlines of fields': [['hset', 'hexpire'], (answer) => valuesOnly(numbersAlike(answer))],
  'counters and deadlines': [['increment', 'deadline'], numbersAlike],
}

it('all regions agree on scores that cancel each other out, whatever is left of what was added beside them', () => {
  const huge: Step = {
    ...{ kind: 'op', writer: 0, db: 0, closes: false },
    writes: [
      { kind: 'zadd', key: 'm', pairs: [['c', 1e308]] },
      { kind: 'zincrement', key: 'm', member: 'c', delta: -1e308 },
    ],
  }
  const one: Step = {
    ...{ kind: 'op', writer: 1, db: 0, closes: false },
    writes: [{ kind: 'zincrement', key: 'm', member: 'c', delta: 1 }],
  }
  const [minted] = checkAgreement({ before: [], meanwhile: [huge, one], after: [] }, 1)
  expect(minted).toBe(1)
})

describe('a late tail is worth what it would have been, had it arrived', () => {
  for (const [family, [kinds, compared]] of Object.entries(worth)) {
    it(
      `${family}`,
      () => {
        let minted = 0
        fc.assert(
          fc.property(storyOf(kinds), (story) => {
            minted += checkWorth(story, compared)
          }),
          { numRuns: RUNS },
        )
        expect(minted).toBeGreaterThan(0)
      },
      TIMEOUT_MS,
    )
  }
})
