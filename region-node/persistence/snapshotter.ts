/**
 * snapshotter.ts: makes snapshots while the node serves, when somebody asks or the rules say so.
 *
 *   begin ─→ walk, a millisecond at a time, and a rest ─→ footer ─→ fsync ─→ log durable up to here ─→ rename
 *
 * It begins with no batch open, so the file is exact at the vector of that moment, and the log goes on from
 * the position of that moment. The walk waits while the disk is behind; commands never wait. The name is
 * given when file and log are durable, so a snapshot never holds an op that the log behind it may lose.
 *
 * One is made by the `save` rules, every `snapshot-every-hours`, and whenever the log since the last one has
 * grown past `log-snapshot-bytes` or past the size of the last one, whichever is more: so a start never
 * takes longer than about two loads, however old the database is.
 *
 * Invariants: (1) at most one is being made. (2) A failure leaves everything as it was but the file begun,
 * which is removed. Source of the rules and of their retry: Redis's serverCron.
 */
import type { Latin1 } from '../../crdt/codec/bytes.ts'
import type { OriginTable } from '../../crdt/origin.ts'
import type { VersionVector } from '../../crdt/version-vector.ts'
import { restMs, SLICE_MS } from '../../sync/pace.ts'
import type { LogPosition } from '../../sync/ports.ts'
import type { SaveRule } from '../config/kinds.ts'
import type { Keyspace } from '../engine/keyspace.ts'
import type { Walk } from '../engine/walk.ts'
import { DiskError, type DiskFile, type Env } from '../env.ts'
import { SnapshotEncoder, type SnapshotHeader } from './snapshot-file.ts'
import type { SnapshotStore } from './snapshot-store.ts'
import { SnapshotWriter } from './snapshot-writer.ts'

/** Entries between two looks at the clock. */
const STEP_ENTRIES = 8
/** After a step that wrote this much, the next one is a single entry. */
const LARGE_STEP_BYTES = 64 * 1024
/** Handed to the disk at once, at least. */
const WRITE_BYTES = 256 * 1024
/**
 * Made durable at once, at least: one sync of the whole file at its end would keep the disk, and the log's own
 * syncs behind it, busy for long.
 */
const SYNC_BYTES = 8 * 1024 * 1024
/** The walk waits for the disk while this much is waiting. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024
const RULES_INTERVAL_MS = 1000
/** After a failure the rules wait this long. */
const RETRY_MS = 5000
/** Between two looks at whether another walk is over. */
const WALK_LOOK_MS = 10
const REPORT_INTERVAL_MS = 5000
const HOUR_MS = 3_600_000

export interface SnapshotRules {
  readonly save: readonly SaveRule[]
  /** 0: never. */
  readonly everyHours: number
  readonly logBytes: number
}

/** The log, as far as snapshots need it. */
export interface SnapshotLog {
  /** Behind the last record appended. */
  readonly appendedPosition: LogPosition
  readonly durablePosition: LogPosition
  /** Asks for an fsync soon. */
  hurryDurable(): void
}

export interface SnapshotterOptions {
  readonly env: Env
  readonly latin1: Latin1
  readonly origins: OriginTable
  readonly keyspace: Keyspace
  readonly store: SnapshotStore
  readonly log: SnapshotLog
  /** What is applied: live. */
  readonly applied: VersionVector
  /** Ends the open batch, and says what stands in the header of a snapshot of this moment. */
  readonly settle: () => SnapshotHeader
  readonly rules: () => SnapshotRules
  /** A snapshot was added: what lies before the older ones may go. */
  readonly added: () => void
  readonly info: (sentence: string) => void
  readonly warn: (sentence: string) => void
  /** Most entries that the walk goes on by before others have a turn, however little time that took. */
  readonly sliceEntriesMax: number
}

/** A snapshot that is being made. */
interface Making {
  readonly position: LogPosition
  readonly opCount: number
  readonly startMs: number
  readonly encoder: SnapshotEncoder
  readonly walk: Walk
  readonly file: DiskFile
  /** The walk is over and the footer written. */
  isWhole: boolean
  /** The file is durable; the log may not be yet. */
  isDurable: boolean
  isWriting: boolean
  /** It has its name, and that is about to be durable. */
  isNamed: boolean
  isScheduled: boolean
  isAbandoned: boolean
  /** Bytes of the file that were synced. */
  syncedBytes: number
  /** What the last slice took, milliseconds. */
  sliceMs: number
  reportMs: number
}

