/**
 * late-tail.ts: what this region minted behind the end of its own origins, minted again.
 *
 * A region that was cut off for too long is suspended: the others end its origins at what they hold. What it
 * minted beyond, and answered clients for, is in its own log and in no other. Once it has come back it mints
 * those ops again, each with its old stamp and removing only what it then had seen; removals are dropped,
 * because others have built upon what they would take away, and counted.
 *
 * All of it happens in one turn, and is durable before any of it travels: a crash in the middle must not
 * lead to one op under two dots in two regions. What a crash left is minted at the next start.
 * Source: algorithms.md, The horizon, 6.
 */
import { lastSeq, openRecord } from '../crdt/codec/batch.ts'
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

  constructor(parts: LateTailParts) {
    this.#parts = parts
  }

  /** Mints the tail again. The node may mint, and no batch is open. */
  remint(): void {
    const { engine, log, origins, latin1, regionId, report } = this.#parts
    let ops = 0
    let dropped = 0
    // What is appended here goes behind this end and is not read again.
    const { end } = log
    for (let position = log.start; position < end; ) {
      const { records, next } = log.read(position, READ_BYTES)
      position = next
      for (const { bytes, span } of records) {
        const { origin } = span
        if (origin.region !== regionId || lastSeq(span) <= engine.applied.get(origin)) continue
        const batch = openRecord(bytes, origins, latin1)
        const counted = engine.applied.get(origin)
        // The others never heard of it, so they did not end it.
        if (engine.membership.sealOf(origin) === undefined) {
          engine.declare([{ tag: TAG.SEAL, origin, end: counted }])
        }
        for (const op of batch.ops()) {
          if (op.seq <= counted) continue
          const lost = engine.remint(origin, op, batch.header.deps, counted)
          if (lost === undefined) continue
          ops++
          dropped += lost
        }
      }
    }
    this.isPending = false
    if (ops === 0) return
    engine.endTurn()
    log.flushNow()
    report(
      `${ops} ops that this region minted while it was cut off count again under a new origin; ` +
        `${dropped} removals among them were dropped`,
    )
  }
}
