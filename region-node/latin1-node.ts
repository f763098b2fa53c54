/**
 * latin1-node.ts: Node's native copies between latin1 strings and bytes.
 *
 * Buffer's methods work on any byte array; they are missing from Node's type declarations. Measured
 * against a loop over characters, the call pays from about twenty bytes on; callers of `write` know that,
 * `read` sees to it itself.
 */
import type { Latin1 } from '../crdt/codec/bytes.ts'
import { SPELLED_BYTES_MAX, spelledWord } from './spelled-word.ts'

interface NativeLatin1 {
  latin1Write(this: Uint8Array, text: string, at: number, length: number): number
  latin1Slice(this: Uint8Array, start: number, end: number): string
}

const { latin1Write, latin1Slice }: NativeLatin1 = Buffer.prototype

export const nodeLatin1: Latin1 = {
  write(target, text, at) {
    latin1Write.call(target, text, at, text.length)
  },
  read(bytes, start, end) {
    const length = end - start
    if (length <= SPELLED_BYTES_MAX) return spelledWord(bytes, start, length)
    return latin1Slice.call(bytes, start, end)
  },
}
