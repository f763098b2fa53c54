/**
 * children.ts: what a machine asks of the system: node processes, and the folders of their copies.
 *
 * Real ones are in `child-process.ts` and `copy-folders.ts`; tests bring their own.
 */

export interface Child {
  /** It ends in order: a primary hands over first. */
  stop(): void
  /** It ends at once. */
  kill(): void
}

/**
 * Starts a node.
 * @param words  behind `causeway node`
 * @param ended  once, in a later turn, however it has ended; for people
 */
export type StartChild = (words: readonly string[], ended: (how: string) => void) => Child

/** The copies on the disk of this machine: a folder for each partition, at most. */
export interface Folders {
  /** Partitions that have one. */
  readonly partitions: readonly number[]
  /** Where the copy of a partition is, or will be. */
  pathOf(partition: number): string
  /** Of the node that the folder belongs to; '' while none has begun there. */
  nodeIdIn(partition: number): string
  /**
   * The copy is no more from now on; to remove the files takes longer.
   * @returns why not, for people
   */
  discard(partition: number): string | undefined
}
