/**
 * value-reader.ts: the value that a script returned, written to its client as a reply.
 *
 * Which Lua values become which replies the engine has decided already; here their bytes
 * (`value-writer.ts`) are read once, from the machine's memory, and told on.
 */
import { assert } from '../../crdt/assert.ts'
import type { Latin1 } from '../../crdt/codec/bytes.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import { NIL_DIGITS } from './prelude.ts'
import { VALUE } from './value-writer.ts'

const HEAD_BYTES = 5

/** Reads values one behind the other. Valid as long as nothing runs in the machine. */
export class ValueReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #latin1: Latin1
  #at: number

  constructor(bytes: Uint8Array, view: DataView, at: number, latin1: Latin1) {
    this.#bytes = bytes
    this.#view = view
    this.#latin1 = latin1
    this.#at = at
  }

  /** The kind of the next value. */
  get tag(): number {
    return this.#bytes[this.#at]!
  }

  /** Tells the next value, and all it holds, to `out`. */
  copyTo(out: ReplyWriter): void {
    const { tag } = this
    const n = this.#view.getUint32(this.#at + 1, true)
    this.#at += HEAD_BYTES
    switch (tag) {
      case VALUE.nil:
        out.nil()
        break
      case VALUE.integer:
        out.integer(this.#integer())
        break
      case VALUE.bulk:
        out.bulk(this.#text(n))
        break
      case VALUE.status:
        out.simple(this.#text(n))
        break
      case VALUE.error:
        out.error(this.#text(n))
        break
      case VALUE.boolean:
        out.boolean(this.#bytes[this.#at++] !== 0)
        break
      case VALUE.double:
        out.double(this.#view.getFloat64(this.#at, true))
        this.#at += 8
        break
      case VALUE.bigNumber:
        this.#copyBigNumber(n, out)
        break
      case VALUE.verbatim: {
        const formatLength = this.#view.getUint32(this.#at, true)
        this.#at += 4
        const format = this.#text(formatLength)
        out.verbatim(format, this.#text(n - 4 - formatLength))
        break
      }
      case VALUE.array:
        out.array(n)
        this.#copyMany(n, out)
        break
      case VALUE.set:
        out.set(n)
        this.#copyMany(n, out)
        break
      case VALUE.map:
        out.map(n)
        this.#copyMany(2 * n, out)
        break
      default:
        assert(false, `a value of kind ${tag}`)
    }
  }

  #copyBigNumber(length: number, out: ReplyWriter): void {
    const digits = this.#text(length)
    if (digits === NIL_DIGITS) out.nil()
    else out.bigNumber(digits)
  }

  #copyMany(count: number, out: ReplyWriter): void {
    for (let i = 0; i < count; i++) this.copyTo(out)
  }

  /** The text of a value that has one: bulk, status, error; of an abort the message. Undefined for others. */
  text(): string | undefined {
    const { tag } = this
    const n = this.#view.getUint32(this.#at + 1, true)
    if (tag !== VALUE.bulk && tag !== VALUE.status && tag !== VALUE.error && tag !== VALUE.abort) {
      this.#at += HEAD_BYTES + (tag === VALUE.integer ? 8 : 0)
      return undefined
    }
    const skipped = tag === VALUE.abort ? 4 : 0
    this.#at += HEAD_BYTES + skipped
    return this.#text(n - skipped)
  }

  /** The number of values in the array that comes next. */
  enterArray(): number {
    assert(this.tag === VALUE.array, 'an array comes next')
    const n = this.#view.getUint32(this.#at + 1, true)
    this.#at += HEAD_BYTES
    return n
  }

  /** Most have 32 bits, and a bigint is made on the heap. */
  #integer(): number | bigint {
    const low = this.#view.getInt32(this.#at, true)
    if (this.#view.getInt32(this.#at + 4, true) === low >> 31) {
      this.#at += 8
      return low
    }
    const n = this.#view.getBigInt64(this.#at, true)
    this.#at += 8
    return n >= -BIG_MAX && n <= BIG_MAX ? Number(n) : n
  }

  #text(length: number): string {
    const start = this.#at
    this.#at += length
    return this.#latin1.read(this.#bytes, start, this.#at)
  }
}

const BIG_MAX = BigInt(Number.MAX_SAFE_INTEGER)
