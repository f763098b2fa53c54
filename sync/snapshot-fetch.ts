/**
 * snapshot-fetch.ts: the snapshot that a node fetches, from one peer at a time.
 *
 *   idle ─→ asking ─begin→ receiving ─all bytes→ adopting (snapshot-ports.ts) ─→ idle
 *             ↑ preparing        │ link lost: what is staged stays; `fetch` with its id and offset
 *
 * It is fetched when a peer's log no longer reaches back to what this node has, or because an operator
 * wants the node rebuilt (CRDT.LINK RESYNC). Ops go on being taken on every link meanwhile; those of a
 * peer whose log is trimmed come when the node has adopted and subscribes anew, because before that they
 * could only pile up in the causal buffer.
 *
 * Invariants: (1) at most one snapshot is staged. (2) A part is appended only if it follows what is staged.
 * (3) While one is being adopted nothing is staged or discarded.
 */
import type { VersionVector, WireVector } from '../crdt/version-vector.ts'
import type { SnapshotBegin } from './messages.ts'
import type { SyncEnv, SyncHost } from './ports.ts'
import type { AdoptionResult } from './snapshot-ports.ts'
import { progressText, SHARE_TOTAL, type TransferProgress } from './snapshot-progress.ts'

/** Milliseconds between two sentences of progress in the log. */
const REPORT_MS = 5000
/** Milliseconds after a failure before the next attempt. */
const RETRY_MS = 5000
/** Milliseconds that a peer with half a snapshot sent may be away before another one is asked. */
const AWAY_MS_MAX = 10_000
/** Milliseconds in which peers answer who are asked whether their logs reach back. */
const ANSWER_MS = 2000

/** The link to a peer that a snapshot may come by. */
export interface SnapshotGiver {
  readonly region: string
  readonly streaming: boolean
  /** Cut, or no member any more: it will not dial again by itself. */
  readonly stopped: boolean
  /** Its log does not reach back to what we have. */
  readonly isTrimmed: boolean
  /** What the peer last said it has applied. */
  readonly announced: VersionVector | undefined
  request(id: string, offset: number, least: WireVector): void
  /** The vector of this node has advanced past what the peer's snapshot held: ops may flow. */
  subscribe(): void
}

interface Job {
  readonly giver: SnapshotGiver
  /** Whatever the node has. */
  readonly isRebuilt: boolean
  /** The snapshot has to cover this. */
  readonly least: VersionVector
  phase: 'asking' | 'preparing' | 'receiving' | 'adopting'
  /** Empty until the giver has named the snapshot. */
  id: string
  bytesDone: number
  bytesTotal: number
  /** Thousandths of the snapshot that the giver makes. */
  prepared: number
  /** When the link to the giver was lost. */
  awaySinceMs: number | undefined
}

export interface FetchParts {
  readonly host: SyncHost
  readonly env: SyncEnv
  givers(): Iterable<SnapshotGiver>
  /** `host.applied` has advanced by a snapshot. */
  adopted(): void
}

export class SnapshotFetch {
  readonly #parts: FetchParts
  #job: Job | undefined
  #retryMs = Number.NEGATIVE_INFINITY
  /** Since then nobody was subscribed with anew. */
  #hasFailed = false
  /** The last one that came whole could not be adopted: the same one is not asked for again. */
  #wasOfNoUse = false
  /** Whose snapshots came to nothing: others are asked first, each of which may know more. */
  readonly #tried = new Set<SnapshotGiver>()
  #subscribedMs = Number.NEGATIVE_INFINITY
  #reportedMs = Number.NEGATIVE_INFINITY
  #stopped = false

  constructor(parts: FetchParts) {
    this.#parts = parts
  }

  /** How far the snapshot from that peer is; undefined when none is fetched from it. */
  progressOf(giver: SnapshotGiver): TransferProgress | undefined {
    const job = this.#job
    if (job?.giver !== giver) return undefined
    switch (job.phase) {
      case 'asking':
        return { phase: 'asking', done: 0, total: 0 }
      case 'preparing':
        return { phase: 'preparing', done: job.prepared, total: SHARE_TOTAL }
      case 'receiving':
        return { phase: 'receiving', done: job.bytesDone, total: job.bytesTotal }
      case 'adopting': {
        const { adoption } = this.#parts.host.snapshots.stage
        if (adoption === undefined) return { phase: 'verifying', done: 0, total: job.bytesTotal }
        return { phase: adoption.phase, done: adoption.bytesDone, total: adoption.bytesTotal }
      }
    }
  }

