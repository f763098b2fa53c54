/**
 * simulation.test.ts: some random seeds on every run of the tests; IN_REGION_SEEDS asks for more.
 */
import { describe, expect, it } from 'vitest'
import { drawOptions, FAULT_KINDS } from './options.ts'
import { simulateInRegion } from './simulation.ts'

const SEEDS = Number(process.env.IN_REGION_SEEDS ?? 60)
/** For some ten runs on a machine that is busy with others. */
const RUNS_MS_MAX = 120_000
/** Seeds to a test, so that a failure is near its name. */
const BLOCK = 10
/** Each found something once. */
const FOUND: readonly (readonly [number, string])[] = [
  [60910, 'a replica is rebuilt from a snapshot from before the seal that it was rebuilt for'],
  [62517, 'a new primary acknowledges to other regions what those in sync have not fsynced'],
  [
    63099,
    'an origin is ended below what one holds that is in sync; promoted, it finds nobody to be rebuilt from',
  ],
  [64127, 'a primary ends an origin in ops that nobody gets, and its successor ends it elsewhere'],
  [64166, 'the last state of a term is stored without an answer, and lost with the coordinator'],
]
/** By then every kind of fault has come. */
const TROUBLE_SEEDS = 40

describe('the simulation of regions of several nodes', () => {
  for (let first = 1; first <= SEEDS; first += BLOCK) {
    const last = Math.min(SEEDS, first + BLOCK - 1)
    it(
      `finds nothing in seeds ${first} to ${last}`,
      async () => {
        for (let seed = first; seed <= last; seed++) {
          const { finding } = await simulateInRegion(drawOptions(seed))
          expect(finding, `npm run simulate:region -- --seed ${seed} --verbose`).toBeUndefined()
        }
      },
      RUNS_MS_MAX,
    )
  }

  it.each(FOUND)('finds nothing in seed %i any more: %s', async (seed) => {
    expect((await simulateInRegion(drawOptions(seed))).finding).toBeUndefined()
  })

  it('is decided by its seed alone', async () => {
    const [once, again, other] = [
      await simulateInRegion(drawOptions(1)),
      await simulateInRegion(drawOptions(1)),
      await simulateInRegion(drawOptions(2)),
    ]
    expect(again.hash).toBe(once.hash)
    expect(other.hash).not.toBe(once.hash)
  })

  it(
    'runs into every kind of trouble',
    async () => {
      const trouble = new Set<string>()
      const isComplete = (): boolean => FAULT_KINDS.every((kind) => trouble.has(kind))
      for (let seed = 1; seed <= TROUBLE_SEEDS && !isComplete(); seed++) {
        const { acknowledged, trace } = await simulateInRegion(drawOptions(seed), true)
        expect(acknowledged).toBeGreaterThan(0)
        for (const line of trace) trouble.add(line.split(' ')[1]!)
      }
      for (const kind of FAULT_KINDS) expect(trouble).toContain(kind)
    },
    RUNS_MS_MAX,
  )
})
