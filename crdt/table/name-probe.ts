/**
 * name-probe.ts: a name as a table looks for it: its bytes and its hash, made in one pass.
 *
 * Reading characters out of a string is what a lookup costs most, so it is done once: FNV-1a for the place in the
 * index, and a copy of the bytes, to be compared with stored names and stored itself.
 *
 * The hash is not seeded: somebody who chooses names that collide can make lookups in one table slow.
 * Sources: Fowler, Noll, Vo, RFC 9923; finalizer of MurmurHash3 (Appleby).
 */

/** Names up to this long lie in a table's heap; longer ones stay strings. */
export const NAME_BYTES_MAX = 2 ** 14 - 1

export const FNV_OFFSET = 0x811c9dc5 | 0
export const FNV_PRIME = 0x01000193

export class NameProbe {
  name = ''
  protected readonly bytes = new Uint8Array(NAME_BYTES_MAX + 1)
  /** The name's bytes, if it is not long, filled up with zeros to a whole integer. */
  readonly ints = new Int32Array(this.bytes.buffer)
  length = 0
  /** 32 bits. */
  hash = finished(FNV_OFFSET)

  get isLong(): boolean {
    return this.length > NAME_BYTES_MAX
  }

  aim(name: string): void {
    const { length } = name
    this.name = name
    this.length = length
    if (length > NAME_BYTES_MAX) {
      this.hash = hashOfLong(name)
      return
    }
    const { bytes } = this
    let hash = FNV_OFFSET
    for (let i = 0; i < length; i++) {
      const byte = name.charCodeAt(i)
      bytes[i] = byte
      hash = Math.imul(hash ^ byte, FNV_PRIME)
    }
    for (let i = length; (i & 3) !== 0; i++) bytes[i] = 0
    this.hash = finished(hash)
  }
}

function hashOfLong(name: string): number {
  let hash = FNV_OFFSET
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), FNV_PRIME)
  return finished(hash)
}

/** Spreads every bit over all others: a table takes its place from the low ones and compares the high ones. */
export function finished(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
