/**
 * log-retention.ts: how much of the log has to stay.
 *
 * A segment goes when nobody needs it any more: not a start from one of the snapshots kept, not a member that
 * has not acknowledged what is in it, not an adoption that replays it, not a late tail that is still to be
 * minted again. A member that was never heard keeps everything; one that is suspended keeps nothing.
 * Source: algorithms.md, The horizon, 8.
 */
import { LogTrimmed } from '../sync/log-trimmed.ts'
import type { Mesh } from '../sync/mesh.ts'
import type { LogPosition } from '../sync/ports.ts'
import type { Adoption } from './adoption.ts'
import type { LateTail } from './late-tail.ts'
import type { OpLog } from './persistence/op-log.ts'
import type { SnapshotStore } from './persistence/snapshot-store.ts'

export interface RetentionParts {
  readonly log: OpLog
  readonly store: SnapshotStore
  readonly mesh: Mesh
  readonly adoption: Adoption
  readonly lateTail: LateTail
}

export class LogRetention {
  readonly #parts: RetentionParts

  constructor(parts: RetentionParts) {
    this.#parts = parts
  }

  /** Removes what nobody needs. */
  trim(): void {
    const { log, store, adoption, lateTail } = this.#parts
    if (lateTail.isPending) return
    const replayed = adoption.logNeededFrom ?? Number.POSITIVE_INFINITY
    log.trim(Math.min(store.logNeededFrom, this.#neededByMembers(), replayed))
  }

  #neededByMembers(): LogPosition {
    const { log, mesh } = this.#parts
    let position = Number.POSITIVE_INFINITY
    for (const { name } of mesh.cutMembers()) {
      const acknowledged = mesh.acknowledged(name)
      if (acknowledged === undefined) return 0
      try {
        position = Math.min(position, log.seek(acknowledged))
      } catch (error) {
        // It gets a snapshot anyway: nothing is kept for it.
        if (!(error instanceof LogTrimmed)) throw error
      }
    }
    return position
  }
}
