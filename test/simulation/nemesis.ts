/**
 * nemesis.ts: what goes wrong in a run: one fault at a time, drawn from the seed.
 */

import type { MemoryNetwork } from '../harness/memory-transport.ts'
import type { Prng } from '../harness/prng.ts'
import type { SimClock } from '../harness/sim-clock.ts'
import type { DiskCopy } from '../harness/sim-disk.ts'
import type { SimNode } from '../harness/sim-node.ts'
import { DARK_MS_MAX, FAULT_KINDS, type FaultKind, type SimOptions } from './options.ts'

/** How long a crash waits for a sync to strike into. */
const STRIKE_MS_MAX = 1200

/** How long a node that lost its disk is left in peace, to ask what it lacks. */
const REGAIN_MS_MAX = 10_000

/** What the nemesis asks of the run: regions that come and go. */
export interface Fleet {
  /** A new region starts, and is announced at that node. */
  join(at: SimNode): Promise<void>
  /** A region is removed at that node and stops. */
  leave(node: SimNode, at: SimNode): Promise<void>
  lostDisk(node: SimNode): void
  /** Every node hears every other, and takes it for a member. */
  readonly isWhole: boolean
}

export class Nemesis {
  readonly #prng: Prng
  readonly #options: SimOptions
  readonly #network: MemoryNetwork
  readonly #nodes: readonly SimNode[]
  readonly #clock: SimClock
  readonly #full = new Set<SimNode>()
  readonly #backups = new Map<SimNode, DiskCopy>()
  readonly #fleet: Fleet

  constructor(
    prng: Prng,
    options: SimOptions,
    network: MemoryNetwork,
    nodes: readonly SimNode[],
    clock: SimClock,
    fleet: Fleet,
  ) {
    this.#fleet = fleet
    this.#prng = prng
    this.#options = options
    this.#network = network
    this.#nodes = nodes
    this.#clock = clock
  }

  /** Time until the next fault, milliseconds. */
  pauseMs(): number {
    return this.#prng.random() * 2 * this.#options.faultEveryMs
  }

