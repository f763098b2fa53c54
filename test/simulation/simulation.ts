/**
 * simulation.ts: one run: regions, clients and faults on one virtual clock, judged by all checkers.
 *
 * A run has three parts: clients and faults together until enough commands were sent; then faults end,
 * clients stop, and all regions have to become equal; then the last judgement. Everything that happens is
 * folded into a hash, so that two runs of one seed can be compared.
 *
 * Invariant: nothing but the seed and the code decides what happens.
 */

import { InvariantError } from '../../crdt/assert.ts'
import type { BatchSpan } from '../../crdt/codec/batch.ts'
import { crc32c } from '../../crdt/codec/crc32c.ts'
import type { NodeCore } from '../../region-node/core.ts'
import { FSYNC_INTERVAL_MS } from '../../region-node/persistence/op-log.ts'
import type { Reply } from '../../region-node/resp/parse-reply.ts'
import { StartError } from '../../region-node/start-error.ts'
import { MemoryNetwork } from '../harness/memory-transport.ts'
import { Prng } from '../harness/prng.ts'
import { type SentCommand, SimClient } from '../harness/sim-client.ts'
import { SimClock } from '../harness/sim-clock.ts'
import { SimDisk } from '../harness/sim-disk.ts'
import { SimWallClock } from '../harness/sim-env.ts'
import { type Ending, SimNode, type SimNodeObserver } from '../harness/sim-node.ts'
import { type Checker, Finding, firstLacking, type World } from './checker.ts'
import { CausalOrder } from './checkers/causal-order.ts'
import { Convergence } from './checkers/convergence.ts'
import { Counters } from './checkers/counters.ts'
import { Durability } from './checkers/durability.ts'
import { Expiry } from './checkers/expiry.ts'
import { LateTail } from './checkers/late-tail.ts'
import { MintedOnce } from './checkers/minted-once.ts'
import { OracleEquality } from './checkers/oracle-equality.ts'
import { Queues } from './checkers/queues.ts'
import { Replies } from './checkers/replies.ts'
import { StableCut } from './checkers/stable-cut.ts'
import { Suspension } from './checkers/suspension.ts'
import { ZsetScores } from './checkers/zset-scores.ts'
import { Ledger } from './ledger.ts'
import { type Fleet, Nemesis } from './nemesis.ts'
import { type About, drawOptions, type SimOptions } from './options.ts'
import { Workload } from './workload.ts'

/** Virtual milliseconds in which healed regions must have become equal. */
const SETTLE_MS_MAX = 300_000
/** Virtual milliseconds for due keys to go once everything is quiet and on disk. */
const EXPIRY_MS = 20_000
/** Virtual milliseconds that regions have to meet before the faults begin. */
const FOUNDING_MS = 5000
/** For a new region to become known to all members: an operator waits before anything else is done. */
const ANNOUNCED_MS_MAX = 5000
/** A region that was heard so lately is in reach, milliseconds. */
const REACH_MS_MAX = 2500
/** Most regions at a time. */
const NODES_MAX = 5
/** Moments in a run at which the running checks look at everything. */
const MOMENTS = 8

/** Begins a finding that no checker made: a node, or the run itself, ended in an error. */
export const BROKEN = 'broken: '

export interface SimResult {
  readonly seed: number
  readonly options: SimOptions
  /** Undefined when every promise was kept. */
  readonly finding: string | undefined
  /** Equal for equal runs. */
  readonly hash: number
  readonly commands: number
  readonly minted: number
  readonly virtualMs: number
  /** Commands of which a reply was compared with what the models say. */
  readonly judged: ReadonlySet<string>
  /** What happened, a line each, when it was asked for. */
  readonly trace: readonly string[]
}

/**
 * Runs one seed.
 * @param ops  commands to send; drawn from the seed when absent
 * @param about  what the run is about, where not only the seed decides that
 */
