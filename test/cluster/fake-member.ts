/**
 * fake-member.ts: a member that does what the port promises, as simply as it can: ops are numbers, a replica is
 * told with every sign of life how many its primary holds, and thereby has them.
 *
 * What is acknowledged, to clients under `sync` and to other regions always, is what every member that is waited
 * for holds durably. The judge hears of it.
 */
import type { Duty, Member, ReplicaState } from '../../region-node/cluster/member.ts'
import type { Timer } from '../../region-node/env.ts'
import type { Process } from './machine.ts'
import { countOf, covers, join, lackOf, meet, type Vector } from './vector.ts'

const LIFE_MS = 100
const SILENCE_MS_MAX = 1500
/** Some disks are slow. */
const FSYNC_MS_MIN = 20
const FSYNC_MS_MAX = 400
const MINT_MS_MAX = 200
/** To ask the other regions. */
const ASK_MS = 500

/** What outlives a process. */
export interface MemberDisk {
  term: number
  durable: Vector
}

/** Links between members: lost when cut, in order otherwise. */
export interface Wires {
  send(from: string, to: string, task: (member: FakeMember) => void): void
}

/** What the judge hears. */
export interface Witness {
  took(member: FakeMember, duty: Duty): void
  acknowledged(member: FakeMember, ops: Vector): void
}

interface Follower {
  session: string
  isConnected: boolean
  applied: Vector
  durable: Vector
  isDurable: boolean
  confirmedMs: number
  repliedMs: number
  lacksSinceMs: number | undefined
}

export class FakeMember implements Member {
  readonly nodeId: string
  duty: Duty = { kind: 'idle' }
  primaryHeardMs = Number.NEGATIVE_INFINITY
  mayAnswer: (() => boolean) | undefined
  applied: Vector
  isPaused = false
  inSync: ReadonlySet<string> = new Set()
  readonly #disk: MemberDisk
  readonly #process: Process
  readonly #wires: Wires
  readonly #witness: Witness
  readonly #followers = new Map<string, Follower>()
  /** The link to the primary: '' while there is none. */
  #session = ''
  #sessions = 0
  #linkHeardMs = Number.NEGATIVE_INFINITY
  #minting: Timer | undefined
  #takenMs = 0

  constructor(nodeId: string, disk: MemberDisk, process: Process, wires: Wires, witness: Witness) {
    this.nodeId = nodeId
    this.#disk = disk
    this.applied = disk.durable
    this.#process = process
    this.#wires = wires
    this.#witness = witness
    this.#every(LIFE_MS, () => this.#beat())
    const fsyncMs = FSYNC_MS_MIN + process.random() * (FSYNC_MS_MAX - FSYNC_MS_MIN)
    this.#every(fsyncMs, () => this.#fsync())
  }

  get term(): number {
    return this.#disk.term
  }

  get isWhole(): boolean {
    const { duty } = this
    if (duty.kind !== 'primary') return false
    return duty.isWhole || this.#process.monoMs() >= this.#takenMs + ASK_MS
  }