  /**
   * Rebuilds this node from a peer: its snapshot, and onto that what this node has applied beyond it.
   * @param why  for people
   * @returns why not, for people; undefined when it has begun
   */
  resync(giver: SnapshotGiver, why: string): string | undefined {
    const job = this.#job
    if (job !== undefined) {
      const progress = progressText(this.progressOf(job.giver)!)
      return `a snapshot from region ${job.giver.region} is under way (${progress})`
    }
    if (!giver.streaming) return `there is no link to region ${giver.region} to fetch a snapshot by`
    this.#begin(giver, true, why)
    return undefined
  }

  /** A link opened, was told that its peer's log is trimmed, or ended. */
  changed(): void {
    if (this.#stopped) return
    this.#follow()
    if (this.#job !== undefined || this.#parts.env.monoMs() < this.#retryMs) return
    if (this.#hasFailed) {
      // Ops may have come another way by now: who still lacks some is told so again.
      this.#hasFailed = false
      this.#subscribeTrimmed()
      return
    }
    const giver = this.#next()
    if (giver !== undefined) this.#begin(giver, false, 'its log no longer reaches back to what this node has')
  }

  /** Whom to ask now, if anybody. */
  #next(): SnapshotGiver | undefined {
    let again: SnapshotGiver | undefined
    for (const giver of this.#parts.givers()) {
      if (!giver.isTrimmed || !giver.streaming) continue
      if (!this.#tried.has(giver)) return giver
      again ??= giver
    }
    // Others may be about to answer.
    if (again === undefined || this.#parts.env.monoMs() - this.#subscribedMs < ANSWER_MS) return undefined
    this.#tried.clear()
    return again
  }

  #subscribeTrimmed(): void {
    this.#subscribedMs = this.#parts.env.monoMs()
    for (const giver of this.#parts.givers()) if (giver.isTrimmed && giver.streaming) giver.subscribe()
  }

  /** Keeps the job in step with its link. */
  #follow(): void {
    const job = this.#job
    if (job === undefined || job.phase === 'adopting') return
    const { giver } = job
    if (giver.streaming) {
      if (job.awaySinceMs === undefined) return
      job.awaySinceMs = undefined
      this.#ask(job)
      return
    }
    const nowMs = this.#parts.env.monoMs()
    job.awaySinceMs ??= nowMs
    const isReplaceable = nowMs - job.awaySinceMs >= AWAY_MS_MAX && this.#hasOther(giver)
    if (giver.stopped || isReplaceable) this.#giveUp(job, `the link to region ${giver.region} is gone`)
  }

  #hasOther(giver: SnapshotGiver): boolean {
    for (const other of this.#parts.givers()) {
      if (other !== giver && other.isTrimmed && other.streaming) return true
    }
    return false
  }

  #begin(giver: SnapshotGiver, isRebuilt: boolean, why: string): void {
    const least = this.#parts.host.snapshots.stage.least().copy()
    // To lack less than a peer's log has, any snapshot will do that its log goes on from. Who is rebuilt
    // wants what the peer holds now, and not an old snapshot with the own log replayed onto it.
    const wantsNewest = isRebuilt || this.#wasOfNoUse
    if (wantsNewest && giver.announced !== undefined) least.join(giver.announced)
    this.#job = {
      giver,
      isRebuilt,
      least,
      phase: 'asking',
      id: '',
      bytesDone: 0,
      bytesTotal: 0,
      prepared: 0,
      awaySinceMs: undefined,
    }
    this.#parts.host.snapshots.inform(`fetching a snapshot from region ${giver.region}: ${why}`)
    this.#reportedMs = this.#parts.env.monoMs()
    this.#ask(this.#job)
  }

  #ask(job: Job): void {
    job.giver.request(job.id, job.bytesDone, job.least.toWire())
  }

  /** The peer makes a snapshot; `done` thousandths of it. */
  waits(giver: SnapshotGiver, done: number): void {
    const job = this.#jobOf(giver)
    if (job === undefined) return
    job.phase = 'preparing'
    job.prepared = done
  }

  /** The peer cannot give one now. */
  refused(giver: SnapshotGiver, sentence: string): void {
    const job = this.#jobOf(giver)
    if (job === undefined) return
    this.#giveUp(job, `region ${giver.region} has none to give: ${sentence}`)
  }

  began(giver: SnapshotGiver, { id, offset, bytes }: SnapshotBegin): void {
    const job = this.#jobOf(giver)
    if (job === undefined) return
    if (id !== job.id || offset !== job.bytesDone || bytes !== job.bytesTotal) {
      // Another one than was begun with: what is staged of that is of no use.
      if (offset !== 0) {
        this.#giveUp(job, `region ${giver.region} goes on at byte ${offset}, which was not asked for`)
        return
      }
      const { stage } = this.#parts.host.snapshots
      job.id = id
      job.bytesDone = 0
      job.bytesTotal = bytes
      stage.begin((sentence) => {
        if (this.#job === job) this.#giveUp(job, sentence)
      })
    }
    // The disk may have refused it at once.
    if (this.#job !== job) return
    job.phase = 'receiving'
    this.#adoptWhenWhole(job)
  }

  part(giver: SnapshotGiver, bytes: Uint8Array): void {
    const job = this.#jobOf(giver)
    if (job?.phase !== 'receiving') return
    job.bytesDone += bytes.length
    if (job.bytesDone > job.bytesTotal) {
      this.#giveUp(job, `region ${giver.region} sends more than it announced`)
      return
    }
    this.#parts.host.snapshots.stage.append(bytes)
    if (this.#job === job) this.#adoptWhenWhole(job)
  }

  #adoptWhenWhole(job: Job): void {
    if (job.bytesDone < job.bytesTotal) return
    job.phase = 'adopting'
    this.#parts.host.snapshots.stage.adopt(job.isRebuilt, (result) => this.#adoptionOver(job, result))
  }

  #adoptionOver(job: Job, result: AdoptionResult): void {
    if (this.#stopped) return
    this.#job = undefined
    const { region } = job.giver
    const { host } = this.#parts
    this.#wasOfNoUse = typeof result === 'object'
    if (typeof result === 'object') {
      this.#failed(job, `the snapshot from region ${region} cannot be used: ${result.failure}`)
      return
    }
    host.snapshots.inform(
      result === 'adopted'
        ? `the snapshot from region ${region} is adopted: ${host.applied.opCount} ops`
        : `the snapshot from region ${region} holds nothing that this node lacks by now; it is dropped`,
    )
    this.#tried.clear()
    if (result === 'adopted') this.#parts.adopted()
    this.#subscribeTrimmed()
  }

  /** Called once per heartbeat. */
  beat(nowMs: number): void {
    this.changed()
    const job = this.#job
    if (job === undefined || nowMs - this.#reportedMs < REPORT_MS) return
    this.#reportedMs = nowMs
    const progress = progressText(this.progressOf(job.giver)!)
    this.#parts.host.snapshots.inform(`snapshot from region ${job.giver.region}: ${progress}`)
    // A giver that makes one says so at every heartbeat: this one has not heard the request.
    if (job.phase === 'asking' && job.giver.streaming) this.#ask(job)
  }

  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    if (this.#job !== undefined && this.#job.phase !== 'adopting') this.#parts.host.snapshots.stage.discard()
  }

  /** The job that this peer works on, if there is something to receive. */
  #jobOf(giver: SnapshotGiver): Job | undefined {
    const job = this.#job
    return job?.giver === giver && job.phase !== 'adopting' ? job : undefined
  }

  #giveUp(job: Job, sentence: string): void {
    this.#job = undefined
    this.#parts.host.snapshots.stage.discard()
    this.#failed(job, `the snapshot is given up: ${sentence}`)
  }

  #failed({ giver }: Job, sentence: string): void {
    this.#tried.add(giver)
    this.#retryMs = this.#parts.env.monoMs() + RETRY_MS
    this.#hasFailed = true
    this.#parts.host.report(sentence)
  }
}
