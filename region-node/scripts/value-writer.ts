/**
 * value-writer.ts: replies as Lua values, in the bytes that the engine's host functions exchange.
 *
 *   value = tag (1) count-or-length (4, little-endian) payload
 *
 * A command inside a script writes its reply here as it writes one to a client: the same calls, another
 * notation, and nothing is parsed in between. What RESP2 cannot say is written as RESP2 says it, unless the
 * script asked for RESP3 (redis.setresp).
 *
 * Source: include/abi.h and docs/abi.md of lua-redis-wasm 1.5.
 */
import { assert } from '../../crdt/assert.ts'
import { oneLine } from '../errors.ts'
import { doubleText } from '../resp/double-text.ts'
import { ReplyWriter } from '../resp/reply.ts'

export const VALUE = {
  nil: 0,
  integer: 1,
  bulk: 2,
  array: 3,
  status: 4,
  error: 5,
  /** An error that nothing caught; its payload begins with the line number (4). */
  abort: 6,
  boolean: 7,
  double: 8,
  map: 9,
  set: 10,
  bigNumber: 11,
  /** Its payload: length of the format (4), format, text. */
  verbatim: 12,
} as const

type Tag = (typeof VALUE)[keyof typeof VALUE]

export class ValueWriter extends ReplyWriter {
  override ok(): void {
    this.text += OK
  }

  override simple(text: string): void {
    this.text += head(VALUE.status, text.length) + text
  }

  override error(line: string): void {
    const text = oneLine(line)
    this.text += head(VALUE.error, text.length) + text
  }

  override integer(n: number | bigint): void {
    this.text += (typeof n === 'number' && n >= 0 && n < READY ? INTEGERS[n] : undefined) ?? integerValue(n)
  }

  override bulk(word: string): void {
    this.text += head(VALUE.bulk, word.length) + word
  }

  override nil(): void {
    this.text += NIL
  }

  override nilArray(): void {
    this.text += NIL
  }

  override array(length: number): void {
    this.text += head(VALUE.array, length)
  }

  override map(pairs: number): void {
    this.text += this.protocol === 2 ? head(VALUE.array, 2 * pairs) : head(VALUE.map, pairs)
  }

  override set(length: number): void {
    this.text += head(this.protocol === 2 ? VALUE.array : VALUE.set, length)
  }

  override push(length: number): void {
    this.array(length)
  }

  override double(x: number): void {
    if (this.protocol === 2) this.bulk(doubleText(x))
    else this.text += head(VALUE.double, 8) + doubleBytes(x)
  }

  override doubleAs(digits: string): void {
    if (this.protocol === 2) this.bulk(digits)
    else this.double(Number(digits))
  }

  override boolean(b: boolean): void {
    if (this.protocol === 2) this.integer(b ? 1 : 0)
    else this.text += head(VALUE.boolean, 1) + (b ? '\x01' : '\0')
  }

  override bigNumber(n: bigint | string): void {
    const text = String(n)
    if (this.protocol === 2) this.bulk(text)
    else this.text += head(VALUE.bigNumber, text.length) + text
  }

  override verbatim(format: string, text: string): void {
    if (this.protocol === 2) this.bulk(text)
    else
      this.text += head(VALUE.verbatim, 4 + format.length + text.length) + u32(format.length) + format + text
  }

  override raw(): void {
    assert(false, 'nobody hands RESP to a script')
  }
}

function u32(n: number): string {
  return String.fromCharCode(n & 255, (n >>> 8) & 255, (n >>> 16) & 255, n >>> 24)
}

/** Lengths below this have their head ready. */
const READY = 256
const HEADS: readonly (readonly string[])[] = Object.values(VALUE).map((tag) =>
  Array.from({ length: READY }, (_, n) => String.fromCharCode(tag) + u32(n)),
)

function head(tag: Tag, n: number): string {
  return n < READY ? HEADS[tag]![n]! : String.fromCharCode(tag) + u32(n)
}

const scratch = new DataView(new ArrayBuffer(8))

function scratchText(): string {
  return u32(scratch.getUint32(0, true)) + u32(scratch.getUint32(4, true))
}

function integerValue(n: number | bigint): string {
  scratch.setBigInt64(0, BigInt(n), true)
  return head(VALUE.integer, 8) + scratchText()
}

function doubleBytes(x: number): string {
  scratch.setFloat64(0, x, true)
  return scratchText()
}

const NIL = head(VALUE.nil, 0)
const OK = `${head(VALUE.status, 2)}OK`
const INTEGERS = Array.from({ length: READY }, (_, n) => integerValue(n))
