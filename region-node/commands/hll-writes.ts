/**
 * hll-writes.ts: what commands may write of HyperLogLogs.
 */
export interface HllWrites {
  /**
   * Raises registers, and makes the key when it is not there: PFADD.
   * @param raises  registers and values, packed (`crdt/hll-hash.ts`); may be none
   * @param isDense  it is dense from now on
   */
  raise(key: string, raises: readonly number[], isDense: boolean): void
  /** Joins a whole value, as Redis keeps it: PFMERGE, COPY and their like. */
  join(key: string, text: string, db?: number): void
}
