/**
 * late-tail.ts: what this region minted behind the end of its own origins, minted again.
 *
 * A region that was cut off for too long is suspended: the others end its origins at what they hold. What it
 * minted beyond, and answered clients for, is in its own log and in no other. Once it has come back it mints
 * those ops again, each with its old stamp (`engine/reminter.ts` says what of it). Removals are dropped, because
 * others have built upon what they would take away, and so are writes that lost to later ones; both are counted.
 *
 * No write of a client goes before: what an old op had not seen, and a new one has, could not be told apart.
 * All of it happens in one turn, and is durable before any of it travels: a crash in the middle must not
 * lead to one op under two dots in two regions. What a crash left is minted at the next start.
 * Source: algorithms.md, The horizon, 6.
 */
import { type BatchReader, lastSeq, openRecord } from '../crdt/codec/batch.ts'
import type { Latin1 } from '../crdt/codec/bytes.ts'
import { TAG } from '../crdt/effects/effect.ts'
import type { OriginTable } from '../crdt/origin.ts'
import type { Engine } from './engine/engine.ts'
import type { OpLog } from './persistence/op-log.ts'

const READ_BYTES = 1024 * 1024

export interface LateTailParts {
  readonly engine: Engine
  readonly log: OpLog
  readonly origins: OriginTable
  readonly latin1: Latin1
  readonly regionId: number
  readonly report: (sentence: string) => void
}

export class LateTail {
  readonly #parts: LateTailParts
  /** There may be ops that were not minted again yet. The log is not trimmed meanwhile. */
  isPending = false
  /** Ops minted again since the start. */
  mintedCount = 0
  /** Removals of theirs that were dropped. */
  droppedCount = 0
  /** Writes of theirs that had lost to later ones. */
  overwrittenCount = 0

  constructor(parts: LateTailParts) {
    this.#parts = parts
  }

  /** Mints the tail again. The node may mint, and no batch is open. */
  remint(): void {
    const { engine, log, report } = this.#parts
    this.isPending = false
    const opCount = engine.mintedCount
    const { mintedCount, droppedCount, overwrittenCount } = this
    this.#remintFromLog()
    engine.endRemint()
    // There was none, or all of it had been minted again before.
    if (engine.mintedCount === opCount) return
    engine.endTurn()
    log.flushNow()
    report(
      `${this.mintedCount - mintedCount} ops that this region minted while it was cut off count again under a ` +
        `new origin; ${this.droppedCount - droppedCount} removals among them were dropped, and ` +
        `${this.overwrittenCount - overwrittenCount} writes had lost to later ones`,
    )
  }

  #remintFromLog(): void {
    const { engine, log, origins, latin1, regionId } = this.#parts
    // What is appended here goes behind this end and is not read again.
    const { end } = log
    for (let position = log.start; position < end; ) {
      const { records, next } = log.read(position, READ_BYTES)
      position = next
      for (const { bytes, span } of records) {
        if (span.origin.region !== regionId || lastSeq(span) <= engine.applied.get(span.origin)) continue
        this.#remintBatch(openRecord(bytes, origins, latin1))
      }
    }
  }

  /** Those of its ops that do not count under their own dots. */
  #remintBatch(batch: BatchReader): void {
    const { engine } = this.#parts
    const { origin, deps } = batch.header
    const counted = engine.applied.get(origin)
    // The others never heard of it, so they did not end it.
    if (engine.membership.sealOf(origin) === undefined) {
      engine.declare([{ tag: TAG.SEAL, origin, end: counted }])
    }
    for (const op of batch.ops()) {
      const reminted = op.seq > counted ? engine.remint(origin, op, deps) : undefined
      if (reminted === undefined) continue
      this.mintedCount += Number(reminted.isMinted)
      this.droppedCount += reminted.dropped
      this.overwrittenCount += reminted.overwritten
    }
  }
}
