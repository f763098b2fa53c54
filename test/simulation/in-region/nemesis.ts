/**
 * nemesis.ts: what goes wrong in a run, drawn from its seed: faults begin, last for a while, and end.
 *
 * Several may last at once. What is promised for single failures only is looked after here: no disk is lost while
 * another one is missing, no lease is revoked whose holder cannot hear of it, and a coordinator that was put back is
 * left in peace until a primary has told it what it has forgotten.
 */
import type { StoreImage } from '../../../region-node/coordinator/document-store.ts'
import type { MemoryNetwork } from '../../harness/memory-transport.ts'
import type { Prng } from '../../harness/prng.ts'
import type { SimClock } from '../../harness/sim-clock.ts'
import type { DiskCopy } from '../../harness/sim-disk.ts'
import type { Machine } from './machine.ts'
import { FAULT_KINDS, type FaultKind, type InRegionOptions } from './options.ts'
import type { Region } from './region.ts'

/** How long a crash waits for a sync to strike into. */
const STRIKE_MS_MAX = 500
/** For a primary to hear that its lease was revoked. */
const HEARD_MS = 100
const HAND_OVER_MS_MAX = 3000
/** For a region to tell a coordinator that was put back what it has forgotten. */
const REWOUND_MS_MAX = 10_000

export interface NemesisPorts {
  readonly options: InRegionOptions
  readonly prng: Prng
  readonly clock: SimClock
  readonly network: MemoryNetwork
  readonly regions: readonly Region[]
  /** Other files took the place of those of a machine; no process runs. */
  lostFiles(machine: Machine): void
}

interface Fault {
  readonly endMs: number
  readonly end: () => Promise<void> | void
}

export class Nemesis {
  readonly #ports: NemesisPorts
  /** Of coordinators: the first are made when faults begin. */
  readonly #backups = new Map<Region, StoreImage>()
  readonly #copies = new Map<Machine, DiskCopy>()
  /** Those whose end is ahead. */
  #faults: Fault[] = []

  constructor(ports: NemesisPorts) {
    this.#ports = ports
  }