export async function simulate(
  seed: number,
  ops?: number,
  keepTrace = false,
  about: About = {},
): Promise<SimResult> {
  const simulation = new Simulation(drawOptions(seed, ops, about), keepTrace)
  let finding: string | undefined
  try {
    await simulation.run()
  } catch (error) {
    finding = findingIn(error)
  }
  return simulation.result(finding)
}

function findingIn(error: unknown): string {
  if (error instanceof Finding) return error.message
  // No crash leaves a folder that its node does not start from.
  if (error instanceof StartError) return `recovery: ${error.message}`
  if (error instanceof InvariantError) return `invariant: ${error.message}`
  return `${BROKEN}${error instanceof Error ? error.stack : error}`
}

class Simulation implements SimNodeObserver, World, Fleet {
  readonly options: SimOptions
  readonly clock = new SimClock()
  readonly ledger = new Ledger()
  /** Regions that are members, or come to be. */
  readonly nodes: SimNode[]
  readonly #prng: Prng
  /** Ids of regions that were removed. */
  readonly #left: number[] = []
  /** Regions that there ever were: ids are not used again. */
  #regionCount: number
  readonly #network: MemoryNetwork
  readonly #clients: SimClient[]
  readonly #nemesis: Nemesis
  readonly #workload: Workload
  readonly #think: Prng
  readonly #checkers: readonly Checker[]
  readonly #keepTrace: boolean
  readonly #trace: string[] = []
  #hash = 0
  #isOver = false
  /** What broke inside a node, where nobody could throw it. */
  #broken: Error | undefined

