/**
 * simulated-regions.ts: the regions of a case as nodes of the simulator.
 *
 * Time is virtual, so every case gets fresh nodes with empty disks, for every seed. A seed decides in which
 * order links heal and how long messages take; so it decides which region's ops arrive first where, and
 * whether they come directly or through the third region.
 */
import type { NodeCore } from '../../region-node/core.ts'
import type { Reply } from '../../region-node/resp/parse-reply.ts'
import { LogTrimmed } from '../../sync/log-trimmed.ts'
import { MemoryNetwork } from '../harness/memory-transport.ts'
import { Prng } from '../harness/prng.ts'
import { SimClient } from '../harness/sim-client.ts'
import { SimClock } from '../harness/sim-clock.ts'
import { SimDisk } from '../harness/sim-disk.ts'
import { SimWallClock } from '../harness/sim-env.ts'
import { quietObserver, SimNode } from '../harness/sim-node.ts'
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

/** Lets the node's log serve nobody who lacks anything: it is as if all of it had been trimmed. */
function withholdOps({ log, applied, snapshots: { shelf } }: NodeCore): void {
  const lease = shelf.lease.bind(shelf)
  shelf.lease = (id) => {
    const found = lease(id)
    if (found === undefined || found.vector.covers(applied)) return found
    found.release()
    return undefined
  }
  const seek = log.seek.bind(log)
  log.seek = (vector, wanted) => {
    // Peers want some origins, the node itself all.
    if (wanted !== undefined && !vector.covers(applied)) throw new LogTrimmed('no op travels in this test')
    return seek(vector, wanted)
  }
}

export interface SimulatedOptions {
  readonly seed: number
  readonly appendfsync: 'always' | 'everysec' | 'no'
  /** No op travels: whatever a region lacks comes by a snapshot, and then it is rebuilt from a snapshot. */
  readonly bySnapshot?: boolean
}

export class SimulatedRegions implements CaseRegions {
  readonly #names: readonly RegionName[]
  readonly #prng: Prng
  readonly #clock = new SimClock()
  readonly #nodes = new Map<RegionName, SimNode>()
  readonly #clients = new Map<RegionName, SimClient>()
  /** Links that are healed, from the one that pulls to the one it pulls from. */
  readonly #healed = new Set<string>()
  readonly #bySnapshot: boolean
  /** Snapshots that regions have switched to. */
  adoptions = 0

  private constructor(
    conflictCase: ConflictCase,
    { seed, appendfsync, bySnapshot = false }: SimulatedOptions,
  ) {
    const { id, regions, config = {}, requires = [] } = conflictCase
    this.#bySnapshot = bySnapshot
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
      const counting = { ...quietObserver, adopted: () => this.adoptions++ }
      const node = new SimNode(settings, machine, counting)
      this.#nodes.set(name, node)
      this.#clients.set(name, new SimClient(node, () => {}))
    }
  }

  static async start(conflictCase: ConflictCase, options: SimulatedOptions): Promise<SimulatedRegions> {
    const regions = new SimulatedRegions(conflictCase, options)
    for (const name of regions.#names) await regions.#startNode(name)
    await regions.#meet()
    return regions
  }

  /** New regions take writes once they have heard each other. */
  async #meet(): Promise<void> {
    for (const name of this.#names) {
      for (const other of this.#peersOf(name)) if (name < other) this.#setLink(name, other, true)
    }
    const mayAllWrite = () =>
      [...this.#nodes.values()].every(({ core }) => core!.engine.refusal === undefined)
    this.#clock.advance(SYNC_MS_MAX, mayAllWrite)
    await this.cutAll()
  }

  #peersOf(name: RegionName): RegionName[] {
    return this.#names.filter((other) => other !== name)
  }

  /** No time passes before the links are cut. */
  async #startNode(name: RegionName): Promise<void> {
    const node = this.#nodes.get(name)!
    await node.start()
    if (this.#bySnapshot) withholdOps(node.core!)
    for (const other of this.#peersOf(name)) node.core!.mesh.setLink(other, this.#healed.has(name + other))
  }

  async command(region: RegionName, words: readonly string[]): Promise<Reply> {
    const [sent] = this.#clients.get(region)!.send([words])
    this.#clock.advance(ANSWER_MS_MAX, () => sent!.answeredMs !== undefined)
    if (sent!.reply === undefined) throw new Error(`region ${region} did not answer ${words[0]}`)
    return sent!.reply
  }

  async sync(names: readonly RegionName[]): Promise<void> {
    if (this.#bySnapshot) await this.#syncBySnapshot(names)
    else await this.#syncByOps(names)
    await this.cutAll()
  }

  async #syncByOps(names: readonly RegionName[]): Promise<void> {
    const links = names.flatMap((name) =>
      names.filter((other) => name < other).map((other) => [name, other] as const),
    )
    while (links.length > 0) {
      const [[a, b]] = links.splice(this.#prng.below(links.length), 1) as [(typeof links)[number]]
      this.#setLink(a, b, true)
      if (links.length > 0) this.#clock.advance(this.#prng.pick(HEAL_PAUSES_MS))
    }
    this.#awaitEqual(names)
  }

  #awaitEqual(names: readonly RegionName[]): void {
    const endMs = this.#clock.nowMs + SYNC_MS_MAX
    while (!this.#areEqual(names)) {
      if (this.#clock.nowMs > endMs)
        throw new Error(`${names.join(', ')} are not equal after ${SYNC_MS_MAX} ms`)
      this.#clock.advance(SYNC_STEP_MS)
    }
  }

  /**
   * One link after the other, there and back, in an order drawn from the seed: what a snapshot brought is in
   * no log, so of three regions that fetched from each other in a ring none could go on.
   */
  async #syncBySnapshot(names: readonly RegionName[]): Promise<void> {
    const order = [...names].sort(() => this.#prng.random() - 0.5)
    const chain = order.slice(1).map((name, i) => [order[i]!, name] as const)
    for (const [a, b] of [...chain, ...chain.slice(0, -1).reverse()]) {
      this.#setLink(a, b, true)
      this.#awaitEqual([a, b])
      this.#rebuild(a, b)
      this.#setLink(a, b, false)
    }
  }

  /** CRDT.LINK RESYNC, though nothing is missing: everything is replaced by what the other one holds. */
  #rebuild(a: RegionName, b: RegionName): void {
    const { mesh } = this.#nodes.get(a)!.core!
    const endMs = this.#clock.nowMs + SYNC_MS_MAX
    const isOver = this.adoptions + 1
    // Regions that are equal from the start may not even be linked yet.
    while (this.adoptions < isOver) {
      if (this.#clock.nowMs > endMs) throw new Error(`${a} is not rebuilt from ${b} after ${SYNC_MS_MAX} ms`)
      mesh.resync(b)
      this.#clock.advance(SYNC_STEP_MS)
    }
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

  /** Every machine loses its power once it has synced what a case may read; then all start again. */
  async losePower(): Promise<void> {
    const isDurable = (name: RegionName) =>
      this.#nodes.get(name)!.core!.durable.covers(this.#nodes.get(name)!.core!.applied)
    for (const name of this.#names) while (!isDurable(name)) this.#clock.advance(SYNC_STEP_MS)
    for (const name of this.#names) {
      this.#nodes.get(name)!.crash('power')
      this.#clients.get(name)!.lose()
    }
    for (const name of this.#names) await this.#startNode(name)
  }
}
