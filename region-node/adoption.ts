/**
 * adoption.ts: how a snapshot from another region becomes the state of this node, while it serves.
 *
 *   staged file ─fsync─→ verify ─→ load aside ─→ replay the own log onto it ─→ switch, in one turn
 *
 * Everything but the switch goes on in slices of a millisecond. Memory holds two states meanwhile. In the
 * turn of the switch, with no batch open:
 *
 *   1. the staged file gets its name, and the snapshots that were here go: the folder now means the new state
 *   2. the log begins a segment that says what was applied here and never was in this log, durably
 *   3. the last ops are replayed, and the engine takes over what was built aside
 *
 * A crash before 1 leaves the old state and a file that nobody looks at; between the renaming and the end
 * of 1 the old snapshots are the newest by name, so recovery takes them; after 1 it takes the new one and
 * replays of the log what that does not cover, which is what the switch would have made. Nothing that needs
 * the new state is written, sent or acknowledged before 2 is done.
 *
 * Invariants: (1) the position in the file's name was durable when it got it, and everything before it is
 * covered by the snapshot. (2) Ops that this node has applied are never lost by an adoption, but those
 * behind the seal of their origin (`engine/aside.ts`).
 */
import { openRecord } from '../crdt/codec/batch.ts'
import { ByteReader, DecodeError, type Latin1 } from '../crdt/codec/bytes.ts'
import { Membership } from '../crdt/membership.ts'
import type { Origin, OriginTable } from '../crdt/origin.ts'
import type { VersionVector } from '../crdt/version-vector.ts'
import { LogTrimmed } from '../sync/log-trimmed.ts'
import type { LogPosition } from '../sync/ports.ts'
import type { AdoptionProgress, AdoptionResult, SnapshotStage } from '../sync/snapshot-ports.ts'
import { Aside } from './engine/aside.ts'
import type { Engine } from './engine/engine.ts'
import { DiskError, type Env } from './env.ts'
import type { OpLog } from './persistence/op-log.ts'
import { SnapshotReader } from './persistence/snapshot-file.ts'
import type { SnapshotStore } from './persistence/snapshot-store.ts'
import type { Staging } from './persistence/staging.ts'

/** One slice, then everybody else has a turn. */
const SLICE_MS = 1
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
  /** Every member knows by now that this region is back, so that what it mints counts with all of them. */
  mayReturn(membership: Membership): boolean
  /** The region is back: it goes on under a new origin, and mints its late tail again. */
  returned(): void
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
    return this.#parts.log.base
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
    const isReturn =
      membership.epochOf(engine.origin.region) > engine.membership.epochOf(engine.origin.region)
    this.#work = {
      isReturn,
      isRebuilt,
      reader,
      aside: new Aside(
        vector,
        hlc,
        membership,
        engine.origin,
        latin1,
        isReturn ? engine.origin.region : undefined,
      ),
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
        if (this.#slice(work)) this.#nextPhase(work)
        else this.#goOn(work)
      })
    })
  }

  /** @returns true at the end of the phase */
  #slice(work: Work): boolean {
    const { env } = this.#parts
    const endMs = env.monoMs() + SLICE_MS
    do {
      if (this.#step(work)) return true
    } while (env.monoMs() < endMs)
    return false
  }

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
    const { vector } = work.reader.header
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
      work.phase = 'loading'
    } else {
      work.phase = 'replaying'
      // Not the newest snapshot here but the oldest op beyond the one received decides where to begin.
      work.from = log.seek(vector)
      work.position = work.from
      // The name of the file will say so, and may not point behind the end of the log.
      if (log.durablePosition < work.from) log.hurryDurable()
    }
    this.#goOn(work)
  }

  /** Replays some more of what subscribers may read. @returns true when there is no more */
  #replay(work: Work): boolean {
    const { log, origins, latin1, engine } = this.#parts
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
    const joined = engine.applied.copy()
    aside.clip(joined)
    joined.join(reader.header.vector)
    // Durable before anything is switched: a disk that fails now has changed nothing.
    const origin = work.isReturn ? this.#parts.newOrigin(aside.membership) : undefined
    if (origin !== undefined) engine.adoptOrigin(origin)
    abandonSnapshot()
    staging.close()
    store.adopt(staging.path, from, reader.bytesTotal)
    log.rebase(joined)
    while (!this.#replay(work));
    engine.adopt(aside)
    if (work.isReturn) this.#parts.returned()
    this.#work = undefined
    work.done('adopted')
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
