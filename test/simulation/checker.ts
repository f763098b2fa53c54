/**
 * checker.ts: what a checker sees of a run, and how it speaks up.
 *
 * A checker judges; it changes nothing. Each has its own file under `checkers/` and one promise to watch.
 */
import type { BatchSpan } from '../../crdt/codec/batch.ts'
import type { NodeCore } from '../../region-node/core.ts'
import type { SentCommand } from '../harness/sim-client.ts'
import type { SimClock } from '../harness/sim-clock.ts'
import type { Ending, SimNode } from '../harness/sim-node.ts'
import type { Ledger } from './ledger.ts'
import type { SimOptions } from './options.ts'

/** A promise was broken. */
export class Finding extends Error {
  readonly checker: string

  constructor(checker: string, message: string) {
    super(`${checker}: ${message}`)
    this.name = 'Finding'
    this.checker = checker
  }
}

export interface World {
  readonly options: SimOptions
  readonly clock: SimClock
  readonly nodes: readonly SimNode[]
  readonly ledger: Ledger
}

/** Every method may throw a Finding. */
export interface Checker {
  /** An op batch of the node is about to enter its log; it has been applied there. */
  minted?(node: SimNode, record: Uint8Array, span: BatchSpan): void
  /** The same for one from elsewhere. */
  received?(node: SimNode, record: Uint8Array, span: BatchSpan): void
  /** The node has switched to a snapshot from another region. */
  adopted?(node: SimNode): void
  answered?(command: SentCommand): void
  ended?(node: SimNode, how: Ending, core: NodeCore): void
  /** The machine lost its power when no process ran. */
  lostPower?(node: SimNode): void
  /** Its disk was lost, or put back as it was some time ago. No process runs. */
  lostDisk?(node: SimNode): void
  recovered?(node: SimNode): void
  /** Some moment between two turns, in the middle of everything. */
  moment?(): void
  /** Faults are over, and the regions do not become equal: whoever knows why speaks before that is said. */
  unsettled?(): void
  /** Faults are over, every node is up, all vectors are equal and nothing is under way. */
  settled?(): void
}

/** Every entry of `theirs` is reached in `mine`; otherwise the first one that is not. */
export function firstLacking(
  mine: ReadonlyMap<string, number>,
  theirs: Iterable<readonly [string, number]>,
): string | undefined {
  for (const [origin, seq] of theirs) {
    const reached = mine.get(origin) ?? 0
    if (reached < seq) return `${origin} up to ${seq}, has it up to ${reached}`
  }
  return undefined
}
