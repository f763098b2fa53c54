/**
 * demo.ts: `npm start`: three regions on this machine, a demonstration with real clients, then an open
 * stage until Ctrl-C.
 *
 *   npm start                  the demonstration, then the regions stay up
 *   npm start -- --exit        the demonstration only; the exit code is 1 if a claim turned out false
 *   npm start -- --port 7201   other ports: 7201 to 7203 for clients, +1000 for admin, +2000 for sync
 *
 * Invariants: (1) every claim is computed from replies. (2) Whatever happens, the regions that were
 * started are ended.
 */
import { crashOne } from './acts/crash.ts'
import { cutAndWrite, heal } from './acts/cut-and-heal.ts'
import { writeAnywhere } from './acts/write-anywhere.ts'
import { planRegions } from './plan.ts'
import { Region } from './region.ts'
import type { Stage } from './stage.ts'
import { demonstrate, type Play, sentenceOf } from './theatre.ts'

const NAMES = ['A', 'B', 'C']
const FIRST_PORT = 7101

class ThreeRegions implements Play {
  readonly #folder: string
  readonly #regions: readonly Region[]

  constructor(folder: string, port: number) {
    this.#folder = folder
    this.#regions = planRegions(NAMES, port, folder).map((plan) => new Region(plan))
  }

  async perform(stage: Stage): Promise<void> {
    const regions = this.#regions
    stage.heading('Causeway: one database, three regions, each a process on this machine')
    await startAll(regions)
    stage.table(
      ['region', 'Redis clients', 'status'],
      regions.map(({ name, plan }) => [
        name,
        `127.0.0.1:${plan.port}`,
        `http://127.0.0.1:${plan.adminPort}/v1/status`,
      ]),
    )
    stage.say(`The data is in ${this.#folder}; appendfsync is everysec, as is Redis's default.`)
    await writeAnywhere(stage, regions)
    await cutAndWrite(stage, regions)
    await heal(stage, regions)
    await crashOne(stage, regions)
  }

  invite(stage: Stage): void {
    const [a, b] = this.#regions as readonly [Region, Region]
    stage.act('Your turn')
    stage.say('The regions stay up until you press Ctrl-C. Any Redis client will do:')
    stage.say()
    stage.say(`  redis-cli -p ${a.plan.port} CRDT.LINK ALL DOWN      cut A off`)
    stage.say(`  redis-cli -p ${a.plan.port} SADD online you         write on both sides`)
    stage.say(`  redis-cli -p ${b.plan.port} DEL online`)
    stage.say(`  redis-cli -p ${a.plan.port} CRDT.LINK ALL UP        heal`)
    stage.say(`  redis-cli -p ${b.plan.port} SMEMBERS online         what DEL had not seen is there`)
    stage.say(`  redis-cli -p ${a.plan.port} CRDT.CONFLICTS          what was hidden, and by which rule`)
    stage.say(`  curl http://127.0.0.1:${a.plan.adminPort}/metrics`)
  }

  async end(): Promise<void> {
    await Promise.all(this.#regions.map((region) => region.stop()))
  }
}

/** All at once; the first that cannot start says why, after the others have settled. */
async function startAll(regions: readonly Region[]): Promise<void> {
  const results = await Promise.allSettled(regions.map((region) => region.start()))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed === undefined) {
    await Promise.all(regions.map((region) => region.takesWrites()))
    return
  }
  throw new Error(`${sentenceOf(failed.reason)}\n          (other ports: npm start -- --port 7201)`)
}

process.exitCode = await demonstrate(FIRST_PORT, (folder, port) => new ThreeRegions(folder, port))