  get unanswered(): 'none' | 'writes' {
    const isHeld = [...this.inSync].every(
      (nodeId) =>
        nodeId === this.nodeId || covers(this.#followers.get(nodeId)?.applied ?? new Map(), this.applied),
    )
    return isHeld ? 'none' : 'writes'
  }

  get opCount(): number {
    return countOf(this.applied)
  }

  replicas(): readonly ReplicaState[] {
    const nowMs = this.#process.monoMs()
    return Array.from(this.#followers, ([nodeId, follower]) => ({
      nodeId,
      host: nodeId,
      port: 6379,
      isConnected: follower.isConnected,
      lagOps: lackOf(this.applied, follower.applied),
      lagMs: follower.lacksSinceMs === undefined ? 0 : nowMs - follower.lacksSinceMs,
      isDurable: follower.isDurable,
      isBeyondEnd: false,
      confirmedMs: follower.confirmedMs,
    }))
  }

  take(duty: Duty): void {
    if (duty.kind !== 'idle') {
      if (duty.term < this.#disk.term) throw new Error(`term ${duty.term} is below ${this.#disk.term}`)
      this.#disk.term = duty.term
    }
    this.hangUp()
    this.duty = duty
    this.#takenMs = this.#process.monoMs()
    this.isPaused = false
    this.inSync = new Set()
    this.#followers.clear()
    this.#minting?.cancel()
    this.#witness.took(this, duty)
    if (duty.kind === 'primary') this.#mintLater(duty.term)
    if (duty.kind === 'replica') this.#dial()
  }

  setInSync(nodeIds: ReadonlySet<string>): void {
    if (this.duty.kind !== 'primary') throw new Error('only a primary waits for others')
    this.inSync = new Set(nodeIds)
    this.#acknowledge()
  }

  pauseWrites(): void {
    this.isPaused = true
  }

  letWritesGo(): void {
    this.isPaused = false
  }

  /** Closes all connections: the other ends hear of it unless they are cut off. */
  hangUp(): void {
    if (this.duty.kind === 'replica') this.#closeLink(this.duty.primary.nodeId)
    for (const [nodeId, { session, isConnected }] of this.#followers)
      if (isConnected)
        this.#wires.send(this.nodeId, nodeId, (other) => other.linkClosed(this.nodeId, session))
  }

  /** A connection has broken on the way: both ends are told, each unless it is cut off. */
  linkClosed(other: string, session: string): void {
    if (this.#session === session) this.#session = ''
    const follower = this.#followers.get(other)
    if (follower?.session === session) follower.isConnected = false
  }

  get session(): string {
    return this.#session
  }

  #every(ms: number, task: () => void): void {
    this.#process.after(ms, () => {
      this.#every(ms, task)
      task()
    })
  }

  #beat(): void {
    const nowMs = this.#process.monoMs()
    if (this.duty.kind === 'primary') {
      for (const follower of this.#followers.values())
        if (nowMs - follower.repliedMs > SILENCE_MS_MAX) follower.isConnected = false
      this.#tellFollowers()
    } else if (this.duty.kind === 'replica') {
      if (nowMs - this.#linkHeardMs > SILENCE_MS_MAX) this.#closeLink(this.duty.primary.nodeId)
      if (this.#session === '') this.#dial()
    }
  }

  #fsync(): void {
    this.#disk.durable = this.applied
    this.#acknowledge()
  }

  #mintLater(term: number): void {
    this.#minting = this.#process.after(this.#process.random() * MINT_MS_MAX, () => {
      this.#mintLater(term)
      if (this.isPaused || this.mayAnswer?.() === false) return
      this.applied = join(this.applied, new Map([[term, (this.applied.get(term) ?? 0) + 1]]))
      for (const follower of this.#followers.values()) this.#noteLack(follower)
      this.#tellFollowers()
    })
  }

  #dial(): void {
    const { duty, nodeId } = this
    if (duty.kind !== 'replica') return
    const session = `${nodeId}/${this.#process.monoMs()}/${++this.#sessions}`
    this.#session = session
    this.#linkHeardMs = this.#process.monoMs()
    this.#wires.send(nodeId, duty.primary.nodeId, (primary) => primary.#admit(nodeId, duty.term, session))
  }

  #closeLink(primary: string): void {
    const session = this.#session
    this.#session = ''
    if (session !== '')
      this.#wires.send(this.nodeId, primary, (other) => other.linkClosed(this.nodeId, session))
  }

  #admit(nodeId: string, term: number, session: string): void {
    if (this.duty.kind !== 'primary' || this.duty.term !== term) {
      this.#wires.send(this.nodeId, nodeId, (other) => other.linkClosed(this.nodeId, session))
      return
    }
    const nowMs = this.#process.monoMs()
    const follower: Follower = {
      session,
      isConnected: true,
      applied: new Map(),
      durable: new Map(),
      isDurable: false,
      confirmedMs: this.#followers.get(nodeId)?.confirmedMs ?? Number.NEGATIVE_INFINITY,
      repliedMs: nowMs,
      lacksSinceMs: undefined,
    }
    this.#followers.set(nodeId, follower)
    this.#noteLack(follower)
    this.#tell(nodeId, follower)
  }

  #tellFollowers(): void {
    for (const [nodeId, follower] of this.#followers) if (follower.isConnected) this.#tell(nodeId, follower)
  }

  #tell(nodeId: string, { session }: Follower): void {
    const sentMs = this.#process.monoMs()
    const { applied } = this
    const asked = this.#disk.durable
    this.#wires.send(this.nodeId, nodeId, (replica) =>
      replica.#hear(this.nodeId, session, applied, (nowApplied, nowDurable) =>
        this.#wires.send(nodeId, this.nodeId, (primary) =>
          primary.#hearReply(nodeId, session, sentMs, nowApplied, nowDurable, asked),
        ),
      ),
    )
  }

  #hear(
    primary: string,
    session: string,
    ops: Vector,
    reply: (applied: Vector, durable: Vector) => void,
  ): void {
    if (this.duty.kind !== 'replica' || this.duty.primary.nodeId !== primary || this.#session !== session)
      return
    this.primaryHeardMs = this.#process.monoMs()
    this.#linkHeardMs = this.primaryHeardMs
    this.applied = join(this.applied, ops)
    reply(this.applied, this.#disk.durable)
  }

  #hearReply(
    nodeId: string,
    session: string,
    sentMs: number,
    applied: Vector,
    durable: Vector,
    asked: Vector,
  ): void {
    const follower = this.#followers.get(nodeId)
    if (this.duty.kind !== 'primary' || follower?.session !== session || !follower.isConnected) return
    follower.repliedMs = this.#process.monoMs()
    follower.confirmedMs = Math.max(follower.confirmedMs, sentMs)
    follower.applied = applied
    follower.durable = durable
    follower.isDurable = covers(durable, asked)
    this.#noteLack(follower)
    this.#acknowledge()
  }

  #noteLack(follower: Follower): void {
    if (covers(follower.applied, this.applied)) follower.lacksSinceMs = undefined
    else follower.lacksSinceMs ??= this.#process.monoMs()
  }

  #acknowledge(): void {
    if (this.duty.kind !== 'primary' || this.inSync.size === 0) return
    let ops = this.#disk.durable
    for (const nodeId of this.inSync)
      if (nodeId !== this.nodeId) ops = meet(ops, this.#followers.get(nodeId)?.durable ?? new Map())
    this.#witness.acknowledged(this, ops)
  }
}
