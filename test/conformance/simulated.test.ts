/**
 * simulated.test.ts: every case in the simulator, in three ways: with delivery shuffled by several seeds;
 * with every region losing its power before every read, under `appendfsync always`; and with every sync by
 * snapshot, no op travelling between regions.
 */
import { isRead, readsInTransaction } from './case.ts'
import { registerCases } from './register.ts'
import type { CaseRegions } from './run-case.ts'
import { SIMULATED_ABILITIES, SimulatedRegions } from './simulated-regions.ts'

const SHUFFLES = Number(process.env.CONFORMANCE_SHUFFLES ?? 20)
const POWER_LOSSES = 3
const SNAPSHOT_SEEDS = 3
const CASE_MS_MAX = 60_000

function seeds(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1)
}

registerCases({
  title: `conformance: simulated, delivery shuffled by ${SHUFFLES} seeds`,
  abilities: SIMULATED_ABILITIES,
  timeoutMs: CASE_MS_MAX,
  async run(conflictCase, play) {
    for (const seed of seeds(SHUFFLES)) {
      const regions = await SimulatedRegions.start(conflictCase, { seed, appendfsync: 'everysec' })
      await play(regions).catch(tellSeed(seed))
    }
  },
})

registerCases({
  title: `conformance: simulated, power lost before every read, ${POWER_LOSSES} seeds`,
  abilities: SIMULATED_ABILITIES,
  timeoutMs: CASE_MS_MAX,
  refuses: (conflictCase) =>
    readsInTransaction(conflictCase)
      ? {
          reason: 'a restart would end its open transaction',
          missing: ['a transaction that outlives a restart'],
        }
      : undefined,
  async run(conflictCase, play) {
    for (const seed of seeds(POWER_LOSSES)) {
      const regions = await SimulatedRegions.start(conflictCase, { seed, appendfsync: 'always' })
      await play(losingPower(regions)).catch(tellSeed(seed))
    }
  },
})

registerCases({
  title: `conformance: simulated, every sync by snapshot, ${SNAPSHOT_SEEDS} seeds`,
  abilities: SIMULATED_ABILITIES,
  timeoutMs: CASE_MS_MAX,
  async run(conflictCase, play) {
    for (const seed of seeds(SNAPSHOT_SEEDS)) {
      const options = { seed, appendfsync: seed % 2 === 0 ? 'always' : 'everysec', bySnapshot: true } as const
      const regions = await SimulatedRegions.start(conflictCase, options)
      await play(regions).catch(tellSeed(seed))
      const syncs = conflictCase.steps.filter((step) => 'sync' in step).length
      if (regions.adoptions < syncs)
        throw new Error(`seed ${seed}: ${syncs} syncs, ${regions.adoptions} snapshots`)
    }
  },
})

function losingPower(regions: SimulatedRegions): CaseRegions {
  return {
    command: (region, words) => regions.command(region, words),
    sync: (names) => regions.sync(names),
    cutAll: () => regions.cutAll(),
    pass: (ms) => regions.pass(ms),
    beforeStep: async (step) => {
      if (isRead(step)) await regions.losePower()
    },
  }
}

function tellSeed(seed: number): (error: unknown) => never {
  return (error) => {
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error })
  }
}
