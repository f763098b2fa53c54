/**
 * sim-mesh.ts: a few regions of the simulator on a quiet network, for tests that drive them by hand.
 *
 * A region may have more nodes than the one that has its name: `A2`, `A3`. They begin as replicas of `A`.
 */
import type { SettingValues } from '../../region-node/config.ts'
import type { NodeCore } from '../../region-node/core.ts'
import type { Reply } from '../../region-node/resp/parse-reply.ts'
import { MemoryNetwork } from './memory-transport.ts'
import { Prng } from './prng.ts'
import { type SentCommand, SimClient } from './sim-client.ts'
import { SimClock } from './sim-clock.ts'
import { SimDisk } from './sim-disk.ts'
import { SimWallClock } from './sim-env.ts'
import { quietObserver, SimNode, type SimNodeObserver } from './sim-node.ts'

const ANSWER_MS_MAX = 2000
const SETTLE_MS_MAX = 120_000

export class SimMesh {
  readonly clock = new SimClock()
  readonly network: MemoryNetwork
  readonly #nodes = new Map<string, SimNode>()
  readonly #clients = new Map<string, SimClient>()

  /**
   * @param names  one letter each; none is started
   * @param more  further nodes of these regions
   */
  constructor(
    names: string,
    settings: Partial<SettingValues> = {},
    seed = 1,
    observer: SimNodeObserver = quietObserver,
    more: readonly string[] = [],
  ) {
    const prng = new Prng(seed)
    const { clock } = this
    const chance = prng.fork('network')
    this.network = new MemoryNetwork({
      after: (delayMs, task) => clock.after(delayMs, task),
      monoMs: () => clock.nowMs,
      random: () => chance.random(),
    })
    const all = [...names, ...more]
    for (const name of all) {
      const region = name[0]!
      const own = prng.fork(name)
      const disk = new SimDisk(clock, own.fork('disk'), {
        syncMsMin: 0.1,
        syncMsMax: 2,
        slowSyncChance: 0,
        slowSyncMs: 0,
        syncErrorChance: 0,
        pageBytes: 64,
      })
      const peer = all.filter((other) => other[0] !== region)
      const node = new SimNode(
        {
          region,
          'region-id': names.indexOf(region) + 1,
          dir: '/data',
          'sync-port': 1,
          'sync-secret': 'secret',
          peer: peer.map((other) => ({ name: other[0]!, url: `memory:${other}` })),
          'replica-announce-ip': name,
          'replica-announce-port': 1,
          'replica-of': name === region ? '' : `${region}:1`,
          ...settings,
        },
        {
          clock,
          network: this.network,
          disk,
          wall: new SimWallClock(clock, 0, 1),
          prng: own.fork('process'),
        },
        observer,
        name,
      )
      this.#nodes.set(name, node)
      this.#clients.set(name, new SimClient(node, () => {}))
    }
  }

  node(name: string): SimNode {
    return this.#nodes.get(name)!
  }

  core(name: string): NodeCore {
    return this.node(name).core!
  }

  async start(names: Iterable<string>): Promise<void> {
    for (const name of names) await this.node(name).start()
  }

  /** Runs a command and lets time pass until it is answered. */
  run(name: string, ...words: string[]): Reply | undefined {
    const [sent] = this.#clients.get(name)!.send([words])
    this.clock.advance(ANSWER_MS_MAX, () => sent!.answeredMs !== undefined)
    return sent!.reply
  }

  /** Sends a command, and lets no time pass. */
  send(name: string, ...words: string[]): SentCommand {
    return this.#clients.get(name)!.send([words])[0]!
  }

  pass(ms: number): void {
    this.clock.advance(ms)
  }

  /** A long stretch in which nobody does anything: links are found silent behind it, and dialed anew. */
  leap(ms: number): void {
    this.clock.leap(ms)
  }

  /** Lets time pass until `isSo`. @throws Error when it does not become so */
  until(isSo: () => boolean): void {
    const endMs = this.clock.nowMs + SETTLE_MS_MAX
    while (!isSo()) {
      if (this.clock.nowMs > endMs) throw new Error(`not so after ${SETTLE_MS_MAX} ms`)
      this.clock.advance(1)
    }
  }

  /** Lets time pass until all of them have applied the same ops. */
  settle(names: Iterable<string>): void {
    const [first, ...others] = names
    const vectorOf = (name: string) => this.core(name).applied.toWire().join()
    this.until(() => others.every((name) => vectorOf(name) === vectorOf(first!)))
  }

  digest(name: string): string {
    return this.core(name).engine.keyspace.digest()
  }

  crash(name: string, how: 'kill' | 'power'): void {
    this.node(name).crash(how)
    this.#clients.get(name)!.lose()
  }
}
