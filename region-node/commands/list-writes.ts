/**
 * list-writes.ts: what commands may do to lists: a part of `Writes`.
 */
import type { NodeName, NodeRange } from '../../crdt/list-names.ts'

/** Changes to lists. Each call is one effect (preceded by a removal when the key is due). */
export interface ListWrites {
  /** Adds values at an end, one after the other: pushed to the left, the last one comes to lie first. */
  push(key: string, values: readonly string[], toLeft: boolean, db?: number): void
  /**
   * Puts values before the element at `index`, from 0 to the length of the list, which exists.
   * @param toLeft  each one before the one before it
   */
  insertBefore(key: string, index: number, values: readonly string[], toLeft: boolean): void
  /** Writes the value of the element at `index`, which exists. */
  set(key: string, index: number, value: string): void
  /** Removes `count` elements from `start` on; all of them exist. */
  remove(key: string, start: number, count: number): void
  /** Removes elements by name. */
  removeRanges(key: string, ranges: readonly NodeRange[]): void
  /** Writes the value of an element by name. */
  setNode(key: string, name: NodeName, value: string): void
}
