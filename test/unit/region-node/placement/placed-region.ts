/**
 * placed-region.ts: machines, copies and their partitions as simply as can be: in turns of some seconds, with failover
 * and catching up in one go, and with the real documents, steps and orders.
 *
 * Writes are acknowledged by the primary alone, and reach the others a turn later: so a copy that was primary may hold
 * what nobody else has, and whatever deletes it loses that.
 */

import { Directory } from '../../../../region-node/cluster/directory.ts'
import {
  type HandoverDocument,
  Keys,
  type LeaderDocument,
  type NodeDocument,
  type StateDocument,
} from '../../../../region-node/cluster/documents.ts'
import { DocumentStore } from '../../../../region-node/coordinator/document-store.ts'
import {
  type ControllerDocument,
  type HeldCopy,
  isNamed,
  isReleased,
  type LayoutDocument,
  type MachineDocument,
  type PlacementDocument,
  PlacingKeys,
  portOf,
} from '../../../../region-node/placement/documents.ts'
import { firstPlacement, moved } from '../../../../region-node/placement/edits.ts'
import { spread } from '../../../../region-node/placement/layout.ts'
import { Patience } from '../../../../region-node/placement/patience.ts'
import { Placing } from '../../../../region-node/placement/placing.ts'
import { type Order, orderOf, type Step, stepsOf } from '../../../../region-node/placement/steps.ts'
import type { Prng } from '../../../harness/prng.ts'

export const TURN_MS = 5000
export const REBUILD_AFTER_MS = 4 * TURN_MS
const COOLDOWN_MS = 4 * TURN_MS

export interface Copy {
  readonly nodeId: string
  isRunning: boolean
  readonly writes: Set<number>
}

export class FakeMachine {
  readonly name: string
  readonly zone: string
  readonly disk = new Map<number, Copy>()
  isUp = true

  constructor(name: string, zone: string) {
    this.name = name
    this.zone = zone
  }
}

export class PlacedRegion {
  readonly machines: FakeMachine[]
  readonly partitions: number
  /** Acknowledged, by partition. */
  readonly acknowledged: number[][]
  readonly faults: string[] = []
  readonly notes: string[] = []
  /** What an operator or an accident does between a decision and what comes of it. */
  meanwhile: () => void = () => {}
  readonly #store = new DocumentStore()
  readonly #prng: Prng
  readonly #keys = new PlacingKeys(new Keys('test', 'north'))
  #patience = new Patience()
  #placing = new Placing(this.#keys)
  #turn = 0
  #ids = 0

