/**
 * fake-machines.ts: the machines of a region in virtual time: real machines and real agents of nodes, members that only
 * count, folders that are entries of a map, and a coordinator in memory.
 *
 * A process that dies takes nothing with it that is on its disk. The nodes of a machine's process that has died are told
 * to stop, as the kernel tells real ones.
 */
import { Agent } from '../../region-node/cluster/agent.ts'
import { Directory } from '../../region-node/cluster/directory.ts'
import { Keys } from '../../region-node/cluster/documents.ts'
import { PROFILES } from '../../region-node/cluster/profiles.ts'
import type { StoreImage } from '../../region-node/coordinator/document-store.ts'
import { MemoryStore } from '../../region-node/coordinator/memory.ts'
import type { Child, Folders } from '../../region-node/machine/children.ts'
import { Machine } from '../../region-node/machine/machine.ts'
import { encodePlacing, type PlacementDocument, PlacingKeys } from '../../region-node/placement/documents.ts'
import { firstPlacement, moved } from '../../region-node/placement/edits.ts'
import { Placing } from '../../region-node/placement/placing.ts'
import type { NodePlace } from '../../region-node/placement/steps.ts'
import { FakeMember, type MemberDisk } from '../cluster/fake-member.ts'
import { Gate } from '../cluster/gate.ts'
import { Judge } from '../cluster/judge.ts'
import { Machine as Hardware, Process } from '../cluster/machine.ts'
import { covers, type Vector } from '../cluster/vector.ts'
import { Prng } from '../harness/prng.ts'
import { SimClock } from '../harness/sim-clock.ts'

export const FIRST_PORT = 7000
const WIRE_MS_MAX = 5
const STORE_MS_MAX = 8
const STOP_MS_MAX = 2000
const HAND_OVER_MS_MAX = 5000
const START_MS_MAX = 300

/** A copy, with or without a process. */
interface Disk extends MemberDisk {
  readonly nodeId: string
}

/** A node's process. */
interface Life {
  readonly partition: number
  readonly disk: Disk
  readonly process: Process
  readonly member: FakeMember
  readonly agent: Agent
  readonly gate: Gate
  readonly ended: (how: string) => void
}

export class FakeMachine {
  readonly name: string
  readonly zone: string
  readonly host: string
  readonly hardware: Hardware
  readonly storeMs: number
  readonly disks = new Map<number, Disk>()
  readonly lives = new Map<number, Life>()
  supervisor: { readonly process: Process; readonly gate: Gate; readonly machine: Machine } | undefined
  isCut = false
  /** Nodes end as soon as they are started. */
  isBroken = false
  /** Processes that were started, and that ended. */
  starts = 0

  constructor(name: string, host: string, zone: string, hardware: Hardware, storeMs: number) {
    this.name = name
    this.zone = zone
    this.host = host
    this.hardware = hardware
    this.storeMs = storeMs
  }
}

export interface WorldOptions {
  readonly zones: readonly string[]
  readonly partitions: number
  readonly copies: number
  readonly seed: number
  readonly rebuildAfterMs: number
  readonly cooldownMs: number
}

const DEFAULTS: WorldOptions = {
  zones: ['z1', 'z2', 'z3'],
  partitions: 2,
  copies: 2,
  seed: 1,
  rebuildAfterMs: 20_000,
  cooldownMs: 60_000,
}

export class FakeMachines {
  readonly options: WorldOptions
  readonly clock = new SimClock()
  readonly store: MemoryStore
  readonly nodeKeys = new Keys('test', 'north')
  readonly keys = new PlacingKeys(this.nodeKeys)
  readonly machines: readonly FakeMachine[]
  readonly judges: readonly Judge[]
  readonly notes: string[] = []
  /** What no deletion and no start may do. */
  readonly faults: string[] = []
  /** Node ids of copies that were deleted. */
  readonly discarded: string[] = []
  /** Called with every placement that is stored. */
  placed: (partition: number, placement: PlacementDocument) => void = () => {}
  readonly #prng: Prng
  #made = 0

  constructor(options: Partial<WorldOptions> = {}) {
    this.options = { ...DEFAULTS, ...options }
    const { seed, zones, partitions } = this.options
    this.#prng = new Prng(seed)
    this.store = new MemoryStore({
      monoMs: () => this.clock.nowMs,
      after: (delayMs, task) => this.clock.after(delayMs, task),
    })
    this.judges = Array.from({ length: partitions }, () => new Judge(() => this.clock.nowMs))
    this.machines = zones.map((zone, at) => {
      return this.#make(`m${at}`, `host-${at}`, zone)
    })
    this.#watch()
  }

