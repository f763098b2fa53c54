/**
 * word.ts: makes one word out of bytes of a socket's buffer, and command names without making them anew.
 */
import { nodeLatin1 } from '../latin1-node.ts'

/** Longest string V8 can hold, in characters: the longest word there can be. */
export const WORD_BYTES_MAX = 2 ** 29 - 24

/** The word in `bytes[at]` to `bytes[at + length - 1]`, all of which exist: flat, and its own copy. */
export function wordAt(bytes: Buffer, at: number, length: number): string {
  return nodeLatin1.read(bytes, at, at + length)
}

/**
 * Command names come again and again: the same string object each time is one allocation less, and
 * its hash, which the command table needs, is computed once. Each place holds the last name seen
 * there, so a client that sends nonsense only displaces names until they come again.
 */
const NAMES = 256
const NAME_BYTES_MAX = 24
const names: string[] = new Array<string>(NAMES).fill('')

/** As `wordAt`, for the first word of a command. */
export function nameAt(bytes: Buffer, at: number, length: number): string {
  if (length === 0 || length > NAME_BYTES_MAX) return wordAt(bytes, at, length)
  const place =
    (bytes[at]! * 7 + bytes[at + (length >> 1)]! * 5 + bytes[at + length - 1]! + length) & (NAMES - 1)
  const known = names[place]!
  if (known.length === length) {
    let same = 0
    while (same < length && known.charCodeAt(same) === bytes[at + same]) same++
    if (same === length) return known
  }
  const name = wordAt(bytes, at, length)
  names[place] = name
  return name
}
