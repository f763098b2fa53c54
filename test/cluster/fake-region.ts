/**
 * fake-region.ts: the nodes of one partition in virtual time: real agents, members that only count, a coordinator in
 * memory, and a network between them that can be cut anywhere.
 */
import { Agent } from '../../region-node/cluster/agent.ts'
import { Keys } from '../../region-node/cluster/documents.ts'
import { sayFarewell } from '../../region-node/cluster/farewell.ts'
import { type DetectionProfile, PROFILES } from '../../region-node/cluster/profiles.ts'
import type { StoreImage } from '../../region-node/coordinator/document-store.ts'
import { MemoryStore } from '../../region-node/coordinator/memory.ts'
import type { Change, Lease } from '../../region-node/coordinator/port.ts'
import { Prng } from '../harness/prng.ts'
import { SimClock } from '../harness/sim-clock.ts'
import { FakeMember, type MemberDisk } from './fake-member.ts'
import { Gate, type World } from './gate.ts'
import { Judge } from './judge.ts'
import { Machine, Process } from './machine.ts'

const WIRE_MS_MAX = 5
const STORE_MS_MAX = 8
/** From the death of a process to what its guard says. */
const GUARD_MS_MAX = 50
const STOP_MS_MAX = 2000

export interface RegionOptions {
  readonly seed: number
  readonly nodes: number
  readonly profile: DetectionProfile
  readonly isUncleanAllowed: boolean
}

/** A running process and what belongs to it. */
interface Life {
  readonly process: Process
  readonly member: FakeMember
  readonly agent: Agent
  readonly gate: Gate
}

export class FakeNode {
  readonly nodeId: string
  readonly zone: string
  readonly machine: Machine
  readonly storeMs: number
  disk: MemberDisk = { term: 0, durable: new Map() }
  life: Life | undefined
  lease: Lease | undefined
  isHealthy = true
  isCutFromStore = false

  constructor(nodeId: string, zone: string, machine: Machine, storeMs: number) {
    this.nodeId = nodeId
    this.zone = zone
    this.machine = machine
    this.storeMs = storeMs
  }

  get member(): FakeMember | undefined {
    return this.life?.member
  }

  get isStill(): boolean {
    return this.machine.isStill
  }
}

export class FakeRegion {
  readonly clock = new SimClock()
  readonly judge = new Judge(() => this.clock.nowMs)
  readonly keys = new Keys('test', 'north')
  readonly nodes: FakeNode[]
  readonly profile: DetectionProfile
  readonly notes: string[] = []
  isUncleanAllowed: boolean
  readonly #prng: Prng
  readonly #cuts = new Set<string>()
  #world: World

