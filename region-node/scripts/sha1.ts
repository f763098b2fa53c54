/**
 * sha1.ts: the name of a script: the SHA-1 of its bytes, 40 lower-case hex digits, as EVALSHA takes it.
 */
import { createHash } from 'node:crypto'

/** @param text  latin1, one byte a character */
export function sha1Hex(text: string): string {
  return createHash('sha1').update(text, 'latin1').digest('hex')
}
