/**
 * apps.ts: `npm run apps -- [--jobs N]`: BullMQ with 10,000 jobs of all kinds against one region, in full what
 * bullmq.test.ts does in small, and the same against redis-server where one is installed.
 *
 * Prints figures; exit code 1 when a job did not run exactly as often as it had to.
 */
import { installedRedis, startRedis } from '../../bench/contenders.ts'
import { readOptions } from '../../harness/command-line.ts'
import { RegionProcess } from '../../harness/region-process.ts'
import { type QueueFigures, runQueueLoad } from './queue-load.ts'

const USAGE = 'usage: npm run apps -- [--jobs N]'
const JOBS_DEFAULT = '10000'
/** Fewer have no jobs of some kinds. */
const JOBS_MIN = 100
const WRONG_SHOWN = 20

process.exitCode = await main(process.argv.slice(2))

/** @returns the exit code */
async function main(argv: readonly string[]): Promise<number> {
  const values = readOptions(argv, USAGE, { jobs: { type: 'string', default: JOBS_DEFAULT } })
  if (values === undefined) return 2
  const jobs = Number(values.jobs)
  if (!Number.isSafeInteger(jobs) || jobs < JOBS_MIN) {
    console.error(`${USAGE}, at least ${JOBS_MIN}`)
    return 2
  }
  const ours = await againstNode(jobs)
  report('Causeway', ours)
  if (installedRedis() !== undefined) report('redis-server', await againstRedis(jobs))
  return ours.wrong.length === 0 && ours.counts.completed === jobs ? 0 : 1
}

async function againstNode(jobs: number): Promise<QueueFigures> {
  const node = await RegionProcess.prepare({ name: 'A', id: 1 })
  try {
    await node.start()
    return await runQueueLoad(node.ports.port, jobs)
  } finally {
    await node.dispose()
  }
}

async function againstRedis(jobs: number): Promise<QueueFigures> {
  const redis = await startRedis()
  try {
    return await runQueueLoad(redis.port, jobs)
  } finally {
    await redis.stop()
  }
}

function report(server: string, figures: QueueFigures): void {
  const { jobs, tookMs, delayed, prioritized, retried, flows, stalled, counts, wrong } = figures
  console.log(
    `BullMQ on ${server}: ${counts.completed} of ${jobs} jobs completed in ${(tookMs / 1000).toFixed(1)} s, ` +
      `${Math.round((1000 * jobs) / tookMs)} a second: ${delayed} delayed, ${prioritized} with a priority, ` +
      `${retried} retried, ${flows} flows, ${stalled} stalled, ${wrong.length} not exactly once`,
  )
  for (const what of wrong.slice(0, WRONG_SHOWN)) console.log(`  ${what}`)
}