  /** Lets one fault begin. @returns what, for the trace; undefined: it was not to be had */
  async act(): Promise<string | undefined> {
    const { prng, options, regions } = this.#ports
    for (const one of regions) if (!this.#backups.has(one)) this.#backups.set(one, one.store.backup())
    const kind = prng.weighted(FAULT_KINDS.map((one) => [options.faults[one], one] as const))
    const region = prng.pick(regions)
    // Primaries are where it hurts.
    const primary = region.machines.find(({ isPrimary }) => isPrimary)
    const machine = primary !== undefined && prng.chance(0.5) ? primary : prng.pick(region.machines)
    const what = await this.begin(kind, region, machine, 50 + prng.random() * options.faultMsMax)
    return what ? `${kind} ${machine.name}` : undefined
  }

  /** When the next fault ends; Infinity: none is under way. */
  get nextEndMs(): number {
    return Math.min(...this.#faults.map(({ endMs }) => endMs))
  }

  /** Ends those that are due. */
  async endDue(): Promise<void> {
    const { nowMs } = this.#ports.clock
    const due = this.#faults.filter(({ endMs }) => endMs <= nowMs)
    this.#faults = this.#faults.filter(({ endMs }) => endMs > nowMs)
    for (const { end } of due) await end()
  }

  /** Ends all faults. Every machine runs then. */
  async healAll(): Promise<void> {
    const faults = this.#faults
    this.#faults = []
    for (const { end } of faults) await end()
    for (const { machines } of this.#ports.regions)
      for (const machine of machines) await this.#revive(machine)
  }

  #later(ms: number, end: () => Promise<void> | void): true {
    this.#faults.push({ endMs: this.#ports.clock.nowMs + ms, end })
    return true
  }

  /** @returns false when it was not to be had */
  async begin(kind: FaultKind, region: Region, machine: Machine, ms: number): Promise<boolean> {
    const { prng, clock } = this.#ports
    const { disk, wall } = machine.node.machine
    switch (kind) {
      case 'kill':
      case 'power':
        if (prng.chance(0.5)) clock.advance(STRIKE_MS_MAX, () => disk.isBusy)
        machine.crash(kind)
        // A quick restart is the dangerous one: nobody has noticed yet.
        return this.#later(prng.chance(0.3) ? 0 : ms, () => this.#revive(machine))
      case 'restart':
        if (!machine.isWell || disk.isFull || disk.isStuck) return false
        await machine.stop(() => clock.advance(1))
        return this.#later(prng.chance(0.5) ? 0 : ms, () => this.#revive(machine))
      case 'rack':
        return this.#loseRack(region, machine, ms)
      case 'freeze':
        return this.#freeze(machine, prng.chance(0.3) ? 2 * ms : ms)
      case 'cut':
      case 'deaf':
        return this.#cut(kind, region, machine, ms)
      case 'isolate':
        return this.#isolate(region, machine, ms)
      case 'uncoordinated':
      case 'unanswered':
        machine.cutCoordinator(kind === 'unanswered' ? 'answers' : 'both')
        return this.#later(ms, () => machine.healCoordinator())
      case 'revoke':
        return this.#revoke(region)
      case 'halt':
        if (region.store.isHalted) return false
        region.store.halt()
        return this.#later(ms, () => region.store.goOn())
      case 'rewind':
        return this.#rewind(region)
      case 'hand-over':
        return this.#handOver(region)
      case 'apart':
      case 'one-way':
      case 'flap':
        return this.#partRegions(kind, region, ms)
      case 'jump':
        wall.offsetMs += prng.pick([-600_000, -3000, -200, 200, 3000, 600_000])
        return true
      case 'slow-disk':
        disk.extraMs = prng.pick([300, 2000, 5000])
        return this.#later(ms, () => {
          disk.extraMs = 0
        })
      case 'stuck-disk':
        disk.stick()
        return this.#later(ms, () => disk.loosen())
      case 'full-disk':
        disk.isFull = true
        return this.#later(ms, () => this.#emptyDisk(machine))
      case 'wipe':
        return this.#loseFiles(region, machine, ms)
      case 'trim':
        this.#trim(machine)
        return true
      case 'memory':
        for (const { node } of region.machines) node.memory.isTaken = true
        return this.#later(ms, () => {
          for (const { node } of region.machines) node.memory.isTaken = false
        })
    }
  }

  #loseRack(region: Region, { zone }: Machine, ms: number): boolean {
    const lost = region.machines.filter((machine) => machine.zone === zone)
    const how = this.#ports.prng.pick(['kill', 'power'] as const)
    for (const machine of lost) machine.crash(how)
    return this.#later(ms, async () => {
      for (const machine of lost) await this.#revive(machine)
    })
  }

  #freeze(machine: Machine, ms: number): boolean {
    if (!machine.isUp || machine.isFrozen) return false
    machine.freeze()
    const { core } = machine
    const first = this.#ports.prng.pick(['timers', 'input'] as const)
    return this.#later(ms, () => {
      if (machine.core === core) machine.thaw(first)
    })
  }

  #cut(kind: 'cut' | 'deaf', region: Region, { name }: Machine, ms: number): boolean {
    const { prng, network } = this.#ports
    const others = region.machines.filter((one) => one.name !== name)
    if (others.length === 0) return false
    const other = prng.pick(others).name
    if (kind === 'cut') network.cut(name, other)
    else network.stall(...(prng.chance(0.5) ? ([name, other] as const) : ([other, name] as const)))
    return this.#later(ms, () => this.#join(name, other))
  }

  #isolate(region: Region, machine: Machine, ms: number): boolean {
    const { prng, network, regions } = this.#ports
    // Its links to other regions may well go on.
    const isAll = prng.chance(0.5)
    const others = (isAll ? regions : [region])
      .flatMap(({ machines }) => machines)
      .filter((one) => one !== machine)
    const isSilent = prng.chance(0.5)
    for (const { name } of others) {
      if (!isSilent) network.cut(machine.name, name)
      else for (const [from, to] of bothWays(machine.name, name)) network.stall(from, to)
    }
    const hasCoordinator = prng.chance(0.25)
    if (!hasCoordinator) machine.cutCoordinator('both')
    return this.#later(ms, () => {
      for (const { name } of others) this.#join(machine.name, name)
      if (!hasCoordinator) machine.healCoordinator()
    })
  }

  #revoke(region: Region): boolean {
    const primary = region.machines.find(({ isPrimary }) => isPrimary)
    if (primary?.lease === undefined || !primary.isWell || region.store.isHalted) return false
    const { id } = primary.lease
    region.store.perform((documents) => documents.revoke(id))
    this.#ports.clock.advance(HEARD_MS)
    return true
  }

  /** As it was when this was asked for the last time. */
  #rewind(region: Region): boolean {
    const backup = this.#backups.get(region)
    if (!region.machines.some(({ isPrimary, isWell }) => isPrimary && isWell) || region.store.isHalted)
      return false
    this.#backups.set(region, region.store.backup())
    if (backup === undefined) return false
    region.store.restore(backup)
    this.#ports.clock.advance(REWOUND_MS_MAX, () => region.isUpToDate)
    return true
  }

  #handOver(region: Region): boolean {
    const primary = region.machines.find(({ isPrimary }) => isPrimary)
    if (primary?.isWell !== true) return false
    primary.agent!.handOver(undefined, HAND_OVER_MS_MAX, () => {})
    return true
  }

  #partRegions(kind: 'apart' | 'one-way' | 'flap', region: Region, ms: number): boolean {
    const { prng, network, regions } = this.#ports
    const others = regions.filter((one) => one !== region)
    if (others.length === 0) return false
    const pairs = region.machines.flatMap((a) =>
      prng.pick(others).machines.map((b) => [a.name, b.name] as const),
    )
    for (const [a, b] of pairs) {
      if (kind === 'apart') network.cut(a, b)
      else if (kind === 'one-way') network.stall(a, b)
      else network.drop(a, b)
    }
    return this.#later(ms, () => {
      for (const [a, b] of pairs) this.#join(a, b)
    })
  }

  /**
   * Its files are gone, or those of some time ago are in their place. Others of its region must be there, and in sync:
   * what the last one of them holds is lost with it.
   */
  #loseFiles(region: Region, machine: Machine, ms: number): boolean {
    const { disk } = machine.node.machine
    const copy = this.#copies.get(machine)
    const isCopyUsed = copy !== undefined && this.#ports.prng.chance(0.5)
    if (machine.isUp) this.#copies.set(machine, disk.copy())
    const others = region.machines.filter((one) => one !== machine)
    const isSafe = others.every(({ isWell }) => isWell) && others.some((one) => region.whole.includes(one))
    if (!isSafe || region.store.isHalted) return false
    machine.crash('power')
    disk.replaceAll(isCopyUsed ? copy : new Map())
    this.#ports.lostFiles(machine)
    return this.#later(ms, () => this.#revive(machine))
  }

  /** The log goes up to the newest snapshot, or a first one is made. */
  #trim({ core }: Machine): void {
    if (core === undefined) return
    if (core.store.newest === undefined) core.snapshotter.make()
    else core.retention.trim()
  }

  #join(a: string, b: string): void {
    const { network } = this.#ports
    network.heal(a, b)
    for (const [from, to] of bothWays(a, b)) network.unstall(from, to)
  }

  #emptyDisk(machine: Machine): Promise<void> | void {
    machine.node.machine.disk.isFull = false
    return this.#revive(machine)
  }

  /** Somebody has a look at it, and starts what does not run. */
  async #revive(machine: Machine): Promise<void> {
    if (machine.node.machine.disk.isFull || machine.isUp) return
    await machine.start()
  }
}

function bothWays(a: string, b: string): readonly (readonly [string, string])[] {
  return [
    [a, b],
    [b, a],
  ]
}
