/**
 * write-anywhere.ts: every region takes writes, and every region soon shows all of them.
 */
import { awaitAgreement, type RegionClient } from '../region.ts'
import type { Stage } from '../stage.ts'
import { agree, allEqual, showViews } from './views.ts'

const PROBES = 100
/** A claim about lag is about order of magnitude: this machine is busy with three regions at once. */
const LAG_MS_MAX = 1000

export async function writeAnywhere(stage: Stage, regions: readonly RegionClient[]): Promise<void> {
  stage.act('Write in any region, read in every region')
  const [a, b, c] = regions as [RegionClient, RegionClient, RegionClient]
  const write = async (region: RegionClient, ...words: [string, ...string[]]): Promise<void> =>
    stage.command(region.name, words, await region.run(...words))
  await write(a, 'SET', 'greeting', 'hello from A')
  await write(b, 'INCRBY', 'visits', '10')
  await write(c, 'HSET', 'cart', 'plums', '1')
  await write(a, 'SADD', 'online', 'ann', 'bob')
  await awaitAgreement(regions)
  const answers = await showViews(stage, regions, [
    { label: 'greeting', words: ['GET', 'greeting'] },
    { label: 'visits', words: ['GET', 'visits'] },
    { label: 'cart', words: ['HGETALL', 'cart'] },
    { label: 'online', words: ['SMEMBERS', 'online'], unordered: true },
  ])
  const expected = ['hello from A', '10', 'plums, 1', 'ann, bob']
  stage.check(allEqual([expected, ...answers]), 'every region shows the four writes')

  const lags: number[] = []
  for (let i = 0; i < PROBES; i++) {
    await a.run('SET', 'probe', String(i))
    const start = performance.now()
    await Promise.all([awaitValue(b, 'probe', String(i)), awaitValue(c, 'probe', String(i))])
    lags.push(performance.now() - start)
  }
  lags.sort((x, y) => x - y)
  const median = lags[PROBES >> 1]!
  const worst = lags[PROBES - 1]!
  stage.check(
    worst < LAG_MS_MAX,
    `${PROBES} writes at A were visible at B and C ${median.toFixed(1)} ms after their OK ` +
      `(worst ${worst.toFixed(1)} ms)`,
  )
  await awaitAgreement(regions)
  stage.check(await agree(regions), 'vectors and digests of the whole data set are equal')
}

async function awaitValue(region: RegionClient, key: string, value: string): Promise<void> {
  const deadline = performance.now() + LAG_MS_MAX
  while ((await region.run('GET', key)) !== value && performance.now() < deadline);
}