export class Snapshotter {
  readonly #options: SnapshotterOptions
  #making: Making | undefined = undefined
  #waiting: ((failure: string | undefined) => void)[] = []
  #timer: { cancel(): void } | undefined = undefined
  #isStopped = false
  /** Ops applied when the last snapshot was begun. */
  #savedOpCount = 0
  /** Wall clock of the end of the last one, or of the start of the node, milliseconds since the Unix epoch. */
  #lastSaveWallMs: number
  #lastSaveMs: number
  #lastTryMs = Number.NEGATIVE_INFINITY
  /** Why the last one failed; undefined when it did not. */
  lastFailure: string | undefined = undefined
  /** How long the last one took, seconds; -1 when none was made since the start. */
  lastSeconds = -1
  /** Made since the start. */
  count = 0

  constructor(options: SnapshotterOptions) {
    this.#options = options
    this.#lastSaveWallMs = options.env.wallMs()
    this.#lastSaveMs = options.env.monoMs()
  }

  /** The node was started from a snapshot that holds so many ops. */
  recovered(opCount: number): void {
    this.#savedOpCount = opCount
  }

  /** Begins to follow the rules. */
  start(): void {
    this.#lookLater()
  }

  /** Nothing is begun any more; what is being made is given up. */
  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
    this.abandon('the node stops')
  }

  /** One is being made, or about to be begun. */
  get isRunning(): boolean {
    return this.#making !== undefined || this.#waiting.length > 0
  }

  /** Share of the present one that is done, 0 to 1; 0 when none is being made. */
  get progress(): number {
    return this.#making?.walk.progress ?? 0
  }

  /** Ops applied since the last one was begun. */
  get changes(): number {
    return this.#options.applied.opCount - this.#savedOpCount
  }

  /** Seconds since the Unix epoch. */
  get lastSaveSeconds(): number {
    return Math.floor(this.#lastSaveWallMs / 1000)
  }

  /** How long the present one has taken so far, seconds; -1 when none is being made. */
  get currentSeconds(): number {
    if (this.#making === undefined) return -1
    return Math.floor((this.#options.env.monoMs() - this.#making.startMs) / 1000)
  }

  /**
   * Makes one from this moment on, unless one is being made: then that one will do.
   * @param done  called once, later: with why there is none, or undefined
   */
  make(done: (failure: string | undefined) => void = () => {}): void {
    const { isRunning } = this
    this.#waiting.push(done)
    // Later, because whoever asks may be in the middle of an op.
    if (!isRunning) this.#options.env.after(0, () => this.#begin())
  }

  #begin(): void {
    const { env, store, keyspace, origins, latin1, log, settle } = this.#options
    if (this.#isStopped) {
      this.#finished('the node stops')
      return
    }
    if (keyspace.isWalked) {
      // A digest is being made, and no other begins before this.
      env.after(WALK_LOOK_MS, () => this.#begin())
      return
    }
    this.#lastTryMs = env.monoMs()
    let file: DiskFile
    try {
      file = env.disk.openAnew(store.unfinishedPath)
    } catch (error) {
      this.#finished(failureOf(error))
      return
    }
    const header = settle()
    const encoder = new SnapshotEncoder(header, origins, latin1)
    this.#making = {
      position: log.appendedPosition,
      opCount: header.vector.opCount,
      startMs: env.monoMs(),
      encoder,
      walk: keyspace.walk(new SnapshotWriter(encoder)),
      file,
      isWhole: false,
      isDurable: false,
      isWriting: false,
      isNamed: false,
      isScheduled: false,
      isAbandoned: false,
      syncedBytes: 0,
      sliceMs: 0,
      reportMs: env.monoMs(),
    }
    this.#goOn(this.#making)
  }

  /** Whatever is to be done next: a slice of the walk, a write, or the end. */
  #goOn(making: Making): void {
    if (making.isAbandoned) return
    this.#write(making)
    if (making.isWhole || making.isScheduled) return
    // A write that is under way goes on here when it is done.
    if (making.isWriting && making.encoder.readyBytes > WAITING_BYTES_MAX) return
    making.isScheduled = true
    this.#options.env.after(restMs(making.sliceMs), () => {
      making.isScheduled = false
      if (making.isAbandoned) return
      this.#walkOn(making)
      this.#goOn(making)
    })
  }

  #walkOn(making: Making): void {
    const { env, sliceEntriesMax } = this.#options
    const { walk, encoder } = making
    const startMs = env.monoMs()
    let entries = Math.min(STEP_ENTRIES, sliceEntriesMax)
    let left = sliceEntriesMax
    do {
      const before = encoder.at
      if (walk.step(entries)) {
        encoder.finish()
        making.isWhole = true
        return
      }
      left -= entries
      entries = encoder.at - before > LARGE_STEP_BYTES ? 1 : Math.min(STEP_ENTRIES, left)
      making.sliceMs = env.monoMs() - startMs
    } while (left > 0 && making.sliceMs < SLICE_MS)
    this.#report(making, startMs)
  }

  #report(making: Making, nowMs: number): void {
    if (nowMs - making.reportMs < REPORT_INTERVAL_MS) return
    making.reportMs = nowMs
    const percent = Math.floor(making.walk.progress * 100)
    this.#options.info(`snapshot: ${percent}% of the keys written, ${megabytes(making.file.size)} MB`)
  }

  #write(making: Making): void {
    const { encoder, file } = making
    if (making.isWriting || making.isDurable) return
    const ready = encoder.readyBytes
    const isWritten = ready === 0 && making.isWhole
    if (isWritten || file.size - making.syncedBytes >= SYNC_BYTES) {
      this.#sync(making, isWritten)
      return
    }
    if (ready < (making.isWhole ? 1 : WRITE_BYTES)) return
    making.isWriting = true
    const taken = encoder.take()
    file.writeLater(taken, (error) => {
      making.isWriting = false
      if (making.isAbandoned) return
      if (error !== undefined) {
        this.#fail(making, error.message)
        return
      }
      encoder.giveBack(taken)
      this.#goOn(making)
    })
  }

  /** @param isWritten  nothing follows */
  #sync(making: Making, isWritten: boolean): void {
    making.isWriting = true
    making.syncedBytes = making.file.size
    making.file.sync((error) => {
      making.isWriting = false
      if (making.isAbandoned) return
      if (error !== undefined) {
        this.#fail(making, error.message)
        return
      }
      if (!isWritten) {
        this.#goOn(making)
        return
      }
      making.isDurable = true
      this.logDurable()
      if (this.#making === making) this.#options.log.hurryDurable()
    })
  }

  /** More of the log is durable: the last thing a snapshot waits for. */
  logDurable(): void {
    const making = this.#making
    if (making === undefined || !making.isDurable) return
    const { store, log } = this.#options
    if (making.isNamed || log.durablePosition < making.position) return
    making.isNamed = true
    making.file.close()
    try {
      store.add(store.unfinishedPath, making.position, making.file.size, (error) => {
        if (making.isAbandoned) return
        if (error === undefined) this.#made(making)
        else this.#fail(making, error.message)
      })
    } catch (error) {
      this.#fail(making, failureOf(error))
    }
  }

  #made(making: Making): void {
    const { env, added, info } = this.#options
    const bytes = making.file.size
    const seconds = (env.monoMs() - making.startMs) / 1000
    this.#making = undefined
    this.#savedOpCount = making.opCount
    this.#lastSaveWallMs = env.wallMs()
    this.#lastSaveMs = env.monoMs()
    this.lastSeconds = Math.floor(seconds)
    this.count++
    info(`snapshot: written, ${megabytes(bytes)} MB in ${seconds.toFixed(1)} s`)
    added()
    this.#finished(undefined)
  }

  /** Gives up the one that is being made: the keyspace is about to become another. */
  abandon(why: string): void {
    if (this.#making?.isAbandoned === false) this.#fail(this.#making, why)
  }

  #fail(making: Making, why: string): void {
    const { env, store, warn } = this.#options
    making.isAbandoned = true
    making.walk.abandon()
    making.file.close()
    warn(`snapshot: not written: ${why}. The one before is kept; the log holds everything since`)
    // Only then the next one may begin, which takes the same name.
    env.disk.removeLater(store.unfinishedPath, () => {
      this.#making = undefined
      this.#finished(why)
    })
  }

  #finished(failure: string | undefined): void {
    this.lastFailure = failure
    const waiting = this.#waiting
    this.#waiting = []
    for (const done of waiting) done(failure)
  }

  #lookLater(): void {
    this.#timer = this.#options.env.after(RULES_INTERVAL_MS, () => {
      if (!this.isRunning && this.#isDue()) this.make()
      this.#lookLater()
    })
  }

  #isDue(): boolean {
    const { env, rules, log, store } = this.#options
    const nowMs = env.monoMs()
    const { changes } = this
    if (changes === 0) return false
    if (this.lastFailure !== undefined && nowMs - this.#lastTryMs < RETRY_MS) return false
    const { save, everyHours, logBytes } = rules()
    const ageMs = nowMs - this.#lastSaveMs
    const newest = store.newest
    if (log.appendedPosition - (newest?.position ?? 0) > Math.max(logBytes, newest?.bytes ?? 0)) return true
    if (everyHours > 0 && ageMs >= everyHours * HOUR_MS) return true
    return save.some((rule) => changes >= rule.changes && ageMs > rule.seconds * 1000)
  }
}

function failureOf(error: unknown): string {
  if (!(error instanceof DiskError)) throw error
  return error.message
}

function megabytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}
