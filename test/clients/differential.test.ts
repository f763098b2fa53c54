/**
 * differential.test.ts: the same random commands to Causeway and to redis-server, every reply compared: to an
 * engine in this process, which is quick, and to a node in a process of its own.
 *
 *   DIFFERENTIAL_COMMANDS=1000000 DIFFERENTIAL_SEED=7 npx vitest run test/clients/differential.test.ts
 *   npm run differential -- --commands 1000000 --seed 7
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commandTable } from '../../region-node/commands/families.ts'
import { RawClient } from '../harness/raw-client.ts'
import { RedisReference, redisIsInstalled } from '../harness/redis-reference.ts'
import { RegionProcess } from '../harness/region-process.ts'
import { TestEngine } from '../harness/test-engine.ts'
import { type Command, NODE_SETTINGS, report, runDifferential, type Side } from './differential-run.ts'
import { BLOCKING } from './random-commands.ts'

const SEED = Number(process.env.DIFFERENTIAL_SEED ?? 1)
/** To the engine and to the node. */
const ENGINE_COMMANDS = Number(process.env.DIFFERENTIAL_COMMANDS ?? 30_000)
const NODE_COMMANDS = 10_000
/** A thousand commands in a minute are enough on the slowest machine. */
const TIMEOUT_MS = 30_000 + ENGINE_COMMANDS * 60

/** An engine as a server of one client. Nothing ends its waits, so nothing may wait. */
class EngineSide implements Side {
  /** It has no peers. */
  readonly #engine = new TestEngine(1, { streamIdMode: 'liberal', publish: () => {}, links: () => [] })
  readonly #session = this.#engine.session()

  exchangeAll(commands: readonly Command[]): Promise<string[]> {
    const { journal } = this.#engine
    this.#engine.wallMs = Math.max(this.#engine.wallMs, Date.now())
    const replies = commands.map((words) => {
      this.#engine.engine.execute(this.#session, words)
      return this.#session.out.take()
    })
    journal.records.length = 0
    return Promise.resolve(replies)
  }
}

describe.skipIf(!redisIsInstalled).each([2, 3] as const)(
  'random commands by RESP%i, against redis-server',
  (protocol) => {
    let redis: RedisReference

    beforeAll(async () => {
      redis = await RedisReference.start()
    })

    afterAll(() => redis?.stop())

    async function compare(ours: Side, commands: number, has: (name: string) => boolean): Promise<void> {
      const seed = SEED * 10 + protocol
      const { finding } = await runDifferential({ redis, ours, commands, seed, protocol, has })
      if (finding !== undefined) expect.fail(`seed ${seed}, ${report(finding)}`)
    }

    it('an engine', { timeout: TIMEOUT_MS }, async () => {
      const has = (name: string): boolean => commandTable.get(name) !== undefined && !BLOCKING.has(name)
      await compare(new EngineSide(), ENGINE_COMMANDS, has)
    })

    it('a node', { timeout: TIMEOUT_MS }, async () => {
      const node = await RegionProcess.prepare({ name: 'A', id: 1, settings: NODE_SETTINGS })
      try {
        await node.start()
        const ours = await RawClient.connect('the node', node.ports.port)
        await compare(ours, NODE_COMMANDS, (name) => commandTable.get(name) !== undefined)
        ours.close()
      } finally {
        await node.dispose()
      }
    })
  },
)
