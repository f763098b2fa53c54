/**
 * cut-and-heal.ts: the links are cut, clients write conflicting things on several sides, the links heal,
 * and all regions agree on an answer that follows from written rules.
 *
 * What is expected in the end is computed from what was written, by the rules of the data types: the
 * latest SET, the sum of all increments, adds that a removal had not seen.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { awaitAgreement, type Region } from '../region.ts'
import type { Stage } from '../stage.ts'
import { conflictsSeenBy, valuesUnder } from './conflicts.ts'
import { agree, allEqual, showViews, type View } from './views.ts'

const VIEWS: readonly View[] = [
  { label: 'motto', words: ['GET', 'motto'] },
  { label: 'visits', words: ['GET', 'visits'] },
  { label: 'cart plums', words: ['HGET', 'cart', 'plums'] },
  { label: 'cart pears', words: ['HGET', 'cart', 'pears'] },
  { label: 'online', words: ['SMEMBERS', 'online'], unordered: true },
]

/** What every region must show in the end. A and C set `motto`, C later; `visits` was 10. */
const HEALED = ['storm', String(10 + 5 + 7 - 2), '4', '2', 'ann, cat']

/** Stamps count milliseconds: a pause makes it plain which SET came later. */
const BETWEEN_WRITES_MS = 5

export async function cutAndWrite(stage: Stage, regions: readonly Region[]): Promise<void> {
  stage.act('Cut all links, and write conflicting things on every side')
  const [a, b, c] = regions as [Region, Region, Region]
  for (const region of regions) await region.run('CRDT.LINK', 'ALL', 'DOWN')
  stage.say('CRDT.LINK ALL DOWN was sent to A, B and C: nobody hears from anybody.')
  stage.say()

  let slowestMs = 0
  const write = async (region: Region, ...words: [string, ...string[]]): Promise<void> => {
    const start = performance.now()
    const reply = await region.run(...words)
    slowestMs = Math.max(slowestMs, performance.now() - start)
    stage.command(region.name, words, reply)
    await delay(BETWEEN_WRITES_MS)
  }
  await write(a, 'SET', 'motto', 'calm')
  await write(c, 'SET', 'motto', 'storm')
  await write(a, 'INCRBY', 'visits', '5')
  await write(b, 'INCRBY', 'visits', '7')
  await write(c, 'DECRBY', 'visits', '2')
  await write(a, 'HSET', 'cart', 'plums', '4')
  await write(b, 'HSET', 'cart', 'pears', '2')
  await write(c, 'HDEL', 'cart', 'plums')
  await write(a, 'SREM', 'online', 'ann')
  await write(b, 'SADD', 'online', 'ann')
  await write(c, 'SREM', 'online', 'bob')
  await write(c, 'SADD', 'online', 'cat')

  const answers = await showViews(stage, regions, VIEWS)
  stage.check(
    !allEqual([answers[0], answers[1]]) &&
      !allEqual([answers[1], answers[2]]) &&
      !allEqual([answers[0], answers[2]]),
    'the three regions show three different things, and each goes on serving',
  )
  stage.check(
    slowestMs < 1000,
    `no write waited for another region: the slowest took ${slowestMs.toFixed(1)} ms`,
  )
}

export async function heal(stage: Stage, regions: readonly Region[]): Promise<void> {
  stage.act('Heal the links: the regions agree, and say what decided')
  const start = performance.now()
  for (const region of regions) await region.run('CRDT.LINK', 'ALL', 'UP')
  await awaitAgreement(regions)
  const healMs = performance.now() - start
  stage.say('CRDT.LINK ALL UP was sent to A, B and C.')
  const answers = await showViews(stage, regions, VIEWS)
  stage.check(
    allEqual(answers),
    `all regions show the same, ${healMs.toFixed(0)} ms after the links were allowed again`,
  )
  stage.check(allEqual([HEALED, answers[0]]), 'and it is what the rules say:')
  stage.say('        motto   the SET with the highest stamp; the other one waits behind it')
  stage.say('        visits  every increment counts: 10 + 5 + 7 - 2')
  stage.say("        plums   C's HDEL had not seen A's 4, so the 4 stays")
  stage.say("        online  A's SREM had not seen B's new SADD of ann; C had seen bob go")
  stage.check(await agree(regions), `digests are equal: ${await regions[0]!.digest()}`)
  stage.say()
  await explain(stage, regions)
}

/** Who lost, as each region tells it, and that the loser was not thrown away. */
async function explain(stage: Stage, regions: readonly Region[]): Promise<void> {
  const told = await Promise.all(
    regions.map(async (region) => (await conflictsSeenBy(region)).find(({ key }) => key === 'motto')),
  )
  const [first] = told
  if (first !== undefined) {
    const { rule, winner, hidden } = first
    stage.say(
      `CRDT.CONFLICTS at ${regions[0]!.name}: key 'motto', rule '${rule}': '${winner.what}' of ${winner.region}`,
    )
    stage.say(
      `hides '${hidden.what}' of ${hidden.region}, which was written ${winner.atMs - hidden.atMs} ms earlier.`,
    )
  }
  stage.check(
    told.every(
      (one) =>
        one?.winner.what === 'storm' && one.hidden.what === 'calm' && one.winner.atMs > one.hidden.atMs,
    ),
    'every region reports that conflict and names the same winner, the later one',
  )
  const kept = await Promise.all(regions.map((region) => valuesUnder(region, 'motto')))
  stage.check(
    kept.every((values) => values.join() === 'calm,storm'),
    `CRDT.INSPECT motto still holds both everywhere: ${kept[0]!.join(', ')}`,
  )
}
