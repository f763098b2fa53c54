/**
 * simulation.ts: one run: regions of several nodes with their agents, clients and faults on one virtual clock, judged
 * by all checkers.
 *
 * A run has three parts: clients and faults together; then faults end, every region has to have a primary in time,
 * clients stop, and all nodes have to become equal; then the last judgement. Everything that happens is folded into
 * a hash, so that two runs of one seed can be compared.
 *
 * Invariant: nothing but the seed and the code decides what happens.
 */
import { InvariantError } from '../../../crdt/assert.ts'
import type { BatchSpan } from '../../../crdt/codec/batch.ts'
import type { NodeCore } from '../../../region-node/core.ts'
import { StartError } from '../../../region-node/start-error.ts'
import { MemoryNetwork } from '../../harness/memory-transport.ts'
import { Prng } from '../../harness/prng.ts'
import { SimClock } from '../../harness/sim-clock.ts'
import { SimDisk } from '../../harness/sim-disk.ts'
import { SimWallClock } from '../../harness/sim-env.ts'
import type { Ending, SimNode, SimNodeObserver } from '../../harness/sim-node.ts'
import { Finding } from '../checker.ts'
import { MintedOnce } from '../checkers/minted-once.ts'
import { Acknowledged } from './checkers/acknowledged.ts'
import { Advertised } from './checkers/advertised.ts'
import { HeldInSync } from './checkers/held-in-sync.ts'
import { KeptWord } from './checkers/kept-word.ts'
import { OnePrimary } from './checkers/one-primary.ts'
import { SumsRead } from './checkers/sums-read.ts'
import { Client } from './client.ts'
import { type Ask, type Command, isAcknowledged, Workload } from './commands.ts'
import { Copies } from './copies.ts'
import type { Judge, Loss, World } from './judge.ts'
import { Machine } from './machine.ts'
import { Nemesis } from './nemesis.ts'
import type { InRegionOptions } from './options.ts'
import { Region } from './region.ts'

/** Virtual milliseconds in which new regions have to take writes. */
const FOUNDING_MS_MAX = 60_000
/** In which every region has to have a primary once all is healed, and one that takes writes. */
export const PRIMARY_MS_MAX = 10_000
export const WRITABLE_MS_MAX = 60_000
/** In which all nodes have to be equal after that. */
const SETTLE_MS_MAX = 300_000
/** For how long all has to stay equal. */
const CALM_MS = 3000
const LOOK_MS = 200
/** How often the running checks look at everything. */
const MOMENT_MS = 100

/** Begins a finding that no checker made: a node, or the run itself, ended in an error. */
export const BROKEN = 'broken: '

export interface InRegionResult {
  readonly options: InRegionOptions
  /** Undefined when every promise was kept. */
  readonly finding: string | undefined
  /** Equal for equal runs. */
  readonly hash: number
  readonly commands: number
  readonly acknowledged: number
  /** Terms that there were, over all regions. */
  readonly terms: number
  readonly virtualMs: number
  /** What happened, a line each, when it was asked for. */
  readonly trace: readonly string[]
}

/**
 * @param script  in place of the faults that the seed would bring: what happens between founding and healing
 */
export async function simulateInRegion(
  options: InRegionOptions,
  keepTrace = false,
  script?: (simulation: InRegionSimulation) => Promise<void>,
): Promise<InRegionResult> {
  const simulation = new InRegionSimulation(options, keepTrace)
  let finding: string | undefined
  try {
    await simulation.run(script)
  } catch (error) {
    finding = findingIn(error)
  }
  return simulation.result(finding)
}

function findingIn(error: unknown): string {
  if (error instanceof Finding) return error.message
  if (error instanceof StartError) return `recovery: ${error.message}`
  if (error instanceof InvariantError) return `invariant: ${error.stack}`
  return `${BROKEN}${error instanceof Error ? error.stack : error}`
}

export class InRegionSimulation implements SimNodeObserver, World {
  readonly options: InRegionOptions
  readonly clock = new SimClock()
  readonly network: MemoryNetwork
  readonly regions: readonly Region[]
  readonly commands: Command[] = []
  readonly copies = new Copies()
  readonly nemesis: Nemesis
  readonly #prng: Prng
  readonly #clients: Client[] = []
  readonly #workload: Workload
  readonly #judges: readonly Judge[]
  readonly #mintedOnce = new MintedOnce()
  readonly #machineOf = new Map<SimNode, Machine>()
  readonly #keepTrace: boolean
  readonly #trace: string[] = []
  #hash = 0
  /** When the last process ended. */
  #endedMs = Number.NEGATIVE_INFINITY
  #isOver = false
  /** What broke inside a node, where nobody could throw it. */
  #broken: Error | undefined

