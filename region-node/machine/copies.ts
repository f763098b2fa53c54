/**
 * copies.ts: decides which copies run on this machine, from what the placements say.
 *
 *   the placement names the machine        its node runs, and is started again when it ends; a copy that has to be
 *                                          fetched is begun when few others are being fetched
 *   its copy was released                  it is ended and deleted, as soon as `release.ts` allows that
 *   neither, or nothing that can be read   as it is: a node that runs goes on, a folder at rest stays
 *
 * So nothing ends or is deleted because something is not said, not heard, or was said in a past that a coordinator has
 * been put back to. While the coordinator is away everything goes on as it was.
 */
import type { DetectionProfile } from '../cluster/profiles.ts'
import {
  type HeldCopy,
  isNamed,
  type MachineDocument,
  type PlacementDocument,
} from '../placement/documents.ts'
import { Copy, type CopyParts } from './copy.ts'
import type { Outlook } from './outlook.ts'
import { mayDiscard } from './release.ts'

/** Copies that are fetched at one time: each costs its primary a reading of everything, and this machine a writing. */
export const FETCHES_MAX = 2

export interface CopiesOptions {
  readonly self: Pick<MachineDocument, 'name' | 'host' | 'firstPort'>
  readonly profile: Pick<DetectionProfile, 'ttlMs'>
  /** Behind `causeway node`. */
  readonly wordsOf: (partition: number, partitions: number) => readonly string[]
}

export class Copies {
  readonly #outlook: Outlook
  readonly #parts: CopyParts
  readonly #options: CopiesOptions
  readonly #copies = new Map<number, Copy>()

  /** Finds what is there. @throws DiskError */
  constructor(outlook: Outlook, parts: CopyParts, options: CopiesOptions) {
    this.#outlook = outlook
    this.#parts = parts
    this.#options = options
    // A folder without a node id holds nothing.
    for (const partition of parts.folders.partitions)
      if (parts.folders.nodeIdIn(partition) !== '') this.#copyOf(partition)
  }

  /** Of the disk of this machine, by partition. */
  get held(): readonly HeldCopy[] {
    return [...this.#copies.values()]
      .sort((a, b) => a.partition - b.partition)
      .map((copy) => ({
        partition: copy.partition,
        nodeId: copy.nodeId,
        state: this.#stateOf(copy),
      }))
  }

  /** Processes that run, or end. */
  get processes(): number {
    return [...this.#copies.values()].filter((copy) => copy.hasProcess).length
  }

  /** Decides, from all that is known. */
  look(): void {
    const { placing } = this.#outlook
    const partitions = placing.layout.document?.partitions ?? 0
    const all = new Set([...this.#copies.keys(), ...Array.from({ length: partitions }, (_, at) => at)])
    let fetches = [...this.#copies.values()].filter((copy) => this.#isFetching(copy)).length
    for (const partition of all) {
      const { document } = placing.placement(partition)
      if (document === undefined) continue
      const isOneMore = !this.#copies.has(partition) && this.#opsOf(partition) !== 0
      if (isOneMore && fetches >= FETCHES_MAX) continue
      this.#decide(partition, partitions, document)
      if (isOneMore && this.#copies.has(partition)) fetches++
    }
  }

  /** Ends all processes, each in order. */
  halt(): void {
    for (const copy of this.#copies.values()) copy.halt()
  }

  #decide(partition: number, partitions: number, placement: PlacementDocument): void {
    const { self, profile, wordsOf } = this.#options
    const copy = this.#copies.get(partition)
    if (isNamed(placement, self.name)) {
      if (partition < partitions) this.#copyOf(partition).run(wordsOf(partition, partitions))
    } else if (
      copy !== undefined &&
      mayDiscard(this.#outlook, partition, placement, copy.nodeId, profile.ttlMs)
    ) {
      copy.halt()
      if (!copy.hasProcess) this.#discard(copy)
    }
  }

  /** It is on its way to being in sync. While nobody is primary it waits, and keeps no other one from its turn. */
  #isFetching(copy: Copy): boolean {
    if (!copy.isWanted || copy.isHopeless || !this.#opsOf(copy.partition)) return false
    const { state } = this.#outlook.directory.of(copy.partition)
    return state.document?.inSync.includes(copy.nodeId) !== true
  }

  /** What there is to fetch: 0 in a partition that is new. Undefined: nobody is primary who could say. */
  #opsOf(partition: number): number | undefined {
    const { directory } = this.#outlook
    const { state, leader } = directory.of(partition)
    return state.document === undefined ? 0 : directory.nodes.get(leader.document?.nodeId ?? '')?.opCount
  }

  #discard(copy: Copy): void {
    if (!copy.discard()) return
    this.#copies.delete(copy.partition)
    this.#parts.report(`the copy of partition ${copy.partition} was let go: its folder is removed`)
  }

  #copyOf(partition: number): Copy {
    let copy = this.#copies.get(partition)
    if (copy === undefined) {
      copy = new Copy(partition, this.#parts)
      this.#copies.set(partition, copy)
    }
    return copy
  }

  #stateOf(copy: Copy): HeldCopy['state'] {
    if (!copy.isWanted) return copy.hasProcess ? 'running' : 'stopped'
    if (copy.isHopeless) return 'failed'
    return copy.hasProcess && this.#isRegistered(copy) ? 'running' : 'starting'
  }

  #isRegistered({ partition, nodeId }: Copy): boolean {
    return nodeId !== '' && this.#outlook.nodeOf(this.#options.self, partition)?.nodeId === nodeId
  }
}
