/**
 * lzf.ts: unpacks what Redis has packed with LZF, as it does with strings of more than 20 bytes.
 *
 * A control byte below 32 is followed by that many literal bytes and one more. Any other is a copy from what has
 * been unpacked already: three bits of length (7: the next byte adds to it), thirteen bits of distance.
 * Source: Lehmann, liblzf, the format as its manual describes it.
 */
import { DecodeError } from '../../crdt/codec/bytes.ts'

const LITERAL_MAX = 32
const LONG_COPY = 7

/** @param length  of what comes out @throws DecodeError when the bytes do not give just that */
export function unpackLzf(packed: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length)
  let at = 0
  let to = 0
  const next = (): number => {
    if (at >= packed.length) throw new DecodeError('packed bytes end too early')
    return packed[at++]!
  }
  while (at < packed.length) {
    const control = next()
    const isLiteral = control < LITERAL_MAX
    let count = isLiteral ? control + 1 : control >> 5
    if (!isLiteral && count === LONG_COPY) count += next()
    if (!isLiteral) count += 2
    if (to + count > length) throw new DecodeError('packed bytes give too much')
    if (isLiteral) {
      for (; count > 0; count--) out[to++] = next()
      continue
    }
    let from = to - (((control & 31) << 8) | next()) - 1
    if (from < 0) throw new DecodeError('a copy from before the beginning')
    // One by one: a copy may go on into what it has just written.
    for (; count > 0; count--) out[to++] = out[from++]!
  }
  if (to !== length) throw new DecodeError('packed bytes give too little')
  return out
}
