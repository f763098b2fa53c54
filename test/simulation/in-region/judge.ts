/**
 * judge.ts: what the judges of a run see, and when they are asked.
 *
 * A judge changes nothing. Each has its own file under `checkers/` and one promise to watch; `Finding` is what it
 * throws when that is broken.
 */
import type { BatchSpan } from '../../../crdt/codec/batch.ts'
import type { SimClock } from '../../harness/sim-clock.ts'
import type { Command } from './commands.ts'
import type { Copies } from './copies.ts'
import type { Machine } from './machine.ts'
import type { InRegionOptions } from './options.ts'
import type { Region } from './region.ts'

/** What a machine has lost: nothing that was written; what was not on its disk; its files. */
export type Loss = 'nothing' | 'unsynced' | 'files'

export interface World {
  readonly options: InRegionOptions
  readonly clock: SimClock
  readonly regions: readonly Region[]
  /** All that were sent, in order. */
  readonly commands: readonly Command[]
  readonly copies: Copies
}

/** Every method may throw a Finding. */
export interface Judge {
  /** A batch of the machine is about to enter its log; it has been applied there. */
  minted?(machine: Machine, record: Uint8Array, span: BatchSpan): void
  /** The same for one from elsewhere. */
  received?(machine: Machine, record: Uint8Array, span: BatchSpan): void
  answered?(command: Command, machine: Machine): void
  /** The process has ended, or what it left behind was damaged later. */
  ended?(machine: Machine, loss: Loss): void
  recovered?(machine: Machine): void
  /** Some moment between two turns. */
  moment?(): void
  /** Faults are over, every node is up, all vectors are equal and nothing is under way. */
  settled?(): void
}
