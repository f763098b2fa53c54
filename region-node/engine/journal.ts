/**
 * journal.ts: where the engine's ops go. The op-log implements it.
 */
import type { BatchSpan, BatchWriter } from '../../crdt/codec/batch.ts'

export interface Journal {
  /** Encodes the engine's own ops, straight into the log's memory. */
  readonly writer: BatchWriter
  /** The open batch has been finished: `record` lies in the writer's memory. */
  minted(record: Uint8Array, span: BatchSpan): void
  /** A batch of another origin was applied: its record is appended as it came. */
  received(record: Uint8Array, span: BatchSpan): void
}