  constructor(options: Partial<RegionOptions> = {}) {
    const { seed = 1, nodes = 3, profile = PROFILES.high, isUncleanAllowed = false } = options
    this.#prng = new Prng(seed)
    this.profile = profile
    this.isUncleanAllowed = isUncleanAllowed
    this.#world = this.#newWorld(1)
    this.nodes = Array.from({ length: nodes }, (_, i) => {
      const machine = new Machine(this.clock, this.#prng.fork(`machine ${i}`))
      machine.awoken = () => this.judge.look(this.nodes)
      return new FakeNode(`n${i}`, `zone-${i % 2}`, machine, 0.2 + this.#prng.random() * STORE_MS_MAX)
    })
  }

  node(nodeId: string): FakeNode {
    return this.nodes.find((node) => node.nodeId === nodeId)!
  }

  /** The one that answers now. */
  get primary(): FakeNode | undefined {
    this.judge.look(this.nodes)
    return this.judge.answering === undefined ? undefined : this.node(this.judge.answering)
  }

  get store(): MemoryStore {
    return this.#world.store
  }

  advance(ms: number, done: () => boolean = () => false): void {
    this.clock.advance(ms, () => {
      this.judge.look(this.nodes)
      return done()
    })
  }

  /** @returns how long it took, milliseconds; Infinity when it did not happen within `ms` */
  until(done: () => boolean, ms = 60_000): number {
    const startMs = this.clock.nowMs
    this.advance(ms, done)
    return done() ? this.clock.nowMs - startMs : Number.POSITIVE_INFINITY
  }

  start(node: FakeNode): void {
    const process = new Process(node.machine)
    const gate = new Gate(process, this.#world, node.storeMs)
    if (node.isCutFromStore) gate.cut()
    const wires = {
      send: (from: string, to: string, task: (member: FakeMember) => void) => this.#send(from, to, task),
    }
    const member = new FakeMember(node.nodeId, node.disk, process, wires, this.judge)
    const { nodeId, zone } = node
    const agent = new Agent(
      { coordinator: gate, member, env: process },
      {
        database: 'test',
        region: 'north',
        partition: 0,
        partitions: 1,
        profile: this.profile,
        describe: () => ({
          host: nodeId,
          port: 6379,
          tlsPort: 0,
          syncUrl: `ws://${nodeId}:7379`,
          zone,
          version: '0.1.0',
        }),
        isUncleanAllowed: () => this.isUncleanAllowed,
        isHealthy: () => node.isHealthy,
      },
      {
        topologyChanged: () => {},
        leaseChanged: (lease) => {
          node.lease = lease
        },
        noted: (sentence) => this.note(`${nodeId}: ${sentence}`),
      },
    )
    node.life = { process, member, agent, gate }
    process.run(() => agent.start())
  }

  startAll(): void {
    for (const node of this.nodes) if (node.life === undefined) this.start(node)
  }

  note(sentence: string): void {
    this.notes.push(`${(this.clock.nowMs / 1000).toFixed(3)} s: ${sentence}`)
  }

  /** The process is gone, and all that was not on its disk. Connections end. */
  crash(node: FakeNode, hasGuard: boolean): void {
    const { life } = node
    if (life === undefined) return
    life.member.hangUp()
    this.#bury(node, life)
    const { lease } = node
    node.lease = undefined
    if (!hasGuard || lease === undefined) return
    const guard = new Process(node.machine)
    const gate = new Gate(guard, this.#world, node.storeMs)
    if (node.isCutFromStore) gate.cut()
    guard.after(this.#prng.random() * GUARD_MS_MAX, () =>
      sayFarewell(gate, this.keys, 0, lease, () => gate.close()),
    )
  }

  /** Everything it had is gone as well. */
  wipe(node: FakeNode): void {
    node.disk = { term: 0, durable: new Map() }
  }

  stop(node: FakeNode): void {
    const { life } = node
    if (life === undefined) return
    life.process.run(() =>
      life.agent.stop(STOP_MS_MAX, () => {
        if (node.life !== life) return
        life.member.hangUp()
        this.#bury(node, life)
        node.disk.durable = life.member.applied
        node.lease = undefined
      }),
    )
  }

  cutFromStore(node: FakeNode): void {
    node.isCutFromStore = true
    node.life?.gate.cut()
  }

  healToStore(node: FakeNode): void {
    node.isCutFromStore = false
    node.life?.gate.heal()
  }

  /** One way. */
  cut(from: FakeNode, to: FakeNode): void {
    this.#cuts.add(`${from.nodeId} ${to.nodeId}`)
  }

  heal(from: FakeNode, to: FakeNode): void {
    this.#cuts.delete(`${from.nodeId} ${to.nodeId}`)
  }

  isolate(node: FakeNode): void {
    this.cutFromStore(node)
    for (const other of this.nodes) {
      this.cut(node, other)
      this.cut(other, node)
    }
  }

  healAll(): void {
    this.#cuts.clear()
    for (const node of this.nodes) {
      this.healToStore(node)
      node.isHealthy = true
    }
  }

  /** The network ends the connection of a replica; both ends hear of it. */
  breakLink(node: FakeNode): void {
    const { member } = node
    if (member?.duty.kind !== 'replica') return
    const { session, duty } = member
    const { nodeId } = duty.primary
    this.#send(nodeId, node.nodeId, (one) => one.linkClosed(nodeId, session))
    this.#send(node.nodeId, nodeId, (one) => one.linkClosed(node.nodeId, session))
  }

  backUp(): StoreImage {
    return this.store.perform((documents) => documents.image)
  }

  /**
   * The coordinator comes back as it was then. Documents under leases are there again, and the leases run out:
   * nobody knows them.
   */
  restore(image: StoreImage): void {
    const last = this.backUp().revision
    const world = this.#newWorld(this.#world.number + 1)
    this.#world.store.halt()
    this.#world = world
    world.store.perform((documents, nowMs) => {
      // Revisions only grow, also over a restoration.
      while (documents.revision <= last) documents.commit([], [{ do: 'put', key: '/spare', value: '' }])
      for (const { key, value, leaseId } of image.entries) {
        const change: Change =
          leaseId === ''
            ? { do: 'put', key, value }
            : {
                do: 'put',
                key,
                value,
                lease: documents.grant(`unknown ${leaseId}`, this.profile.ttlMs, nowMs),
              }
        documents.commit([], [change])
      }
    })
    for (const { life } of this.nodes) life?.gate.move(world)
  }

  #bury(node: FakeNode, life: Life): void {
    life.process.isAlive = false
    life.gate.close()
    node.life = undefined
  }

  #send(from: string, to: string, task: (member: FakeMember) => void): void {
    if (this.#cuts.has(`${from} ${to}`)) return
    this.clock.after(0.1 + this.#prng.random() * WIRE_MS_MAX, () => {
      const life = this.node(to).life
      if (life !== undefined && !this.#cuts.has(`${from} ${to}`)) life.process.run(() => task(life.member))
    })
  }

  #newWorld(number: number): World {
    const store = new MemoryStore({
      monoMs: () => this.clock.nowMs,
      after: (delayMs, task) => this.clock.after(delayMs, task),
    })
    // Whatever is stored is seen by the judge before anybody else hears of it.
    store.connect({ deadlineMs: 1000, delayMs: 0 }).watch(this.keys.prefix, 0, {
      changed: (events) => {
        for (const { key, value } of events) {
          if (value === undefined) continue
          if (key === this.keys.of('state', 0)) this.judge.stored(value)
          if (key === this.keys.of('handover', 0)) this.judge.named(value, this.nodes)
        }
      },
      lost: (sentence) => this.note(sentence),
    })
    return { number, store }
  }
}
