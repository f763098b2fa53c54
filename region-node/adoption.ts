/**
 * adoption.ts: how a snapshot from another region becomes the state of this node, while it serves.
 *
 *   staged file ─fsync─→ verify ─→ load aside ─→ replay the own log onto it ─→ switch, in one turn
 *
 * Everything but the switch goes on in slices of a millisecond, with rests between them (`sync/pace.ts`); but
 * not while the own log is replayed, which grows meanwhile and has to be caught up with. Memory holds two states.
 * In the turn of the switch, with no batch open:
 *
 *   1. the last ops are replayed
 *   2. the staged file gets its name, and the snapshots that were here go: the folder now means the new state
 *   3. the log begins a segment that says what counts from here on, and what of it never was in this log, durably
 *   4. the engine takes over what was built aside
 *
 * A crash before 2 leaves the old state and a file that nobody looks at; between the renaming and the end
 * of 2 the old snapshots are the newest by name, so recovery takes them; after 3 it takes the new one and
 * replays of the log what counted in the switch. Nothing that needs the new state is written, sent or
 * acknowledged before 3 is done.
 *
 * Invariants: (1) the position in the file's name was durable when it got it, and everything before it is
 * covered by the snapshot. (2) Ops that this node has applied are never lost by an adoption, but those
 * behind the end of their origin and those that have seen such an op; a region that comes back has them from
 * the members, or mints them again (`engine/aside.ts`).
 */
import { openRecord } from '../crdt/codec/batch.ts'
import { ByteReader, DecodeError, type Latin1 } from '../crdt/codec/bytes.ts'
import { Membership } from '../crdt/membership.ts'
import type { Origin, OriginTable } from '../crdt/origin.ts'
import type { VersionVector } from '../crdt/version-vector.ts'
import { LogTrimmed } from '../sync/log-trimmed.ts'
import { runSlice } from '../sync/pace.ts'
import type { LogPosition } from '../sync/ports.ts'
import type { AdoptionProgress, AdoptionResult, SnapshotStage } from '../sync/snapshot-ports.ts'
import { Aside } from './engine/aside.ts'
import type { Engine } from './engine/engine.ts'
import { DiskError, type Env } from './env.ts'
import type { OpLog } from './persistence/op-log.ts'
import { SnapshotReader } from './persistence/snapshot-file.ts'
import type { SnapshotStore } from './persistence/snapshot-store.ts'
import type { Staging } from './persistence/staging.ts'

/** Work between two looks at the clock. */
const VERIFY_BYTES = 256 * 1024
const LOAD_ENTRIES = 64
const REPLAY_BYTES = 16 * 1024
/** What may be left of the log to be replayed in the turn of the switch; doubles with every attempt. */
const LAST_BYTES = 128 * 1024
/** Between two looks at whether the beginning of the log's part is durable. */
const DURABLE_MS = 1
/** Between two looks at whether the others know that this region is back. */
const RETURN_MS = 100
/** Looks after which a newer snapshot is asked for: what brought this region back may have come to count no more. */
const RETURN_LOOKS_MAX = 100

export interface AdoptionParts {
  readonly env: Env
  readonly latin1: Latin1
  readonly origins: OriginTable
  readonly engine: Engine
  readonly log: OpLog
  readonly store: SnapshotStore
  readonly staging: Staging
  /** The keyspace is about to become another: nobody may go on walking through it. */
  abandonSnapshot(): void
  /** This node mints. */
  isPrimary(): boolean
  /** Every member knows by now that this region is back, so that what it mints counts with all of them. */
  mayReturn(membership: Membership): boolean
  /**
   * The region is back, or its origins ended before what it held of them: it mints its late tail again.
   * @param mayHaveTail  it had ops of its own, or more of a region that has left; otherwise it has no tail, and need
   *   not read its log to know
   */
  returned(mayHaveTail: boolean): void
  /** The node serves from the new state. */
  resumed(): void
  /** A new origin for this region, durably. @throws DiskError */
  newOrigin(membership: Membership): Origin
}

interface Work {
  /** The snapshot says that this region joined, or was suspended and is back. */
  readonly isReturn: boolean
  readonly isRebuilt: boolean
  readonly reader: SnapshotReader
  readonly aside: Aside
  readonly done: (result: AdoptionResult) => void
  phase: AdoptionProgress['phase']
  /** From here on the log is needed: everything before is covered by the snapshot. */
  from: LogPosition
  /** Up to here it is replayed. */
  position: LogPosition
  lastBytes: number
  /** How often it was looked whether the others know that this region is back. */
  returnLooks: number
}

export class Adoption implements SnapshotStage {
  readonly #parts: AdoptionParts
  #stagingFailed: (sentence: string) => void = () => {}
  #work: Work | undefined
  #stopped = false

