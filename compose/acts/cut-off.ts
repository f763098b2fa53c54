/**
 * cut-off.ts: one region of three is cut off, all three go on writing the same keys, the cut is mended, and
 * all agree on an answer that follows from written rules.
 *
 * The other two stay linked: they agree with each other the whole time. How the region is cut off is the
 * caller's business, and so is what else can be seen of it from outside.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Cut } from '../containers/cut.ts'
import { awaitAgreement, type RegionClient } from '../region.ts'
import type { Stage } from '../stage.ts'
import { agree, allEqual, showViews, type View } from './views.ts'

/** What every region must show in the end: C's SET is the later one, `stock` was 10. */
const HEALED = ['storm', String(10 + 5 + 7 - 2), 'ann, cat']

/** No write may wait for another region. A busy machine may take its time. */
const WRITE_MS_MAX = 1000
/** Stamps count milliseconds: a pause makes it plain which SET came later. */
const BETWEEN_WRITES_MS = 5
/** Longest time from the mending to agreement: a redial may be seconds away. */
const AGREE_MS_MAX = 30_000

/** Looks from outside whether a cut is in effect. Makes its claims on the stage. */
export type Witness = (isCut: boolean) => Promise<void>

export async function cutOff(
  stage: Stage,
  regions: readonly RegionClient[],
  cut: Cut,
  witness: Witness,
): Promise<void> {
  const [a, b, c] = regions as [RegionClient, RegionClient, RegionClient]
  const [motto, stock, team] = [`${cut.name}:motto`, `${cut.name}:stock`, `${cut.name}:team`]
  const views: readonly View[] = [
    { label: 'motto', words: ['GET', motto] },
    { label: 'stock', words: ['GET', stock] },
    { label: 'team', words: ['SMEMBERS', team], unordered: true },
  ]
  let slowestMs = 0
  const write = async (region: RegionClient, ...words: [string, ...string[]]): Promise<void> => {
    const start = performance.now()
    const reply = await region.run(...words)
    slowestMs = Math.max(slowestMs, performance.now() - start)
    stage.command(region.name, words, reply)
    await delay(BETWEEN_WRITES_MS)
  }

  await write(a, 'INCRBY', stock, '10')
  await write(b, 'SADD', team, 'ann', 'bob')
  await awaitAgreement(regions)
  try {
    await cut.cut()
    stage.say()
    stage.say(cut.done)
    stage.say()
    await write(a, 'SET', motto, 'calm')
    await write(a, 'INCRBY', stock, '5')
    await write(b, 'INCRBY', stock, '7')
    await write(c, 'DECRBY', stock, '2')
    await write(a, 'SREM', team, 'ann')
    await write(c, 'SADD', team, 'ann')
    await write(c, 'SREM', team, 'bob')
    await write(b, 'SADD', team, 'cat')
    await write(c, 'SET', motto, 'storm')
    await awaitAgreement([a, b])
    const [fromA, fromB, fromC] = (await showViews(stage, regions, views)) as [string[], string[], string[]]
    stage.check(allEqual([fromA, fromB]), `${a.name} and ${b.name} agree: their link is whole`)
    stage.check(
      fromC.every((answer, view) => answer !== fromA[view]),
      `${c.name} shows something else under every key, and goes on serving`,
    )
    stage.check(
      slowestMs < WRITE_MS_MAX,
      `no write waited for another region: the slowest took ${slowestMs.toFixed(1)} ms`,
    )
    await witness(true)
  } finally {
    await cut.mend()
  }
  stage.say()
  stage.say(cut.undone)
  const healMs = await awaitAgreement(regions, AGREE_MS_MAX)
  const answers = await showViews(stage, regions, views)
  stage.check(
    allEqual([HEALED, ...answers]),
    `${healMs.toFixed(0)} ms later all show the same, and it is what the rules say:`,
  )
  stage.say('        motto   the SET with the highest stamp; the other one waits behind it')
  stage.say('        stock   every increment counts: 10 + 5 + 7 - 2')
  stage.say("        team    A's SREM had not seen C's new SADD of ann; C had seen bob")
  stage.check(await agree(regions), `vectors and digests are equal: ${await c.digest()}`)
  await witness(false)
}
