/**
 * snapshot-send.ts: the snapshot that a server sends over one link.
 *
 *   fetch ─→ is one there that will do? ─no→ have one made, look again ─→ snapshot-begin, snapshot-part ...
 *
 * One will do when it covers what the puller named and when the log still goes on from its vector for that
 * puller. It is read in slices as the network takes them, with a rest after each (`pace.ts`): a transfer costs
 * a slice of memory whatever the size, and a share of the core. The lease keeps file and log in place until the puller has caught up with it or the link ends.
 *
 * Invariant: at most one snapshot per link. A new `fetch` takes the place of the former.
 */
import { VersionVector } from '../crdt/version-vector.ts'
import { LogTrimmed } from './log-trimmed.ts'
import { type ControlMessage, encodeSnapshotPart, type Fetch } from './messages.ts'
import { restMs } from './pace.ts'
import type { SyncEnv, SyncHost, Timer } from './ports.ts'
import type { SnapshotLease } from './snapshot-ports.ts'
import { progressText, SHARE_TOTAL, type TransferProgress } from './snapshot-progress.ts'

/** Milliseconds between two sentences of progress in the log. */
const REPORT_MS = 5000

interface Job {
  readonly fetch: Fetch
  readonly least: VersionVector
  lease: SnapshotLease | undefined
  offset: number
}

export interface SendParts {
  readonly host: SyncHost
  readonly env: SyncEnv
  /** Name of the region that fetches. */
  readonly region: string
  send(message: ControlMessage): void
  /** There is something to send now. */
  ready(): void
}

export class SnapshotSend {
  readonly #parts: SendParts
  #job: Job | undefined
  #reportedMs = Number.NEGATIVE_INFINITY
  /** Until the next part may be sent. */
  #rest: Timer | undefined

  constructor(parts: SendParts) {
    this.#parts = parts
  }

  /** Bytes of a snapshot wait to be sent, and nothing forbids it now. */
  get isDue(): boolean {
    if (this.#rest !== undefined) return false
    const lease = this.#job?.lease
    return lease !== undefined && this.#job!.offset < lease.bytes
  }

  get progress(): TransferProgress | undefined {
    const job = this.#job
    if (job === undefined) return undefined
    if (job.lease === undefined) return this.#preparing
    const { bytes } = job.lease
    return { phase: job.offset < bytes ? 'sending' : 'sent', done: job.offset, total: bytes }
  }

  get #preparing(): TransferProgress {
    const { preparedShare } = this.#parts.host.snapshots.shelf
    return { phase: 'preparing', done: Math.floor(preparedShare * SHARE_TOTAL), total: SHARE_TOTAL }
  }

  start(fetch: Fetch): void {
    this.end()
    const { origins, membership } = this.#parts.host
    const least = VersionVector.fromWire(origins, fetch.least)
    // What lies behind the end of an origin no snapshot holds, and nobody needs.
    for (const [origin, seq] of least.entries()) {
      const end = membership.sealOf(origin)?.end ?? Number.POSITIVE_INFINITY
      if (end < seq) least.retreat(origin, end)
    }
    const job: Job = { fetch, least, lease: undefined, offset: 0 }
    this.#job = job
    this.#look(job)
  }

  /**
   * Hands over the next part, at most about `bytesMax` long, and rests after it. REQUIRES: isDue.
   * @throws Error when the disk fails
   */
  sendPart(bytesMax: number, send: (message: Uint8Array) => void): void {
    const { env, ready } = this.#parts
    const startMs = env.monoMs()
    const job = this.#job!
    const lease = job.lease!
    const { bytes } = lease
    const part = lease.read(job.offset, Math.min(bytesMax, bytes - job.offset))
    if (part.length === 0) throw new Error(`the snapshot ends at byte ${job.offset} of ${bytes}`)
    job.offset += part.length
    send(encodeSnapshotPart(part))
    const wait = restMs(env.monoMs() - startMs)
    if (wait === 0 || !this.isDue) return
    this.#rest = env.after(wait, () => {
      this.#rest = undefined
      ready()
    })
  }

  /** The puller has applied this. One that has the whole snapshot and what it stands for needs it no more. */
  acknowledged(applied: VersionVector): void {
    const job = this.#job
    if (job?.lease === undefined || job.offset < job.lease.bytes) return
    if (applied.covers(job.lease.vector)) this.end()
  }

  /** Called once per heartbeat. */
  beat(nowMs: number): void {
    const { progress } = this
    if (progress === undefined) return
    if (progress.phase === 'preparing') this.#parts.send({ type: 'snapshot-wait', done: progress.done })
    if (nowMs - this.#reportedMs < REPORT_MS) return
    this.#reportedMs = nowMs
    this.#parts.host.snapshots.inform(`snapshot for region ${this.#parts.region}: ${progressText(progress)}`)
  }

  end(): void {
    this.#rest?.cancel()
    this.#rest = undefined
    this.#job?.lease?.release()
    this.#job = undefined
  }

  #look(job: Job): void {
    const { fetch } = job
    const { shelf } = this.#parts.host.snapshots
    const lease = this.#usable(job, fetch.id) ?? this.#usable(job, undefined)
    if (lease !== undefined) {
      this.#begin(job, lease)
    } else if (this.#parts.host.applied.covers(job.least)) {
      shelf.prepare((failure) => {
        if (this.#job !== job) return
        if (failure === undefined) this.#look(job)
        else this.#refuse(failure)
      })
    } else {
      this.#refuse('it would have to hold ops that are not applied here yet')
    }
  }

  /** The snapshot of that name, or the newest for none, if it will do. */
  #usable(job: Job, id: string | undefined): SnapshotLease | undefined {
    if (id === '') return undefined
    const lease = this.#parts.host.snapshots.shelf.lease(id)
    if (lease === undefined) return undefined
    if (lease.vector.covers(job.least) && this.#logGoesOnFrom(lease.vector)) return lease
    lease.release()
    return undefined
  }

  #logGoesOnFrom(vector: VersionVector): boolean {
    try {
      this.#parts.host.log.seek(vector)
      return true
    } catch (error) {
      if (error instanceof LogTrimmed) return false
      throw error
    }
  }

  #begin(job: Job, lease: SnapshotLease): void {
    const { fetch } = job
    job.lease = lease
    // Of another one than the puller has begun with, everything is due.
    job.offset = lease.id === fetch.id && fetch.offset <= lease.bytes ? fetch.offset : 0
    const { id, bytes } = lease
    this.#parts.send({ type: 'snapshot-begin', id, offset: job.offset, bytes })
    this.#parts.ready()
  }

  #refuse(sentence: string): void {
    this.#job = undefined
    this.#parts.send({ type: 'snapshot-none', sentence })
  }
}
