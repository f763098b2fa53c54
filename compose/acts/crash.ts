/**
 * crash.ts: one region is killed while all three take writes, and comes back: nothing that was
 * acknowledged is missing anywhere.
 *
 * Each writer counts on its own what was acknowledged to it. A write that was sent and never answered may
 * or may not have happened; both are right.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { awaitAgreement, connect, type Region } from '../region.ts'
import type { Stage } from '../stage.ts'
import { agree } from './views.ts'

const BEFORE_KILL_MS = 600
const WHILE_DEAD_MS = 600
/** Writes that the region acknowledges after its return, before the writers stop. */
const AFTER_RETURN_WRITES = 500
const AFTER_RETURN_MS_MAX = 10_000
/** Writes of one writer that wait for their replies at a time. */
const IN_FLIGHT = 16
/** Between two writes of such a lane: the machine is to be busy, not drowned. */
const PAUSE_MS = 2
const COUNTER = 'crash:count'
const MEMBERS = 'crash:members'

export async function crashOne(stage: Stage, regions: readonly Region[]): Promise<void> {
  stage.act('Kill one region in the middle of writes (kill -9), and bring it back')
  const victim = regions[1]!
  const originsBefore = originsOf(await victim.vector(), victim.plan.id)

  const writers = regions.map((region) => new Writer(region))
  const working = writers.map((writer) => writer.work())
  await delay(BEFORE_KILL_MS)
  await victim.process.kill()
  const atKill = writers[1]!.acknowledged.length
  stage.say(`Region ${victim.name} was killed after it had acknowledged ${count(atKill)} of these writes.`)
  await delay(WHILE_DEAD_MS)
  victim.disconnect()
  const start = performance.now()
  await victim.start()
  const backMs = performance.now() - start
  const second = new Writer(victim, 'again')
  working.push(second.work())
  await second.acknowledges(AFTER_RETURN_WRITES)
  for (const writer of [...writers, second]) writer.stop()
  await Promise.all(working)
  const agreeMs = await awaitAgreement(regions)
  stage.say(`It serves again after ${backMs.toFixed(0)} ms, process start and recovery included.`)
  stage.say(`All regions agree ${agreeMs.toFixed(0)} ms after the last write.`)

  const all = [...writers, second]
  const rows = await Promise.all(regions.map((region) => inspect(region, all)))
  stage.table(
    ['read at', 'acknowledged', 'found', 'missing', 'counter'],
    rows.map(({ name, acknowledged, missing, counter }) => [
      name,
      count(acknowledged),
      count(acknowledged - missing),
      count(missing),
      count(counter),
    ]),
  )
  const least = all.reduce((sum, { increments }) => sum + increments.acknowledged, 0)
  const most = all.reduce((sum, { increments }) => sum + increments.sent, 0)
  stage.check(
    rows.every(({ missing, acknowledged }) => missing === 0 && acknowledged > 0),
    'no acknowledged member is missing in any region',
  )
  stage.check(
    rows.every(({ counter }) => counter >= least && counter <= most),
    `the counter is the sum of ${count(least)} acknowledged increments` +
      ` and ${count(rows[0]!.counter - least)} of ${count(most - least)} unanswered ones`,
  )
  const originsAfter = originsOf(await victim.vector(), victim.plan.id)
  stage.check(
    originsAfter.length > originsBefore.length,
    `${victim.name} writes under a new origin (${originsAfter.length} now), so no op's name is used twice`,
  )
  stage.check(await agree(regions), 'vectors and digests are equal')
  stage.say()
  stage.say('(A killed process leaves what the system took for it. What a power cut may cost')
  stage.say('depends on appendfsync: up to a second with everysec, nothing with always.)')
}

/** Sends increments and additions until it is stopped or its region is gone. */
class Writer {
  readonly acknowledged: string[] = []
  readonly increments = { sent: 0, acknowledged: 0 }
  readonly #region: Region
  readonly #tag: string
  #next = 0
  #stopped = false

  constructor(region: Region, tag = 'first') {
    this.#region = region
    this.#tag = tag
  }

  stop(): void {
    this.#stopped = true
  }

  /** Waits for so many acknowledged writes, for a while. */
  async acknowledges(writes: number): Promise<void> {
    const deadline = performance.now() + AFTER_RETURN_MS_MAX
    while (this.acknowledged.length < writes && performance.now() < deadline) await delay(PAUSE_MS)
  }

  async work(): Promise<void> {
    const client = await connect(this.#region.plan.port)
    const lane = async (): Promise<void> => {
      while (!this.#stopped) {
        this.increments.sent++
        await client.incr(COUNTER)
        this.increments.acknowledged++
        const member = `${this.#region.name}:${this.#tag}:${this.#next++}`
        await client.sadd(MEMBERS, member)
        this.acknowledged.push(member)
        await delay(PAUSE_MS)
      }
    }
    // A lane whose region died is over; the others die with it, one after another.
    await Promise.allSettled(Array.from({ length: IN_FLIGHT }, lane))
    client.disconnect()
  }
}

interface Inspection {
  readonly name: string
  readonly acknowledged: number
  readonly missing: number
  readonly counter: number
}

async function inspect(region: Region, writers: readonly Writer[]): Promise<Inspection> {
  const present = new Set(await region.client.smembers(MEMBERS))
  const acknowledged = writers.flatMap((writer) => writer.acknowledged)
  return {
    name: region.name,
    acknowledged: acknowledged.length,
    missing: acknowledged.filter((member) => !present.has(member)).length,
    counter: Number(await region.client.get(COUNTER)),
  }
}

/** The origins of one region in a vector's text: `1-0a1b2c 17 2-3d4e5f 4 ...`. */
function originsOf(vector: string, regionId: number): string[] {
  return vector.split(' ').filter((word) => word.startsWith(`${regionId}-`))
}

function count(number: number): string {
  return number.toLocaleString('en-US')
}
