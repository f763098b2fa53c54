/**
 * key-probe.ts: a key as the table looks for it: its bytes, its slot and its hash, made in one pass.
 *
 * Reading characters out of a string is what a lookup costs most, so it is done once: CRC16 for the slot,
 * FNV-1a for the place in the group, and a copy of the bytes, to be compared with stored keys and stored
 * itself. Some 50 ns for 16 characters, 30 of them for the CRC (test/bench/micro/table.bench.ts).
 *
 * The hash is not seeded: somebody who chooses keys that collide can make lookups in one group slow.
 * Sources: Redis Cluster specification; Fowler, Noll, Vo, RFC 9923; finalizer of MurmurHash3 (Appleby).
 */
import { crcOfByte, SLOT_COUNT, slotOf } from '../slot.ts'

/** Keys up to this long lie in a group's heap; longer ones stay strings. */
export const KEY_BYTES_MAX = 2 ** 14 - 1

const FNV_OFFSET = 0x811c9dc5 | 0
const FNV_PRIME = 0x01000193
const OPENING_BRACE = 0x7b

export class KeyProbe {
  key = ''
  readonly #bytes = new Uint8Array(KEY_BYTES_MAX + 1)
  /** The key's bytes, if it is not long, filled up with zeros to a whole integer. */
  readonly ints = new Int32Array(this.#bytes.buffer)
  length = 0
  slot = 0
  /** 32 bits. */
  hash = 0

  get isLong(): boolean {
    return this.length > KEY_BYTES_MAX
  }

  aim(key: string): void {
    const { length } = key
    this.key = key
    this.length = length
    if (length > KEY_BYTES_MAX) {
      this.#aimFar(key)
      return
    }
    const bytes = this.#bytes
    let crc = 0
    let hash = FNV_OFFSET
    let mayBeTagged = false
    for (let i = 0; i < length; i++) {
      const byte = key.charCodeAt(i)
      bytes[i] = byte
      crc = ((crc << 8) & 0xffff) ^ crcOfByte[((crc >>> 8) ^ byte) & 0xff]!
      hash = Math.imul(hash ^ byte, FNV_PRIME)
      if (byte === OPENING_BRACE) mayBeTagged = true
    }
    for (let i = length; (i & 3) !== 0; i++) bytes[i] = 0
    this.slot = mayBeTagged ? slotOf(key) : crc & (SLOT_COUNT - 1)
    this.hash = finished(hash)
  }

  #aimFar(key: string): void {
    let hash = FNV_OFFSET
    for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), FNV_PRIME)
    this.slot = slotOf(key)
    this.hash = finished(hash)
  }
}

/** Spreads every bit over all others: the table takes its place from the low ones and compares the high ones. */
function finished(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
