/**
 * soak.test.ts: the short version of the soak (`npm run faults` runs the long one): a few seconds of load,
 * cuts and kills under each fsync policy.
 */
import { describe, expect, it } from 'vitest'
import { soak } from './soak-run.ts'

const SECONDS = Number(process.env.SOAK_SECONDS ?? 8)

describe('three regions under load, with links cut and a node killed', () => {
  it.each(['always', 'everysec', 'no'] as const)(
    'converge and lose nothing, appendfsync %s',
    async (appendfsync) => {
      const report = await soak({
        seed: SECONDS,
        seconds: SECONDS,
        appendfsync,
        killEveryMs: 2500,
        clientsPerRegion: 2,
        benchmark: false,
      })
      expect(report.findings).toEqual([])
      expect(report.kills).toBeGreaterThan(0)
      expect(report.commands).toBeGreaterThan(1000)
    },
    SECONDS * 1000 + 240_000,
  )
})