  constructor(options: SimOptions, keepTrace: boolean) {
    this.options = options
    this.#keepTrace = keepTrace
    const prng = new Prng(options.seed).fork('run')
    this.#prng = prng
    this.#regionCount = options.regions
    const { clock } = this
    const chance = prng.fork('network')
    this.#network = new MemoryNetwork(
      {
        after: (delayMs, task) => clock.after(delayMs, task),
        monoMs: () => clock.nowMs,
        random: () => chance.random(),
      },
      options.network,
    )
    this.nodes = Array.from({ length: options.regions }, (_, i) => this.#makeNode(i, prng.fork(`node ${i}`)))
    this.#clients = this.nodes.flatMap((node) =>
      Array.from(
        { length: options.clientsPerRegion },
        () => new SimClient(node, (command) => this.#answered(command)),
      ),
    )
    this.#nemesis = new Nemesis(prng.fork('nemesis'), options, this.#network, this.nodes, clock, this)
    this.#workload = new Workload(prng.fork('workload'), options)
    this.#think = prng.fork('think')
    this.#checkers = [
      new MintedOnce(),
      new CausalOrder(this),
      new Durability(this),
      new Queues(this),
      new OracleEquality(this),
      new Convergence(this),
      new Counters(this),
      new Expiry(this),
      new StableCut(),
      new Suspension(this),
      new LateTail(this),
      new Replies(this),
      new ZsetScores(this),
    ]
  }

  #makeNode(i: number, prng: Prng): SimNode {
    const { skewMsMax, driftMax, disk, policy, segmentBytes, tailBytes, darkMsMax } = this.options
    const nameOf = (n: number) => `r${n + 1}`
    const others = this.#othersOf(i)
    const settings = {
      region: nameOf(i),
      'region-id': i + 1,
      dir: '/data',
      'sync-port': 1,
      'sync-secret': 'secret',
      peer: others.map((n) => ({ name: nameOf(n), url: `memory:${nameOf(n)}` })),
      appendfsync: policy,
      'log-segment-bytes': segmentBytes,
      'log-tail-bytes': tailBytes,
      'peer-dark-max-ms': darkMsMax,
    }
    const between = (limit: number) => (prng.random() * 2 - 1) * limit
    const wall = new SimWallClock(this.clock, between(skewMsMax), 1 + between(driftMax))
    const machine = {
      clock: this.clock,
      network: this.#network,
      disk: new SimDisk(this.clock, prng.fork('disk'), disk),
      wall,
      prng: prng.fork('process'),
    }
    return new SimNode(settings, machine, this)
  }

  /** Numbers of the regions that a new one is told of. */
  #othersOf(i: number): number[] {
    const founders = Array.from({ length: this.options.regions }, (_, n) => n)
    const known =
      i < this.options.regions ? founders : this.nodes.map(({ name }) => Number(name.slice(1)) - 1)
    return known.filter((n) => n !== i)
  }

  async join(at: SimNode): Promise<void> {
    const { core } = at
    if (this.nodes.length >= NODES_MAX || core === undefined || core.engine.refusal !== undefined) return
    // Where a member is out of reach the others may suspend this one, and end what it mints now.
    if (!this.isWhole) return
    const i = this.#regionCount++
    core.changeRegion(i + 1, `r${i + 1}`, `memory:r${i + 1}`, 'member')
    const isKnown = () => this.nodes.every((one) => knowsRegion(one, i + 1))
    this.#pass(ANNOUNCED_MS_MAX, isKnown)
    if (!isKnown()) {
      // An operator takes it back: the new region would be a member for some and a stranger to the others.
      this.#left.push(i + 1)
      at.core?.changeRegion(i + 1, `r${i + 1}`, '', 'left')
      return
    }
    const node = this.#makeNode(i, this.#prng.fork(`node ${i}`))
    this.nodes.push(node)
    const client = new SimClient(node, (command) => this.#answered(command))
    this.#clients.push(client)
    await node.start()
    this.#thinkThenSend(client)
  }

  get isWhole(): boolean {
    return this.nodes.every((node) => isInReachOf(node, this.nodes))
  }

  async leave(node: SimNode, at: SimNode): Promise<void> {
    const { core } = at
    if (this.nodes.length <= 2 || core === undefined || core.engine.refusal !== undefined) return
    if (this.nodes.some((one) => one.core === undefined || one.core.keeper.lacking)) return
    // An operator removes a region when its ops have arrived: what only one has that is suspended next is lost.
    // By name: each node has a table of origins of its own.
    if (firstLacking(new Map(core.durable.toWire()), node.core!.applied.toWire()) !== undefined) return
    await node.stop(() => this.clock.advance(1))
    for (const checker of this.#checkers) checker.lostDisk?.(node)
    const regionId = Number(node.name.slice(1))
    this.#left.push(regionId)
    core.changeRegion(regionId, node.name, '', 'left')
    this.nodes.splice(this.nodes.indexOf(node), 1)
  }

  lostDisk(node: SimNode): void {
    this.#note(`${node.name} has lost its disk`)
    // Who replaces a node names the regions that there are.
    const others = this.nodes.filter((other) => other !== node)
    node.configure({ peer: others.map(({ name }) => ({ name, url: `memory:${name}` })) })
    for (const checker of this.#checkers) checker.lostDisk?.(node)
  }

  async run(): Promise<void> {
    for (const node of this.nodes) await node.start()
    // New regions take writes once they have heard each other.
    this.#pass(FOUNDING_MS, () => this.nodes.every(({ core }) => core?.engine.refusal === undefined))
    for (const client of this.#clients) this.#thinkThenSend(client)
    await this.#chaos()
    await this.#nemesis.healAll()
    this.#note('healed')
    await this.#settle()
    this.#pass(EXPIRY_MS + FSYNC_INTERVAL_MS[this.options.policy])
    await this.#settle()
    for (const checker of this.#checkers) checker.settled?.()
    this.#note(
      `settled ${JSON.stringify([...this.nodes[0]!.vector])} ${this.nodes[0]!.core!.engine.keyspace.digest()}`,
    )
  }

  async #chaos(): Promise<void> {
    const { ops } = this.options
    let nextMoment = 0
    // A run in which every node stays down sends nothing: the time limit ends it.
    const endMs = this.clock.nowMs + SETTLE_MS_MAX
    while (!this.#isEnough && this.clock.nowMs < endMs) {
      this.#pass(this.#nemesis.pauseMs(), () => this.#isEnough)
      const done = await this.#nemesis.act()
      this.#note(done)
      this.#throwBroken()
      if (this.ledger.commands.length < nextMoment) continue
      nextMoment += ops / MOMENTS
      this.#judgeMoment()
    }
    this.#isOver = true
  }

  /** All commands of the run are sent: clients send no more, faults end. */
  get #isEnough(): boolean {
    return this.#isOver || this.ledger.commands.length >= this.options.ops
  }

  #judgeMoment(): void {
    // An open batch is applied and in no log yet.
    for (const { core } of this.nodes) core?.engine.endBatch()
    for (const checker of this.#checkers) checker.moment?.()
  }

  #pass(ms: number, done?: () => boolean): void {
    this.clock.advance(ms, done)
    this.#throwBroken()
  }

  #throwBroken(): void {
    if (this.#broken !== undefined) throw this.#broken
  }

  /** Waits until all vectors are equal and all clients have their answers. */
  async #settle(): Promise<void> {
    const endMs = this.clock.nowMs + SETTLE_MS_MAX
    for (let calmMs = 0; calmMs < 3000; ) {
      if (this.clock.nowMs > endMs) this.#throwUnsettled()
      this.#pass(200)
      // A disk may fail once more; somebody will start the node again.
      for (const node of this.nodes) if (node.core === undefined) await node.start()
      this.#announceAgain()
      calmMs = this.#isEqual() ? calmMs + 200 : 0
    }
  }

  #throwUnsettled(): never {
    this.#judgeMoment()
    for (const checker of this.#checkers) checker.unsettled?.()
    throw new Finding(
      'convergence',
      `not equal ${SETTLE_MS_MAX} ms after all was healed: ${this.#standings()}`,
    )
  }

  /**
   * The node at which a region was announced may have lost the announcement, or have been suspended when it was
   * made: an operator who sees that makes it again, wherever it is not known.
   */
  #announceAgain(): void {
    for (const { core } of this.nodes)
      if (core !== undefined && core.engine.refusal === undefined) this.#announceAt(core)
  }

  #announceAt(at: NodeCore): void {
    for (const { name } of this.nodes) {
      const regionId = Number(name.slice(1))
      if (regionId <= this.options.regions || at.membership.regions.has(regionId)) continue
      at.changeRegion(regionId, name, `memory:${name}`, 'member')
    }
    for (const regionId of this.#left) {
      if (at.membership.statusOf(regionId) !== 'left') at.changeRegion(regionId, `r${regionId}`, '', 'left')
    }
  }

  /** Who stands where, for a run that does not end. */
  #standings(): string {
    const vectors = this.nodes.map(({ name, core, vector }) => {
      const state = core === undefined ? 'down' : (core.engine.refusal?.line.slice(0, 40) ?? 'writes')
      return `${name} (${state}) ${JSON.stringify([...vector])}`
    })
    const busy = this.#clients.filter(({ isIdle }) => !isIdle).length
    return `${vectors.join('; ')}; ${busy} clients wait`
  }

  #isEqual(): boolean {
    const [first, ...others] = this.nodes.map(({ core }) => core!.applied.toWire().join())
    return others.every((vector) => vector === first) && this.#clients.every(({ isIdle }) => isIdle)
  }

  #thinkThenSend(client: SimClient): void {
    this.clock.after(this.#think.random() * 2 * this.options.thinkMs, () => {
      if (this.#isEnough) return
      if (client.isIdle) this.#send(client)
      this.#thinkThenSend(client)
    })
  }

  #send(client: SimClient): void {
    const commands = this.#workload.next(client.wallMs ?? 0)
    // Each client keeps to one database, as most do.
    const sent = client.send(
      client.isFresh && this.options.databases > 1
        ? [['SELECT', String(this.#clients.indexOf(client) % 2)], ...commands]
        : commands,
    )
    this.ledger.commands.push(...sent)
  }

  #answered(command: SentCommand): void {
    this.#note(`${command.node} ${command.words.join(' ')} -> ${replyText(command.reply)}`)
    for (const checker of this.#checkers) checker.answered?.(command)
  }

  recovered(node: SimNode): void {
    this.#note(`${node.name} starts at ${JSON.stringify([...node.vector])}`)
    for (const checker of this.#checkers) checker.recovered?.(node)
  }

  minted(node: SimNode, record: Uint8Array, span: BatchSpan): void {
    this.#note(
      `${node.name} mints ${span.origin.id}:${span.firstSeq} x${span.opCount} ${crc32c(record, 0, record.length)}`,
    )
    this.ledger.add(record)
    this.#guarded(() => {
      for (const checker of this.#checkers) checker.minted?.(node, record, span)
    })
  }

  received(node: SimNode, record: Uint8Array, span: BatchSpan): void {
    this.#note(`${node.name} takes ${span.origin.id}:${span.firstSeq} x${span.opCount}`)
    this.#guarded(() => {
      for (const checker of this.#checkers) checker.received?.(node, record, span)
    })
  }

  adopted(node: SimNode): void {
    this.#note(`${node.name} adopts a snapshot: ${JSON.stringify([...node.vector])}`)
    this.#guarded(() => {
      for (const checker of this.#checkers) checker.adopted?.(node)
    })
  }

  /** A finding inside a node must not look to it like an error of its own. */
  #guarded(judge: () => void): void {
    try {
      judge()
    } catch (error) {
      this.#broken ??= error as Error
    }
  }

  stopping(node: SimNode): void {
    for (const client of this.#clients) if (client.isOf(node)) client.lose()
  }

  ended(node: SimNode, how: Ending, core: NodeCore): void {
    this.#note(`${node.name} is gone: ${how}`)
    this.stopping(node)
    for (const checker of this.#checkers) checker.ended?.(node, how, core)
  }

  lostPower(node: SimNode): void {
    for (const checker of this.#checkers) checker.lostPower?.(node)
  }

  broke(node: SimNode, error: Error): void {
    this.#note(`${node.name} broke: ${error.message}`)
    this.#broken ??= error
  }

  #note(line: string): void {
    const whole = `${this.clock.nowMs.toFixed(3)} ${line}`
    if (this.#keepTrace) this.#trace.push(whole)
    let hash = this.#hash
    for (let i = 0; i < whole.length; i++) hash = Math.imul(hash ^ whole.charCodeAt(i), 0x01000193)
    this.#hash = hash
  }

  result(finding: string | undefined): SimResult {
    return {
      seed: this.options.seed,
      options: this.options,
      finding,
      hash: this.#hash >>> 0,
      commands: this.ledger.commands.length,
      minted: this.ledger.ops.size,
      virtualMs: this.clock.nowMs,
      judged: this.ledger.judged,
      trace: this.#trace,
    }
  }
}

function isInReachOf({ core }: SimNode, all: readonly SimNode[]): boolean {
  if (core === undefined || core.keeper.unheard().some(([, ms]) => ms > REACH_MS_MAX)) return false
  return all.every(({ regionId, core: other }) => {
    // It may be back by what the others know, and not have heard of it.
    const isKnown = other?.membership.epochOf(regionId) === core.membership.epochOf(regionId)
    return isKnown && core.membership.statusOf(regionId) === 'member'
  })
}

function knowsRegion({ core }: SimNode, regionId: number): boolean {
  return core?.membership.regions.has(regionId) === true
}

function replyText(reply: Reply | undefined): string {
  return JSON.stringify(reply, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))
}