  /** Does one thing. @returns what, for the trace */
  async act(): Promise<string> {
    const prng = this.#prng
    const kind = prng.weighted(FAULT_KINDS.map((one) => [this.#options.faults[one], one] as const))
    const a = prng.pick(this.#nodes)
    const b = prng.pick(this.#nodes.filter((node) => node !== a))
    await this.#do(kind, a, b)
    return `${kind} ${a.name} ${b.name}`
  }

  async #do(kind: FaultKind, a: SimNode, b: SimNode): Promise<void> {
    const prng = this.#prng
    switch (kind) {
      case 'cut':
        this.#network.cut(a.name, b.name)
        break
      case 'heal':
        this.#reconnect(a, b)
        await this.#revive(a)
        break
      case 'stall':
        this.#network.stall(a.name, b.name)
        break
      case 'drop':
        this.#network.drop(a.name, b.name)
        break
      case 'kill':
      case 'power':
        if (prng.chance(0.5)) this.#clock.advance(STRIKE_MS_MAX, () => a.machine.disk.isBusy)
        a.crash(kind)
        // A quick restart is the dangerous one: nobody has noticed yet.
        if (prng.chance(0.5)) await this.#revive(a)
        break
      case 'restart':
        await a.stop(() => this.#clock.advance(1))
        if (prng.chance(0.7)) await this.#revive(a)
        break
      case 'jump':
        a.machine.wall.offsetMs += prng.pick([-60_000, -3000, -200, 200, 3000, 60_000])
        break
      case 'full':
        a.machine.disk.isFull = true
        this.#full.add(a)
        break
      case 'dark':
        await this.#isolate(a)
        break
      case 'wall':
        await this.#wall(a)
        break
      case 'wipe':
      case 'restore':
        await this.#loseDisk(a, kind)
        break
      case 'join':
        await this.#fleet.join(b)
        break
      case 'leave':
        await this.#fleet.leave(a, b)
        break
      case 'snapshot':
        a.core?.snapshotter.make()
        break
      case 'trim':
        this.#trim(this.#nodes[0]!)
        break
      case 'resync':
        a.core?.mesh.resync(b.name)
        break
    }
  }

  /** Everybody else goes on without it for a while, and may come to do so for good. */
  async #isolate(node: SimNode): Promise<void> {
    if (this.#options.darkMsMax > DARK_MS_MAX) return
    for (const other of this.#nodes) if (other !== node) this.#network.cut(node.name, other.name)
    await this.#waitInTheDark(node)
    for (const other of this.#nodes) if (other !== node) this.#network.heal(node.name, other.name)
  }

  /** It hears the others, and they hear of it, but what it knows of one of them the others cannot ask for. */
  async #wall(node: SimNode): Promise<void> {
    if (this.#options.darkMsMax > DARK_MS_MAX) return
    const others = this.#nodes.filter((other) => other !== node)
    this.#network.wall(node.name)
    for (const a of others) for (const b of others) if (a !== b) this.#network.cut(a.name, b.name)
    await this.#waitInTheDark(node)
    for (const a of others) for (const b of others) this.#network.heal(a.name, b.name)
    this.#network.unwall(node.name)
  }

  /** The node may restart meanwhile, and go on under another origin. */
  async #waitInTheDark(node: SimNode): Promise<void> {
    const waitMs = this.#options.darkMsMax * (0.5 + this.#prng.random())
    this.#clock.advance(waitMs / 2)
    if (this.#prng.chance(0.3)) {
      node.crash('kill')
      await this.#revive(node)
    }
    this.#clock.advance(waitMs / 2)
  }

  /**
   * Others must be there to give back what was lost; two disks lost at once are a loss of data. The node comes
   * back in reach of all of them: it asks one member only (algorithms.md, The horizon, 3), and that one may not
   * have yet what its region had acknowledged to another, or not know that it was suspended itself.
   */
  async #loseDisk(node: SimNode, kind: 'wipe' | 'restore'): Promise<void> {
    const { disk } = node.machine
    const others = this.#nodes.filter((other) => other !== node)
    if (others.some(({ core }) => core === undefined || core.keeper.lacking)) return
    const backup = this.#backups.get(node)
    if (kind === 'restore' && backup === undefined) {
      this.#backups.set(node, disk.copy())
      return
    }
    if (!this.#fleet.isWhole) return
    node.crash('power')
    disk.replaceAll(kind === 'restore' ? backup! : new Map())
    this.#fleet.lostDisk(node)
    for (const other of others) this.#reconnect(node, other)
    await this.#revive(node)
    this.#clock.advance(REGAIN_MS_MAX, () => node.core?.keeper.lacking !== true)
  }

  /**
   * The log goes up to the newest snapshot, whoever lacks it: who does needs that snapshot. Always of the
   * same region: of two that each lack what only a snapshot of the other still holds, none could adopt it.
   */
  #trim({ core, regionId }: SimNode): void {
    if (core?.store.newest === undefined) return
    // Where this one may be suspended it mints again what nobody else holds, and has to find it in its log: such
    // ops are never trimmed (algorithms.md, The horizon, 8).
    const own = [...core.applied.entries()].filter(([origin]) => origin.region === regionId)
    const isHeld = (id: string, seq: number): boolean =>
      this.#nodes.some((node) => node.core !== core && (node.vector.get(id) ?? 0) >= seq)
    const mayBeSuspended = this.#options.darkMsMax <= DARK_MS_MAX
    if (mayBeSuspended && !own.every(([{ id }, seq]) => isHeld(id, seq))) return
    const replayed = core.adoption.logNeededFrom ?? Number.POSITIVE_INFINITY
    core.log.trim(Math.min(core.store.newest.position, replayed))
  }

  #reconnect(a: SimNode, b: SimNode): void {
    this.#network.heal(a.name, b.name)
    this.#network.unstall(a.name, b.name)
    this.#network.unstall(b.name, a.name)
  }

  async #revive(node: SimNode): Promise<void> {
    if (this.#full.delete(node)) node.machine.disk.isFull = false
    if (node.core === undefined) await node.start()
  }

  /** Ends all faults. */
  async healAll(): Promise<void> {
    for (const a of this.#nodes) {
      for (const b of this.#nodes) {
        if (a !== b) this.#reconnect(a, b)
      }
    }
    for (const node of this.#nodes) await this.#revive(node)
  }
}
