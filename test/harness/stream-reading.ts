/**
 * stream-reading.ts: a stream as all regions read it, in the oracle's form: entries in their order, then the names of
 * its groups.
 */
export interface ReadEntry {
  readonly ms: number | bigint
  readonly sequence: number | bigint
  readonly fields: readonly string[]
}

/** @param entries  in order */
export function streamReading(
  entries: readonly ReadEntry[],
  groups: Iterable<string>,
): readonly (readonly [string, string])[] {
  return [
    ...entries.map(({ ms, sequence, fields }) => [`${ms}-${sequence}`, JSON.stringify(fields)] as const),
    ...[...new Set(groups)].sort().map((name) => ['group', name] as const),
  ]
}

/** As numbers, without help from `crdt/`. */
export function compareEntryIds(
  a: Pick<ReadEntry, 'ms' | 'sequence'>,
  b: Pick<ReadEntry, 'ms' | 'sequence'>,
): number {
  const byMs = BigInt(a.ms) - BigInt(b.ms)
  const order = byMs === 0n ? BigInt(a.sequence) - BigInt(b.sequence) : byMs
  return order < 0n ? -1 : Number(order > 0n)
}

export function idTextOf({ ms, sequence }: Pick<ReadEntry, 'ms' | 'sequence'>): string {
  return `${ms}-${sequence}`
}

/** `<ms>-<sequence>`; without a sequence 0 is meant. */
export function idIn(text: string): { readonly ms: bigint; readonly sequence: bigint } {
  const [ms, sequence] = text.split('-').map(BigInt)
  return { ms: ms!, sequence: sequence ?? 0n }
}

export function compareIdTexts(a: string, b: string): number {
  return compareEntryIds(idIn(a), idIn(b))
}
