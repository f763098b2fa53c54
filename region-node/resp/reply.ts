/**
 * reply.ts: writes replies in RESP2 or RESP3.
 *
 * Replies are gathered in one string, a V8 rope, that `socket.write(text, 'latin1')` flattens once
 * per turn; a word in it is the same string object the keyspace holds, not a copy. What comes often
 * (headers, small integers, OK) is made once.
 *
 * Invariants: (1) every character is a byte. (2) A header with a count is followed by that many
 * replies: the caller's duty. (3) What waits is at most WORD_BYTES_MAX long; the call that would pass it
 * throws a RangeError and changes nothing, so that `rollback` to the mark before the command works.
 * Source: the RESP2 and RESP3 specifications of Redis.
 */
import { oneLine } from '../errors.ts'
import { doubleText } from './double-text.ts'

const CRLF = '\r\n'
const OK = '+OK\r\n'
const NIL_BULK = '$-1\r\n'
const NIL_ARRAY = '*-1\r\n'
const NIL = '_\r\n'

/** Numbers below this have their line ready. */
const READY = 1024
const INTEGERS = Array.from({ length: READY }, (_, n) => `:${n}\r\n`)
const BULKS = Array.from({ length: READY }, (_, n) => `$${n}\r\n`)
const ARRAYS = Array.from({ length: READY }, (_, n) => `*${n}\r\n`)

/** A moment in the replies of a session, to return to: what waited then. Made before every command, so no object. */
export type ReplyMark = string

export class ReplyWriter {
  protocol: 2 | 3 = 2
  /** What waits. */
  protected text = ''

  /** Characters waiting, which is bytes. */
  get length(): number {
    return this.text.length
  }

  ok(): void {
    this.text += OK
  }

  /** A status such as QUEUED; it holds no CR or LF. */
  simple(text: string): void {
    this.text += `+${text}\r\n`
  }

  /** @param line the whole error without '-', for example "ERR syntax error" */
  error(line: string): void {
    this.text += `-${oneLine(line)}\r\n`
  }

  integer(n: number | bigint): void {
    this.text += (typeof n === 'number' && n >= 0 && n < READY ? INTEGERS[n] : undefined) ?? `:${n}\r\n`
  }

  bulk(word: string): void {
    const length = word.length
    this.text += (length < READY ? BULKS[length]! : `$${length}\r\n`) + word + CRLF
  }

  bulkOrNil(word: string | undefined): void {
    if (word === undefined) this.nil()
    else this.bulk(word)
  }

  nil(): void {
    this.text += this.protocol === 2 ? NIL_BULK : NIL
  }

  nilArray(): void {
    this.text += this.protocol === 2 ? NIL_ARRAY : NIL
  }

  array(length: number): void {
    this.text += length < READY ? ARRAYS[length]! : `*${length}\r\n`
  }

  /** Followed by `pairs` times a key and a value. */
  map(pairs: number): void {
    if (this.protocol === 2) this.array(2 * pairs)
    else this.text += `%${pairs}\r\n`
  }

  set(length: number): void {
    if (this.protocol === 2) this.array(length)
    else this.text += `~${length}\r\n`
  }

  /** What a client did not ask for: messages, invalidations. */
  push(length: number): void {
    if (this.protocol === 2) this.array(length)
    else this.text += `>${length}\r\n`
  }

  double(x: number): void {
    this.doubleAs(doubleText(x))
  }

  /** A double whose digits were chosen by the caller. */
  doubleAs(digits: string): void {
    if (this.protocol === 2) this.bulk(digits)
    else this.text += `,${digits}\r\n`
  }

  boolean(b: boolean): void {
    if (this.protocol === 2) this.integer(b ? 1 : 0)
    else this.text += b ? '#t\r\n' : '#f\r\n'
  }

  /** @param n  a text is its digits */
  bigNumber(n: bigint | string): void {
    if (this.protocol === 2) this.bulk(String(n))
    else this.text += `(${n}\r\n`
  }

  /** @param format three characters, `txt` or `mkd` */
  verbatim(format: string, text: string): void {
    if (this.protocol === 2) this.bulk(text)
    else this.text += `=${text.length + 4}\r\n${format}:${text}\r\n`
  }

  /** An array of bulks. */
  words(list: readonly string[]): void {
    this.array(list.length)
    for (const word of list) this.bulk(word)
  }

  /** Whole replies, made elsewhere. */
  raw(text: string): void {
    this.text += text
  }

  /** @returns everything that waits, and forgets it */
  take(): string {
    const text = this.text
    this.text = ''
    return text
  }

  mark(): ReplyMark {
    return this.text
  }

  /** Forgets what was written since `mark`; there was no `take` in between. */
  rollback(mark: ReplyMark): void {
    this.text = mark
  }
}