  constructor(prng: Prng, zones: readonly string[], partitions: number, copies: number) {
    this.#prng = prng
    this.partitions = partitions
    this.machines = zones.map((zone, at) => new FakeMachine(`m${at}`, zone))
    this.acknowledged = Array.from({ length: partitions }, () => [])
    const names = this.machines.map(({ name }) => name)
    this.#put(this.#keys.layout, {
      version: 1,
      partitions,
      copies,
      machines: names,
      rebuildAfterMs: REBUILD_AFTER_MS,
      cooldownMs: COOLDOWN_MS,
    })
    spread(partitions, copies, this.machines).forEach((machines, partition) => {
      this.#put(this.#keys.placement(partition), firstPlacement(machines))
    })
  }

  /** Whatever happens of itself in some seconds. @returns whether there is anything to do */
  turn(): boolean {
    this.#turn++
    for (const machine of this.#inAnyOrder(this.machines)) this.#machineTurn(machine)
    for (let partition = 0; partition < this.partitions; partition++) this.#partitionTurn(partition)
    const steps = this.#decide()
    const orders = steps.filter(() => this.#prng.below(3) > 0)
    // Others act between a decision and what comes of it.
    if (this.#prng.below(2) === 0) {
      this.meanwhile()
      for (const machine of this.machines) this.#machineTurn(machine)
      for (let partition = 0; partition < this.partitions; partition++) this.#partitionTurn(partition)
    }
    for (const [step, order] of orders) this.#carryOut(step, order)
    this.#judge()
    return steps.length > 0
  }

  /** The machine is gone with its processes, and not with its disk. */
  crash(machine: FakeMachine): void {
    machine.isUp = false
    for (const copy of machine.disk.values()) copy.isRunning = false
    this.#delete(this.#keys.machine(machine.name))
    for (const { nodeId } of machine.disk.values()) this.#delete(this.#keys.nodes.node(nodeId))
    for (let partition = 0; partition < this.partitions; partition++) {
      const leader = this.#read<LeaderDocument>(this.#keys.nodes.of('leader', partition))
      if (leader?.nodeId === machine.disk.get(partition)?.nodeId)
        this.#delete(this.#keys.nodes.of('leader', partition))
    }
    this.notes.push(`${this.#turn}: ${machine.name} is down`)
  }

  comeBack(machine: FakeMachine): void {
    machine.isUp = true
    this.notes.push(`${this.#turn}: ${machine.name} is back`)
  }

  /** A new controller: it has seen nothing yet. */
  changeController(): void {
    this.#patience = new Patience()
    this.#placing = new Placing(this.#keys)
  }

  /** As `causeway cluster move` does it. */
  move(partition: number, from: string, to: string): void {
    const before = this.placement(partition)
    if (!before.machines.includes(from) || before.machines.includes(to)) return
    const machines = before.machines.map((name) => (name === from ? to : name))
    this.#put(this.#keys.placement(partition), moved(before, machines))
    this.notes.push(`${this.#turn}: partition ${partition} moves from ${from} to ${to}`)
  }

  /** As `causeway cluster rebalance` does it. */
  place(layout: readonly (readonly string[])[]): void {
    layout.forEach((machines, partition) => {
      this.#put(this.#keys.placement(partition), moved(this.placement(partition), machines))
    })
    this.notes.push(`${this.#turn}: ${JSON.stringify(layout)}`)
  }

  takesCopies(machines: readonly string[]): void {
    const layout = this.#read<LayoutDocument>(this.#keys.layout)!
    this.#put(this.#keys.layout, { ...layout, version: layout.version + 1, machines })
  }

  placement(partition: number): PlacementDocument {
    return this.#read<PlacementDocument>(this.#keys.placement(partition))!
  }

  state(partition: number): StateDocument | undefined {
    return this.#read<StateDocument>(this.#keys.nodes.of('state', partition))
  }

  copiesOf(partition: number): Map<string, Copy> {
    return new Map(
      this.machines.flatMap(({ name, disk }) => {
        const copy = disk.get(partition)
        return copy === undefined ? [] : [[name, copy] as const]
      }),
    )
  }

  primaryOf(partition: number): Copy | undefined {
    const { primary } = this.state(partition) ?? {}
    return [...this.copiesOf(partition).values()].find(({ nodeId }) => nodeId === primary)
  }

  #machineTurn(machine: FakeMachine): void {
    if (!machine.isUp || this.#prng.below(4) === 0) return
    for (let partition = 0; partition < this.partitions; partition++) this.#hold(machine, partition)
    const held = [...machine.disk].map(
      ([partition, { nodeId, isRunning }]): HeldCopy => ({
        partition,
        nodeId,
        state: isRunning ? 'running' : 'stopped',
      }),
    )
    const { name, zone } = machine
    this.#put(this.#keys.machine(name), { name, zone, host: name, firstPort: 7000, version: '1', held })
  }

  #hold(machine: FakeMachine, partition: number): void {
    const placement = this.placement(partition)
    const copy = machine.disk.get(partition)
    const term = this.state(partition)?.term ?? 0
    if (!isNamed(placement, machine.name)) {
      if (copy === undefined || !isReleased(placement, copy.nodeId, term)) return
      this.#delete(this.#keys.nodes.node(copy.nodeId))
      machine.disk.delete(partition)
      this.notes.push(`${this.#turn}: ${machine.name} deletes ${copy.nodeId} of partition ${partition}`)
    } else if (copy === undefined) {
      machine.disk.set(partition, { nodeId: `n${++this.#ids}`, isRunning: false, writes: new Set() })
    } else {
      copy.isRunning = true
      this.#register(machine, partition, copy)
    }
  }

  #register(machine: FakeMachine, partition: number, { nodeId, writes }: Copy): void {
    this.#put(this.#keys.nodes.node(nodeId), {
      nodeId,
      host: machine.name,
      port: portOf({ firstPort: 7000 }, partition),
      tlsPort: 0,
      syncUrl: '',
      partition,
      partitions: this.partitions,
      zone: machine.zone,
      version: '1',
      opCount: writes.size,
      term: 0,
      edition: 0,
      isWhole: true,
    })
  }

  #running(partition: number): Copy[] {
    return [...this.copiesOf(partition).values()].filter(({ isRunning }) => isRunning)
  }

  /** Somebody is primary, takes a write, and the others catch up with what was before it. */
  #partitionTurn(partition: number): void {
    const running = this.#running(partition)
    const primary = this.#elected(partition, running)
    if (primary === undefined) return
    const state = this.state(partition)!
    const followers = running.filter((copy) => copy !== primary && this.#prng.below(4) > 0)
    for (const { writes } of followers) {
      for (const write of writes) primary.writes.add(write)
      for (const write of primary.writes) writes.add(write)
    }
    const stays = state.inSync.filter((nodeId) => running.some((copy) => copy.nodeId === nodeId))
    const inSync = [...new Set([...stays, ...followers.map(({ nodeId }) => nodeId)])].sort()
    const members = [...new Set([...state.members, ...running.map(({ nodeId }) => nodeId)])].sort()
    const follow = (nodeId: string): boolean => [primary, ...followers].some((copy) => copy.nodeId === nodeId)
    const heldTerm = inSync.every(follow) ? state.term : state.heldTerm
    const isSame = heldTerm === state.heldTerm && members.length === state.members.length
    if (inSync.join() !== [...state.inSync].sort().join() || !isSame)
      this.#put(this.#keys.nodes.of('state', partition), {
        ...state,
        edition: state.edition + 1,
        heldTerm,
        inSync,
        members,
      })
    const write = this.acknowledged[partition]!.length
    primary.writes.add(write)
    this.acknowledged[partition]!.push(write)
  }

  #elected(partition: number, running: readonly Copy[]): Copy | undefined {
    const state = this.state(partition)
    const leader = this.#read<LeaderDocument>(this.#keys.nodes.of('leader', partition))
    const primary = running.find(({ nodeId }) => nodeId === leader?.nodeId)
    if (primary !== undefined) return primary
    const fit = running.filter(({ nodeId }) => state === undefined || state.inSync.includes(nodeId))
    const next = fit[this.#prng.below(Math.max(1, fit.length))]
    if (next !== undefined) this.#promote(partition, next)
    return next
  }

  #promote(partition: number, { nodeId }: Copy): void {
    const state = this.state(partition)
    const term = (state?.term ?? 0) + 1
    this.#put(this.#keys.nodes.of('leader', partition), { nodeId, term, leaseId: `lease of ${nodeId}` })
    this.#put(this.#keys.nodes.of('state', partition), {
      term,
      edition: 1,
      primary: nodeId,
      hasEnded: false,
      heldTerm: state?.heldTerm ?? 0,
      isWhole: true,
      inSync: state?.inSync ?? [nodeId],
      members: state?.members ?? [nodeId],
    })
    this.notes.push(`${this.#turn}: ${nodeId} is primary of partition ${partition}, term ${term}`)
  }

  #decide(): [Step, Order][] {
    const directory = new Directory(this.#keys.nodes)
    const reading = this.#store.read(this.#keys.prefix)
    directory.replace(reading)
    this.#placing.replace(reading)
    this.#patience.look(this.#placing, directory, this.#turn * TURN_MS, true)
    const scene = {
      placing: this.#placing,
      directory,
      patience: this.#patience,
      wallMs: this.#turn * TURN_MS,
      claimAfterMs: 0,
    }
    return stepsOf(scene).map((step) => [step, orderOf(step, scene, this.#keys)])
  }

  #carryOut(step: Step, order: Order): void {
    const { partition } = step
    this.notes.push(`${this.#turn}: ${JSON.stringify(step)}`)
    if (order.do === 'commit') {
      const { edition } = this.placement(partition)
      const { isCommitted } = this.#store.commit(order.conditions, order.changes)
      if (!isCommitted) this.notes.push(`${this.#turn}: that came too late`)
      else this.#judgeEdit(step, edition)
      return
    }
    const state = this.state(partition)
    const primary = this.primaryOf(partition)
    if (state === undefined || primary?.isRunning !== true) return
    if (step.kind === 'forget') this.#forget(partition, state, step.nodeId)
    else if (step.kind === 'hand-over') this.#handOver(partition, primary, step.node.nodeId)
  }

  #handOver(partition: number, primary: Copy, to: string): void {
    const target = this.#running(partition).find(({ nodeId }) => nodeId === to)
    if (target === undefined || !this.state(partition)!.inSync.includes(to)) return
    for (const write of primary.writes) target.writes.add(write)
    this.#promote(partition, target)
  }

  #forget(partition: number, state: StateDocument, nodeId: string): void {
    const isThere = this.#read(this.#keys.nodes.node(nodeId)) !== undefined
    if (isThere || state.inSync.includes(nodeId)) return
    const members = state.members.filter((member) => member !== nodeId)
    this.#put(this.#keys.nodes.of('state', partition), { ...state, edition: state.edition + 1, members })
  }

  /** Nobody's change is overwritten, and nobody is let go who is needed. */
  #judgeEdit(step: Step, before: number): void {
    const { partition } = step
    const { edition, machines } = this.placement(partition)
    if (edition !== before + 1) this.faults.push(`turn ${this.#turn}: edition ${before} became ${edition}`)
    if (step.kind !== 'let-go' || step.release === undefined) return
    const state = this.state(partition)!
    const copies = this.copiesOf(partition)
    const lacking = machines.filter((name) => !state.inSync.includes(copies.get(name)?.nodeId ?? ''))
    if (lacking.length > 0 || state.primary === step.release.nodeId || state.term !== step.release.term)
      this.faults.push(`turn ${this.#turn}: ${JSON.stringify(step)}, and ${lacking.join()} lack something`)
  }

  /** Nothing acknowledged is ever on no disk, and no machine is named twice. */
  #judge(): void {
    for (const [partition, writes] of this.acknowledged.entries()) {
      const copies = [...this.copiesOf(partition).values()]
      const lost = writes.filter((write) => !copies.some((copy) => copy.writes.has(write)))
      if (lost.length > 0)
        this.faults.push(`turn ${this.#turn}: partition ${partition} has lost ${lost.join()}`)
      const { machines, leaving } = this.placement(partition)
      if (new Set([...machines, ...leaving]).size < machines.length + leaving.length)
        this.faults.push(
          `turn ${this.#turn}: partition ${partition} names ${machines.join()}; ${leaving.join()}`,
        )
    }
  }

  #inAnyOrder<Item>(items: readonly Item[]): Item[] {
    return items
      .map((item) => ({ item, rank: this.#prng.random() }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ item }) => item)
  }

  #read<Document>(key: string): Document | undefined {
    const entry = this.#store.read(key).entries.find((one) => one.key === key)
    return entry === undefined ? undefined : JSON.parse(entry.value)
  }

  #put(
    key: string,
    document:
      | MachineDocument
      | LayoutDocument
      | PlacementDocument
      | ControllerDocument
      | NodeDocument
      | StateDocument
      | LeaderDocument
      | HandoverDocument,
  ): void {
    const value = JSON.stringify(document)
    this.#store.commit([], [{ do: 'put', key, value }])
  }

  #delete(key: string): void {
    this.#store.commit([], [{ do: 'delete', key }])
  }
}