  constructor(options: InRegionOptions, keepTrace: boolean) {
    this.options = options
    this.#keepTrace = keepTrace
    const prng = new Prng(options.seed).fork('run')
    this.#prng = prng
    const { clock } = this
    const chance = prng.fork('network')
    this.network = new MemoryNetwork(
      {
        after: (delayMs, task) => clock.after(delayMs, task),
        monoMs: () => clock.nowMs,
        random: () => chance.random(),
      },
      options.network,
    )
    this.regions = options.nodes.map((_, i) => new Region('abc'[i]!, i + 1, clock))
    for (const region of this.regions) this.#furnish(region, prng.fork(region.name))
    this.#workload = new Workload(prng.fork('workload'), options.keyCount)
    this.nemesis = new Nemesis({
      options,
      prng: prng.fork('nemesis'),
      clock,
      network: this.network,
      regions: this.regions,
      lostFiles: (machine) => this.lostFiles(machine),
    })
    this.#judges = [
      new OnePrimary(),
      new HeldInSync(this),
      new KeptWord(this),
      new Advertised(this),
      new SumsRead(this),
      new Acknowledged(this),
    ]
  }

  #furnish(region: Region, prng: Prng): void {
    const count = this.options.nodes[region.id - 1]!
    for (let n = 1; n <= count; n++) {
      const machine = this.#makeMachine(region, n, prng.fork(`node ${n}`))
      region.machines.push(machine)
      this.#machineOf.set(machine.node, machine)
      this.#clients.push(this.#makeClient(region, prng.fork(`faithful ${n}`), machine))
    }
    for (let n = 1; n <= this.options.clientsPerRegion; n++)
      this.#clients.push(this.#makeClient(region, prng.fork(`client ${n}`)))
  }

  #makeMachine(region: Region, n: number, prng: Prng): Machine {
    const { options, clock } = this
    const name = `${region.name}${n}`
    const peer = options.nodes.flatMap((count, i) =>
      Array.from({ length: options.hasOneSeed ? 1 : count }, (_, m) => ({
        name: 'abc'[i]!,
        url: `ws://${'abc'[i]}${m + 1}:1`,
      })),
    )
    const settings = {
      region: region.name,
      'region-id': region.id,
      dir: '/data',
      'sync-port': 1,
      'sync-secret': 'secret',
      peer: peer.filter((one) => one.name !== region.name),
      coordinator: 'file:/coordinator',
      'replica-announce-ip': name,
      'replica-announce-port': 1,
      'replica-ack': options.ackMode,
      'unclean-failover': options.isUncleanAllowed,
      appendfsync: options.policy,
      'log-segment-bytes': options.segmentBytes,
      'log-tail-bytes': options.tailBytes,
    }
    const between = (limit: number) => (prng.random() * 2 - 1) * limit
    const machine = {
      clock,
      network: this.network,
      disk: new SimDisk(clock, prng.fork('disk'), options.disk),
      wall: new SimWallClock(clock, between(options.skewMsMax), 1 + between(options.driftMax)),
      prng: prng.fork('process'),
    }
    const { hasGuard, isUncleanAllowed, coordinatorMs } = options
    // The first is alone in its zone.
    const zone = n === 1 ? 'near' : 'far'
    const what = { region: region.name, name, zone, hasGuard, isUncleanAllowed, coordinatorMs }
    return new Machine(settings, machine, region.store, what, this, (line) => this.note(line))
  }

  #makeClient(region: Region, prng: Prng, faithfulTo?: Machine): Client {
    const ports = {
      clock: this.clock,
      prng,
      thinkMs: this.options.thinkMs * (faithfulTo === undefined ? 1 : 3),
      next: (name: string): Ask | undefined => (this.#isOver ? undefined : this.#workload.next(name)),
      sent: (command: Command) => this.commands.push(command),
      answered: (command: Command) => this.#answered(command),
    }
    return new Client(region, ports, faithfulTo)
  }

  get machines(): Machine[] {
    return this.regions.flatMap(({ machines }) => machines)
  }

  async run(script: ((simulation: InRegionSimulation) => Promise<void>) | undefined): Promise<void> {
    for (const machine of this.machines) await machine.start()
    this.#until(
      FOUNDING_MS_MAX,
      () => this.regions.every(({ isReady }) => isReady),
      'new regions take writes',
    )
    for (const client of this.#clients) client.start()
    this.#lookLater()
    if (script === undefined) await this.#chaos()
    else await script(this)
    await this.nemesis.healAll()
    this.note('healed')
    const healedMs = this.clock.nowMs
    await this.#untilAllUp(
      PRIMARY_MS_MAX,
      () => this.regions.every(({ primary }) => primary !== undefined),
      'every region has a primary',
    )
    this.note(`every region has a primary ${(this.clock.nowMs - healedMs).toFixed(0)} ms later`)
    await this.#untilAllUp(
      WRITABLE_MS_MAX,
      () => this.regions.every(({ isReady }) => isReady),
      'every region takes writes',
    )
    this.#isOver = true
    await this.#settle()
    this.#judgeEquality()
    for (const judge of this.#judges) judge.settled?.()
  }

  async #chaos(): Promise<void> {
    const { clock, nemesis } = this
    const { chaosMs, faultEveryMs } = this.options
    const pause = this.#prng.fork('pause')
    const endMs = clock.nowMs + chaosMs
    let nextMs = clock.nowMs + pause.random() * 2 * faultEveryMs
    while (clock.nowMs < endMs) {
      this.pass(Math.min(nextMs, nemesis.nextEndMs, endMs) - clock.nowMs)
      await nemesis.endDue()
      if (clock.nowMs < nextMs) continue
      nextMs = clock.nowMs + pause.random() * 2 * faultEveryMs
      const done = await nemesis.act()
      if (done !== undefined) this.note(done)
    }
  }

  /** Lets time pass. @throws Finding */
  pass(ms: number, done?: () => boolean): void {
    this.clock.advance(Math.max(0, ms), () => this.#broken !== undefined || done?.() === true)
    if (this.#broken !== undefined) throw this.#broken
  }

  /** @throws Finding when it does not become so */
  #until(ms: number, isSo: () => boolean, what: string): void {
    this.pass(ms, isSo)
    if (!isSo()) throw new Finding('in time', `not within ${ms} ms: ${what}; ${this.#standings()}`)
  }

  /**
   * The same, while somebody starts again what falls over its own disk: disks that fail now and then go on failing,
   * and each process that is lost to one is a fault of its own, with the whole time to recover from.
   */
  async #untilAllUp(ms: number, isSo: () => boolean, what: string): Promise<void> {
    const beganMs = this.clock.nowMs
    while (!isSo()) {
      if (this.clock.nowMs >= Math.max(beganMs, this.#endedMs) + ms)
        throw new Finding('in time', `not within ${ms} ms: ${what}; ${this.#standings()}`)
      this.pass(LOOK_MS)
      for (const machine of this.machines) await machine.start()
    }
  }

  /** Waits until all nodes have applied the same, for a while. */
  async #settle(): Promise<void> {
    const endMs = this.clock.nowMs + SETTLE_MS_MAX
    for (let calmMs = 0; calmMs < CALM_MS; ) {
      if (this.clock.nowMs > endMs)
        throw new Finding(
          'convergence',
          `not equal ${SETTLE_MS_MAX} ms after all was healed: ${this.#standings()}`,
        )
      this.pass(LOOK_MS)
      for (const machine of this.machines) await machine.start()
      calmMs = this.#isEqual() ? calmMs + LOOK_MS : 0
    }
  }

  #isEqual(): boolean {
    const [first, ...others] = this.machines.map(({ core }) => core!.applied.toWire().join())
    const isTailPending = this.machines.some(({ core }) => core!.lateTail.isPending)
    return (
      !isTailPending &&
      others.every((vector) => vector === first) &&
      !this.#clients.some(({ isWaiting }) => isWaiting)
    )
  }

  #judgeEquality(): void {
    const [first, ...others] = this.machines.map(({ name, core }) => ({
      name,
      digest: core!.engine.keyspace.digest(),
    }))
    for (const { name, digest } of others)
      if (digest !== first!.digest)
        throw new Finding('convergence', `${name} reads differently from ${first!.name}`)
    this.note(`settled ${JSON.stringify([...this.machines[0]!.node.vector])} ${first!.digest}`)
  }

  /** Who stands where, for a run that does not end. */
  #standings(): string {
    const nodes = this.machines.map(({ name, core, agent, node }) => {
      if (core === undefined || agent === undefined) return `${name} is down`
      const { duty, term, leader, mayAnswer } = agent.status
      const writes = core.engine.refusal?.line.slice(0, 50) ?? 'writes'
      const tail = core.lateTail.isPending ? ', has a late tail' : ''
      const vector = JSON.stringify([...node.vector])
      return `${name} ${duty} (term ${term} of ${leader.slice(0, 4)}, answers ${mayAnswer}, ${writes}${tail}) ${vector}`
    })
    const waiting = this.#clients.filter(({ isWaiting }) => isWaiting).length
    return `${nodes.join('; ')}; ${waiting} clients wait`
  }

  #lookLater(): void {
    this.clock.after(MOMENT_MS, () => {
      this.#judge((judge) => judge.moment?.())
      this.#lookLater()
    })
  }

  /** A finding inside a node must not look to it like an error of its own. */
  #judge(ask: (judge: Judge) => void): void {
    try {
      for (const judge of this.#judges) ask(judge)
    } catch (error) {
      this.#broken ??= error as Error
    }
  }

  #answered(command: Command): void {
    const { ask, node, ran, reply, dot } = command
    const name = dot === undefined ? '' : ` ${dot.origin}:${dot.seq}`
    this.note(`${node} (term ${ran?.term}) ${JSON.stringify(ask)}${name} -> ${JSON.stringify(reply)}`)
    this.#workload.answered(command)
    const machine = this.machines.find((one) => one.name === node)!
    this.#judge((judge) => judge.answered?.(command, machine))
  }

  recovered(node: SimNode): void {
    this.note(`${node.name} starts at ${JSON.stringify([...node.vector])}`)
    const machine = this.#machineOf.get(node)!
    this.copies.recovered(machine, this.commands)
    this.#judge((judge) => judge.recovered?.(machine))
  }

  minted(node: SimNode, record: Uint8Array, span: BatchSpan): void {
    const machine = this.#machineOf.get(node)!
    this.copies.applied(machine)
    this.#guarded(() => this.#mintedOnce.minted(node, record, span))
    this.#judge((judge) => judge.minted?.(machine, record, span))
  }

  received(node: SimNode, record: Uint8Array, span: BatchSpan): void {
    const machine = this.#machineOf.get(node)!
    this.copies.applied(machine)
    this.#guarded(() => this.#mintedOnce.received(node, record, span))
    this.#judge((judge) => judge.received?.(machine, record, span))
  }

  #guarded(judge: () => void): void {
    try {
      judge()
    } catch (error) {
      this.#broken ??= error as Error
    }
  }

  adopted(node: SimNode): void {
    this.note(`${node.name} adopts a snapshot: ${JSON.stringify([...node.vector])}`)
    this.copies.applied(this.#machineOf.get(node)!)
  }

  stopping(node: SimNode): void {
    for (const client of this.#clients) client.cutOff(this.#machineOf.get(node)!)
  }

  ended(node: SimNode, how: Ending, core: NodeCore): void {
    this.note(`${node.name} is gone: ${how}`)
    this.#endedMs = this.clock.nowMs
    const machine = this.#machineOf.get(node)!
    this.copies.ended(machine, core)
    machine.ended(how)
    this.stopping(node)
    this.#lost(machine, how === 'power' ? 'unsynced' : 'nothing')
  }

  lostPower(node: SimNode): void {
    this.#lost(this.#machineOf.get(node)!, 'unsynced')
  }

  /** Other files took the place of those of a machine; no process runs. */
  lostFiles(machine: Machine): void {
    this.#lost(machine, 'files')
  }

  #lost(machine: Machine, loss: Loss): void {
    if (loss !== 'nothing') this.copies.lost(machine, loss === 'files' ? 'nothing' : 'durable', this.commands)
    this.#judge((judge) => judge.ended?.(machine, loss))
  }

  broke(node: SimNode, error: Error): void {
    this.note(`${node.name} broke: ${error.message}`)
    this.#broken ??= error
  }

  note(line: string): void {
    const whole = `${this.clock.nowMs.toFixed(3)} ${line}`
    if (this.#keepTrace) this.#trace.push(whole)
    let hash = this.#hash
    for (let i = 0; i < whole.length; i++) hash = Math.imul(hash ^ whole.charCodeAt(i), 0x01000193)
    this.#hash = hash
  }

  result(finding: string | undefined): InRegionResult {
    return {
      options: this.options,
      finding,
      hash: this.#hash >>> 0,
      commands: this.commands.length,
      acknowledged: this.commands.filter(isAcknowledged).length,
      terms: this.regions.reduce((sum, { latest }) => sum + (latest?.term ?? 0), 0),
      virtualMs: this.clock.nowMs,
      trace: this.#trace,
    }
  }
}