  machine(name: string): FakeMachine {
    return this.machines.find((machine) => machine.name === name)!
  }

  /** Another machine by the same name, at another address. */
  makeTwin(name: string, host: string): FakeMachine {
    return this.#make(name, host, 'z1')
  }

  /** Everything the coordinator has. */
  get documents(): { readonly placing: Placing; readonly directory: Directory } {
    const reading = this.store.perform((documents) => documents.read(this.keys.prefix))
    const placing = new Placing(this.keys)
    const directory = new Directory(this.nodeKeys)
    placing.replace(reading)
    directory.replace(reading)
    return { placing, directory }
  }

  placement(partition: number): PlacementDocument {
    return this.documents.placing.placement(partition).document!
  }

  /** As `causeway cluster create` does. @param machinesOf  of each partition */
  create(machinesOf: readonly (readonly string[])[]): void {
    const { partitions, copies, rebuildAfterMs, cooldownMs } = this.options
    const machines = this.machines.map(({ name }) => name)
    this.#put(
      this.keys.layout,
      encodePlacing({ version: 1, partitions, copies, machines, rebuildAfterMs, cooldownMs }),
    )
    for (const [partition, names] of machinesOf.entries()) this.#place(partition, firstPlacement(names))
  }

  /** As `causeway cluster move` does. */
  move(partition: number, machines: readonly string[]): void {
    this.#place(partition, moved(this.placement(partition), machines))
  }

  startAll(): void {
    for (const machine of this.machines) if (machine.supervisor === undefined) this.start(machine)
  }

  start(machine: FakeMachine): void {
    const { name, zone, host, hardware, storeMs } = machine
    const process = new Process(hardware)
    const gate = new Gate(process, { number: 1, store: this.store }, storeMs)
    if (machine.isCut) gate.cut()
    const supervisor = new Machine(
      {
        coordinator: gate,
        env: process,
        startChild: (words, ended) => this.#startNode(machine, process, words, ended),
        folders: this.#foldersOf(machine),
        sayToNode: (to, words, told) => process.after(1, () => told(this.#say(to, words))),
        report: (sentence) => this.note(`${name}: ${sentence}`),
      },
      {
        keys: this.nodeKeys,
        profile: PROFILES.high,
        self: { name, zone, host, firstPort: FIRST_PORT, version: '0.1.0' },
        wordsOf: (partition, partitions) => [
          '--partition',
          String(partition),
          '--partitions',
          String(partitions),
        ],
      },
    )
    machine.supervisor = { process, gate, machine: supervisor }
    process.run(() => supervisor.start())
  }

  /** The machine's process dies; its nodes are told. */
  crashSupervisor(machine: FakeMachine): void {
    const { supervisor } = machine
    if (supervisor === undefined) return
    supervisor.process.isAlive = false
    supervisor.gate.close()
    machine.supervisor = undefined
    for (const life of machine.lives.values()) this.#stopNode(machine, life)
  }

  /** Everything on it dies at one moment. */
  crash(machine: FakeMachine): void {
    const lives = [...machine.lives.values()]
    this.crashSupervisor(machine)
    for (const life of lives) this.#bury(machine, life)
  }

  crashNode(machine: FakeMachine, partition: number): void {
    const life = machine.lives.get(partition)
    if (life !== undefined) this.#end(machine, life, 'SIGKILL')
  }

  /** From the coordinator, all its processes. */
  cut(machine: FakeMachine): void {
    machine.isCut = true
    machine.supervisor?.gate.cut()
    for (const { gate } of machine.lives.values()) gate.cut()
  }

  heal(machine: FakeMachine): void {
    machine.isCut = false
    machine.supervisor?.gate.heal()
    for (const { gate } of machine.lives.values()) gate.heal()
  }

  backUp(): StoreImage {
    return this.store.backup()
  }

  /** The coordinator is as it was. */
  restore(image: StoreImage): void {
    this.note('the coordinator is put back')
    this.store.restore(image)
  }

  advance(ms: number, done: () => boolean = () => false): void {
    this.clock.advance(ms, () => {
      this.#look()
      return done()
    })
  }

  /** @returns how long it took, milliseconds; Infinity when it did not happen within `ms` */
  until(done: () => boolean, ms = 120_000): number {
    const startMs = this.clock.nowMs
    // To read all documents takes long: a look now and then is enough.
    for (let isDone = done(); !isDone; isDone = done()) {
      if (this.clock.nowMs >= startMs + ms) return Number.POSITIVE_INFINITY
      this.advance(100)
    }
    return this.clock.nowMs - startMs
  }

  /** Every partition is just where its placement says, whole, and nothing is left over. */
  get isSettled(): boolean {
    const { placing, directory } = this.documents
    return this.judges.every((_, partition) => {
      const { document: placement } = placing.placement(partition)
      const { state, leader } = directory.of(partition)
      if (placement === undefined || placement.leaving.length > 0 || leader.document === undefined)
        return false
      const held = this.machines.filter(({ disks }) => disks.has(partition))
      const names = held.map(({ name }) => name).sort()
      const nodes = held.map(({ disks }) => disks.get(partition)!.nodeId).sort()
      const { inSync = [], members = [] } = state.document ?? {}
      return (
        names.join() === [...placement.machines].sort().join() &&
        nodes.join() === [...inSync].sort().join() &&
        nodes.join() === [...members].sort().join() &&
        held.every(({ lives }) => lives.has(partition))
      )
    })
  }

  /** The machine whose node is primary. */
  primaryOf(partition: number): FakeMachine | undefined {
    const { answering } = this.judges[partition]!
    return this.machines.find(({ disks }) => disks.get(partition)?.nodeId === answering)
  }

  note(sentence: string): void {
    this.notes.push(`${(this.clock.nowMs / 1000).toFixed(3)} s: ${sentence}`)
  }

  /** All that was found wrong. */
  get allFaults(): readonly string[] {
    return [...this.faults, ...this.judges.flatMap(({ faults }) => faults)]
  }

  #make(name: string, host: string, zone: string): FakeMachine {
    const hardware = new Hardware(this.clock, this.#prng.fork(host))
    return new FakeMachine(name, host, zone, hardware, 0.2 + this.#prng.random() * STORE_MS_MAX)
  }

  #look(): void {
    for (const [partition, judge] of this.judges.entries())
      judge.look(
        this.machines.flatMap(({ lives, hardware }) => {
          const life = lives.get(partition)
          return life === undefined
            ? []
            : [{ nodeId: life.disk.nodeId, member: life.member, isStill: hardware.isStill }]
        }),
      )
  }

  #put(key: string, value: string): void {
    this.store.perform((documents) => documents.commit([], [{ do: 'put', key, value }]))
  }

  #place(partition: number, placement: PlacementDocument): void {
    this.#put(this.keys.placement(partition), encodePlacing(placement))
  }

  /** Whatever is stored is seen by the judges before anybody else hears of it. */
  #watch(): void {
    const connection = this.store.connect({ deadlineMs: 1000, delayMs: 0 })
    const follow = (after: number): void => {
      connection.watch(this.keys.prefix, after, {
        changed: (events) => {
          for (const { key, value } of events) if (value !== undefined) this.#stored(key, value)
        },
        lost: () => follow(this.store.perform((documents) => documents.revision)),
      })
    }
    follow(0)
  }

  #stored(key: string, value: string): void {
    for (const [partition, judge] of this.judges.entries()) {
      if (key === this.nodeKeys.of('state', partition)) judge.stored(value)
      if (key === this.keys.placement(partition)) {
        this.note(`placement of ${partition}: ${value}`)
        this.placed(partition, JSON.parse(value) as PlacementDocument)
      }
    }
  }

  #foldersOf(machine: FakeMachine): Folders {
    return {
      get partitions() {
        return [...machine.disks.keys()]
      },
      pathOf: (partition) => `${machine.name}/partition-${partition}`,
      nodeIdIn: (partition) => machine.disks.get(partition)?.nodeId ?? '',
      discard: (partition) => {
        if (machine.lives.has(partition)) return 'a process uses it'
        this.#discard(machine, partition)
        return undefined
      },
    }
  }

  #discard(machine: FakeMachine, partition: number): void {
    const { nodeId } = machine.disks.get(partition)!
    machine.disks.delete(partition)
    this.discarded.push(nodeId)
    const { acknowledgedOps } = this.judges[partition]!
    const others = this.machines.flatMap(({ disks }): Vector[] => {
      const disk = disks.get(partition)
      return disk === undefined ? [] : [disk.durable]
    })
    if (!others.some((durable) => covers(durable, acknowledgedOps)))
      this.faults.push(`${nodeId} was deleted, and no other copy has all that was acknowledged`)
  }

  #startNode(
    machine: FakeMachine,
    supervisor: Process,
    words: readonly string[],
    ended: (how: string) => void,
  ): Child {
    const partition = Number(words[1])
    const partitions = Number(words[3])
    machine.starts++
    let life: Life | undefined
    let isStopped = false
    const tell = (how: string): void => supervisor.run(() => ended(how))
    // A process takes some time to be there, and then finds whether it may have the folder.
    const delayMs = this.#prng.random() * START_MS_MAX
    this.clock.after(delayMs, () => {
      if (isStopped || machine.isBroken || machine.lives.has(partition)) tell('exit code 1')
      // The machine's process may be gone by now, and its channel with it.
      else if (supervisor.isAlive) life = this.#runNode(machine, partition, partitions, tell)
    })
    return {
      stop: () => {
        isStopped = true
        if (life !== undefined) this.#stopNode(machine, life)
      },
      kill: () => {
        if (life !== undefined) this.#end(machine, life, 'SIGKILL')
      },
    }
  }

  #runNode(machine: FakeMachine, partition: number, partitions: number, ended: (how: string) => void): Life {
    const disk = machine.disks.get(partition) ?? {
      nodeId: `${machine.name}-p${partition}-${++this.#made}`,
      term: 0,
      durable: new Map(),
    }
    machine.disks.set(partition, disk)
    const { nodeId } = disk
    const process = new Process(machine.hardware)
    const gate = new Gate(process, { number: 1, store: this.store }, machine.storeMs)
    if (machine.isCut) gate.cut()
    const wires = {
      send: (from: string, to: string, task: (member: FakeMember) => void) => this.#send(from, to, task),
    }
    const member = new FakeMember(nodeId, disk, process, wires, this.judges[partition]!)
    const agent = new Agent(
      { coordinator: gate, member, env: process },
      {
        ...{ database: 'test', region: 'north', partition, partitions, profile: PROFILES.high },
        describe: () => ({
          host: machine.host,
          port: FIRST_PORT + partition,
          tlsPort: 0,
          syncUrl: `ws://${machine.host}:${FIRST_PORT + partition}`,
          zone: machine.zone,
          version: '0.1.0',
        }),
        isUncleanAllowed: () => false,
        isHealthy: () => true,
      },
      {
        topologyChanged: () => {},
        leaseChanged: () => {},
        noted: (sentence) => this.note(`${nodeId}: ${sentence}`),
      },
    )
    const life = { partition, disk, process, member, agent, gate, ended }
    machine.lives.set(partition, life)
    process.run(() => agent.start())
    return life
  }

  /** In order. */
  #stopNode(machine: FakeMachine, life: Life): void {
    life.process.run(() =>
      life.agent.stop(STOP_MS_MAX, () => {
        life.disk.durable = life.member.applied
        this.#end(machine, life, 'exit code 0')
      }),
    )
  }

  #end(machine: FakeMachine, life: Life, how: string): void {
    if (!life.process.isAlive) return
    life.member.hangUp()
    this.#bury(machine, life)
    life.ended(how)
  }

  #bury(machine: FakeMachine, life: Life): void {
    life.process.isAlive = false
    life.gate.close()
    machine.lives.delete(life.partition)
  }

  #find(nodeId: string): Life | undefined {
    for (const { lives } of this.machines)
      for (const life of lives.values()) if (life.disk.nodeId === nodeId) return life
    return undefined
  }

  #send(_from: string, to: string, task: (member: FakeMember) => void): void {
    this.clock.after(0.1 + this.#prng.random() * WIRE_MS_MAX, () => {
      const life = this.#find(to)
      life?.process.run(() => task(life.member))
    })
  }

  /** What a node does when it is told. @returns why it does not */
  #say({ nodeId }: NodePlace, words: readonly string[]): string | undefined {
    const life = this.#find(nodeId)
    if (life === undefined) return 'nobody is there'
    const text = words.join(' ')
    if (words[1] === 'FORGET') return life.agent.forget(words[2]!)
    if (text !== 'CLUSTER FAILOVER') return `${text} is not known here`
    const { answering } = this.judges[life.partition]!
    const primary = answering === undefined ? undefined : this.#find(answering)
    primary?.process.run(() => primary.agent.handOver(nodeId, HAND_OVER_MS_MAX, () => {}))
    return undefined
  }
}
