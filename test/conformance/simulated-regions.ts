/**
 * simulated-regions.ts: the regions of a case as nodes of the simulator.
 *
 * Time is virtual, so every case gets fresh nodes with empty disks, for every seed. A seed decides in which
 * order links heal and how long messages take; so it decides which region's ops arrive first where, and
 * whether they come directly or through the third region.
 */
import type { Reply } from '../../region-node/resp/parse-reply.ts'
import { MemoryNetwork } from '../harness/memory-transport.ts'
import { Prng } from '../harness/prng.ts'
import { SimClient } from '../harness/sim-client.ts'
import { SimClock } from '../harness/sim-clock.ts'
import { SimDisk } from '../harness/sim-disk.ts'
import { SimWallClock } from '../harness/sim-env.ts'
import { SimNode, type SimNodeObserver } from '../harness/sim-node.ts'
import { REGION_NAMES, type RegionName } from '../harness/three-regions.ts'
import type { ConflictCase } from './case.ts'
import type { CaseRegions } from './run-case.ts'

/** Virtual milliseconds in which a command must be answered, and a sync be done. */
const ANSWER_MS_MAX = 1000
const SYNC_MS_MAX = 60_000
const SYNC_STEP_MS = 1
/** Longest delay of a message, drawn per seed, milliseconds. */
const DELAYS_MS = [1, 10, 40] as const
/** Between the healing of two links: at once, or so long that the third region relays meanwhile. */
const HEAL_PAUSES_MS = [0, 0, 5, 300] as const

/** What the simulator can do that a case may ask for. */
export const SIMULATED_ABILITIES: ReadonlySet<string> = new Set(['partial-sync', 'sleep', 'same-timestamp'])

/** Nothing is watched here: the answers are what is judged. */
const observer: SimNodeObserver = {
  recovered() {},
  minted() {},
  received() {},
  stopping() {},
  ended() {},
  lostPower() {},
  broke(_node, error) {
    throw error
  },
}

export interface SimulatedOptions {
  readonly seed: number
  readonly appendfsync: 'always' | 'everysec' | 'no'
}

export class SimulatedRegions implements CaseRegions {
  readonly #names: readonly RegionName[]
  readonly #prng: Prng
  readonly #clock = new SimClock()
  readonly #nodes = new Map<RegionName, SimNode>()
  readonly #clients = new Map<RegionName, SimClient>()
  /** Links that are healed, from the one that pulls to the one it pulls from. */
  readonly #healed = new Set<string>()

  private constructor(conflictCase: ConflictCase, { seed, appendfsync }: SimulatedOptions) {
    const { id, regions, config = {}, requires = [] } = conflictCase
    this.#names = REGION_NAMES.slice(0, regions)
    this.#prng = new Prng(seed).fork(id)
    const clock = this.#clock
    const chance = this.#prng.fork('network')
    const network = new MemoryNetwork(
      {
        after: (delayMs, task) => clock.after(delayMs, task),
        monoMs: () => clock.nowMs,
        random: () => chance.random(),
      },
      { delayMsMin: 0.1, delayMsMax: chance.pick(DELAYS_MS) },
    )
    // A clock at rest gives concurrent writes one and the same time.
    const rate = requires.includes('same-timestamp') ? 0 : 1
    for (const name of this.#names) {
      const prng = this.#prng.fork(name)
      const settings = {
        ...config,
        region: name,
        'region-id': REGION_NAMES.indexOf(name) + 1,
        dir: '/data',
        'sync-port': 1,
        'sync-secret': 'secret',
        peer: this.#peersOf(name).map((other) => ({ name: other, url: `memory:${other}` })),
        appendfsync,
      }
      const machine = {
        clock,
        network,
        disk: new SimDisk(clock, prng.fork('disk'), {
          syncMsMin: 0.1,
          syncMsMax: 2,
          slowSyncChance: 0,
          slowSyncMs: 0,
          syncErrorChance: 0,
          pageBytes: 512,
        }),
        wall: new SimWallClock(clock, 0, rate),
        prng: prng.fork('process'),
      }
      const node = new SimNode(settings, machine, observer)
      this.#nodes.set(name, node)
      this.#clients.set(name, new SimClient(node, () => {}))
    }
  }

  static async start(conflictCase: ConflictCase, options: SimulatedOptions): Promise<SimulatedRegions> {
    const regions = new SimulatedRegions(conflictCase, options)
    for (const name of regions.#names) await regions.#startNode(name)
    return regions
  }

  #peersOf(name: RegionName): RegionName[] {
    return this.#names.filter((other) => other !== name)
  }

  /** No time passes before the links are cut. */
  async #startNode(name: RegionName): Promise<void> {
    const node = this.#nodes.get(name)!
    await node.start()
    for (const other of this.#peersOf(name)) node.core!.mesh.setLink(other, this.#healed.has(name + other))
  }

  async command(region: RegionName, words: readonly string[]): Promise<Reply> {
    const [sent] = this.#clients.get(region)!.send([words])
    this.#clock.advance(ANSWER_MS_MAX, () => sent!.answeredMs !== undefined)
    if (sent!.reply === undefined) throw new Error(`region ${region} did not answer ${words[0]}`)
    return sent!.reply
  }

  async sync(names: readonly RegionName[]): Promise<void> {
    const links = names.flatMap((name) =>
      names.filter((other) => name < other).map((other) => [name, other] as const),
    )
    while (links.length > 0) {
      const [[a, b]] = links.splice(this.#prng.below(links.length), 1) as [(typeof links)[number]]
      this.#setLink(a, b, true)
      if (links.length > 0) this.#clock.advance(this.#prng.pick(HEAL_PAUSES_MS))
    }
    const endMs = this.#clock.nowMs + SYNC_MS_MAX
    while (!this.#areEqual(names)) {
      if (this.#clock.nowMs > endMs)
        throw new Error(`${names.join(', ')} are not equal after ${SYNC_MS_MAX} ms`)
      this.#clock.advance(SYNC_STEP_MS)
    }
    await this.cutAll()
  }

  #setLink(a: RegionName, b: RegionName, up: boolean): void {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      if (up) this.#healed.add(from + to)
      else this.#healed.delete(from + to)
      this.#nodes.get(from)!.core!.mesh.setLink(to, up)
    }
  }

  #areEqual(names: readonly RegionName[]): boolean {
    const vectors = names.map((name) => JSON.stringify([...this.#nodes.get(name)!.vector].sort()))
    return vectors.every((vector) => vector === vectors[0])
  }

  async cutAll(): Promise<void> {
    for (const name of this.#names) {
      for (const other of this.#peersOf(name)) if (name < other) this.#setLink(name, other, false)
    }
  }

  async pass(ms: number): Promise<void> {
    this.#clock.advance(ms)
  }

  /** Every machine loses its power, and what it had not synced; then all start again. */
  async losePower(): Promise<void> {
    for (const name of this.#names) {
      this.#nodes.get(name)!.crash('power')
      this.#clients.get(name)!.lose()
    }
    for (const name of this.#names) await this.#startNode(name)
  }
}