  constructor(parts: AdoptionParts) {
    this.#parts = parts
  }

  least(): VersionVector {
    const { log, engine } = this.#parts
    const least = log.base.copy()
    if (engine.rebuildTo !== undefined) least.join(engine.rebuildTo)
    return least
  }

  begin(failed: (sentence: string) => void): void {
    this.#stagingFailed = failed
    this.#stage(() => this.#parts.staging.begin())
  }

  append(bytes: Uint8Array): void {
    this.#stage(() => this.#parts.staging.append(bytes))
  }

  discard(): void {
    this.#stagingFailed = () => {}
    this.#stage(() => this.#parts.staging.discard())
  }

  #stage(task: () => void): void {
    try {
      task()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#stagingFailed(error.message)
    }
  }

  get adoption(): AdoptionProgress | undefined {
    const work = this.#work
    if (work === undefined) return undefined
    const { reader, phase, from, position } = work
    if (phase === 'replaying') {
      const bytesTotal = this.#parts.log.appendedPosition - from
      return { phase, bytesDone: position - from, bytesTotal }
    }
    const bytesDone = phase === 'verifying' ? reader.bytesVerified : reader.bytesLoaded
    return { phase, bytesDone, bytesTotal: reader.bytesTotal }
  }

  /** The log from here on must stay; undefined while nothing is being adopted. */
  get logNeededFrom(): LogPosition | undefined {
    return this.#work?.phase === 'replaying' ? this.#work.from : undefined
  }

  /** The node stops: nothing is switched any more. */
  stop(): void {
    this.#stopped = true
  }

  adopt(isRebuilt: boolean, done: (result: AdoptionResult) => void): void {
    const { staging } = this.#parts
    this.#guarded(done, () =>
      staging.file.sync((error) => {
        if (error !== undefined) this.#over(done, { failure: error.message })
        else this.#guarded(done, () => this.#begin(isRebuilt, done))
      }),
    )
  }

  #begin(isRebuilt: boolean, done: (result: AdoptionResult) => void): void {
    const { staging, origins, latin1, engine } = this.#parts
    const reader = new SnapshotReader(staging.file, origins, latin1)
    const { vector, hlc, horizon } = reader.header
    const membership =
      horizon.length === 0 ? new Membership() : Membership.decode(new ByteReader(horizon), origins)
    // A replica follows its primary in this, as in all else.
    const isReturn =
      this.#parts.isPrimary() &&
      membership.epochOf(engine.origin.region) > engine.membership.epochOf(engine.origin.region)
    this.#work = {
      isReturn,
      isRebuilt,
      reader,
      aside: new Aside(vector, hlc, membership, engine.origin, engine.keyspace.another()),
      done,
      phase: 'verifying',
      from: 0,
      position: 0,
      lastBytes: LAST_BYTES,
      returnLooks: 0,
    }
    this.#goOn(this.#work)
  }

  /** One slice of whatever is to be done next. */
  #goOn(work: Work, delayMs = 0): void {
    this.#parts.env.after(delayMs, () => {
      if (this.#stopped) return
      this.#guarded(work.done, () => {
        const { isOver, restMs } = runSlice(this.#parts.env, () => this.#step(work))
        if (isOver) this.#nextPhase(work)
        else this.#goOn(work, work.phase === 'replaying' ? 0 : restMs)
      })
    })
  }

  /** @returns true at the end of the phase */
  #step(work: Work): boolean {
    const { reader, aside } = work
    switch (work.phase) {
      case 'verifying':
        return reader.verify(VERIFY_BYTES)
      case 'loading':
        return reader.step(LOAD_ENTRIES, aside)
      case 'replaying':
        return this.#replay(work)
    }
  }

  #nextPhase(work: Work): void {
    const { log } = this.#parts
    if (work.phase === 'replaying') {
      log.whenIdle(() => {
        if (!this.#stopped) this.#guarded(work.done, () => this.#switch(work))
      })
      return
    }
    if (work.phase === 'verifying') {
      if (this.#isCovered(work)) {
        this.#drop(work)
        return
      }
      const passed = this.#passedEnd(work)
      if (passed !== undefined) {
        const failure = `it holds ops of origin ${passed.id} behind the end of that origin, as this node knows it`
        this.#over(work.done, { failure })
        return
      }
      work.phase = 'loading'
    } else {
      work.phase = 'replaying'
      // Not the newest snapshot here but the oldest op beyond the one received decides where to begin. Of a
      // region that comes back nothing is replayed, but it finds there what it has to mint again.
      work.from = work.isReturn ? log.start : log.seek(this.#notToReplay(work))
      work.position = work.from
      // The name of the file will say so, and may not point behind the end of the log.
      if (log.durablePosition < work.from) log.hurryDurable()
    }
    this.#goOn(work)
  }

  /**
   * The snapshot's vector, and all that this node has of origins whose end it holds: what lies behind an end is not
   * replayed, and may have come here by a snapshot, so that it is not in the log.
   */
  #notToReplay({ reader, aside }: Work): VersionVector {
    const vector = reader.header.vector.copy()
    for (const [origin, { end }] of aside.membership.seals)
      if (vector.get(origin) >= end) vector.advance(origin, this.#parts.engine.applied.get(origin))
    return vector
  }

  /** Replays some more of what subscribers may read. @returns true when there is no more */
  #replay(work: Work): boolean {
    const { log, origins, latin1, engine } = this.#parts
    if (work.isReturn) work.position = log.end
    if (work.position >= log.end) return true
    const { records, next } = log.read(work.position, REPLAY_BYTES)
    for (const { bytes } of records) work.aside.replay(openRecord(bytes, origins, latin1), engine.applied)
    work.position = next
    return false
  }

  /** This node has everything by now that the snapshot holds, and is not to be rebuilt from it. */
  #isCovered({ isRebuilt, reader }: Work): boolean {
    return !isRebuilt && this.#parts.engine.applied.covers(reader.header.vector)
  }

  /**
   * An origin whose end is known here and lies before what the snapshot holds of it: whoever made that has not heard
   * of the end, and has to take a snapshot itself before its ops behind the end are gone. Undefined when there
   * is none, and for a region that comes back: the members know the ends.
   */
  #passedEnd({ isReturn, reader }: Work): Origin | undefined {
    if (isReturn) return undefined
    const { vector } = reader.header
    for (const [origin, { end }] of this.#parts.engine.membership.seals)
      if (vector.get(origin) > end) return origin
    return undefined
  }

  #drop({ done }: Work): void {
    this.#over(done, 'covered')
  }

  /** Between two writes of the log. */
  #switch(work: Work): void {
    const { engine, log, store, staging, abandonSnapshot } = this.#parts
    const { reader, aside, from } = work
    engine.endTurn()
    if (this.#isCovered(work)) {
      this.#drop(work)
      return
    }
    if (log.appendedPosition - work.position > work.lastBytes) {
      work.lastBytes *= 2
      this.#goOn(work)
      return
    }
    if (log.durablePosition < from) {
      log.hurryDurable()
      this.#goOn(work, DURABLE_MS)
      return
    }
    if (work.isReturn && !this.#parts.mayReturn(aside.membership)) {
      if (++work.returnLooks > RETURN_LOOKS_MAX)
        this.#over(work.done, { failure: 'not every region knows of the return that it tells of' })
      else this.#goOn(work, RETURN_MS)
      return
    }
    // Only then it is known what of the own log still counts.
    log.flushNow()
    while (!this.#replay(work));
    // Durable before anything is switched: a disk that fails now has changed nothing.
    const isOutdated = work.isReturn || this.#leavesOwn(aside)
    if (isOutdated) engine.adoptOrigin(this.#parts.newOrigin(aside.membership))
    const mayHaveTail = this.#mayHaveTail(aside)
    abandonSnapshot()
    staging.close()
    store.adopt(staging.path, from, reader.bytesTotal)
    log.rebase(aside.applied)
    engine.adopt(aside)
    if (isOutdated) this.#parts.returned(mayHaveTail)
    this.#parts.resumed()
    this.#work = undefined
    work.done('adopted')
  }

  /** Ops of this region are left behind the end of their origin: they are to be minted again. */
  #leavesOwn({ applied }: Aside): boolean {
    const { engine } = this.#parts
    for (const [origin, seq] of engine.applied.entries())
      if (origin.region === engine.origin.region && seq > applied.get(origin)) return true
    return false
  }

  /** This node has applied ops that its region minted, or has more than is left of a region that is gone. */
  #mayHaveTail({ applied, membership }: Aside): boolean {
    const { engine } = this.#parts
    for (const [origin, seq] of engine.applied.entries()) {
      if (origin.region === engine.origin.region) return true
      if (membership.statusOf(origin.region) === 'left' && seq > applied.get(origin)) return true
    }
    return false
  }

  /** Runs `task`; what is wrong with the file, the disk or the log ends the adoption. */
  #guarded(done: (result: AdoptionResult) => void, task: () => void): void {
    try {
      task()
    } catch (error) {
      if (!(error instanceof DecodeError || error instanceof DiskError || error instanceof LogTrimmed))
        throw error
      this.#over(done, { failure: error.message })
    }
  }

  #over(done: (result: AdoptionResult) => void, result: AdoptionResult): void {
    this.#work = undefined
    this.discard()
    done(result)
  }
}
