/**
 * decoder.ts: the bytes of a client become commands, each an array of words.
 *
 * Reads RESP arrays of bulk strings and inline commands, cut anywhere by the network. It parses
 * where the socket put the bytes: a word is copied once, out of the chunk it arrived in. What
 * is left of a chunk waits in a small copy for the next one, and a large bulk that is still
 * arriving is gathered in a buffer of its own that doubles, so no byte is looked at twice or moved
 * more than twice, in whatever pieces it comes.
 *
 * Invariants: (1) what `next` returns does not depend on where the input was cut; only `queryBytesMax`
 * is not noticed before input runs out. (2) Nothing but ProtocolError is thrown, and after one the
 * decoder is of no further use. (3) An unfinished command holds at most `queryBytesMax` bytes of input
 * plus one chunk.
 * Source: Redis 7.2, processInlineBuffer and processMultibulkBuffer in networking.c. As there, the
 * two bytes after a bulk are skipped unread, and a count of zero or less is no command.
 */
import { type ProtocolError, protocolErrors } from '../errors.ts'
import { splitInline } from './inline.ts'
import { nameAt, WORD_BYTES_MAX, wordAt } from './word.ts'

/** Read on every use, so that CONFIG SET can change them. */
export interface DecoderLimits {
  /** Longest word, bytes (`proto-max-bulk-len`). */
  readonly bulkBytesMax: number
  /** Longest unfinished command, bytes (`client-query-buffer-limit`). */
  readonly queryBytesMax: number
  /** Most words in one command. */
  readonly wordsMax: number
}

/** Longest inline command, and longest line with a count, bytes. */
export const LINE_BYTES_MAX = 64 * 1024
/** What a client may send before it has authenticated. */
export const UNAUTHENTICATED_WORDS_MAX = 10
export const UNAUTHENTICATED_BULK_BYTES_MAX = 16 * 1024

/** An unfinished bulk from here on is gathered; a smaller one waits in the rest of its chunk. */
const GATHER_BYTES_MIN = 16 * 1024

const RETURN = 13
const LINE_FEED = 10
const DOLLAR = 36
const STAR = 42
const ZERO = 48

/** What `count` returns while the line is not all here. No count is ever this low. */
const UNFINISHED = Number.NEGATIVE_INFINITY
/** A count may be as low as 64 bits allow, though below zero it only says that there is nothing. */
const COUNT_MIN = -(2n ** 63n)
const COUNT_MAX = 2 ** 31 - 1
/** Digits of the longest count that can be summed up without looking at its range. */
const PLAIN_DIGITS_MAX = 9
/** Longest array made at its final size: memory is for what was sent, not for what was announced. */
const SIZED_WORDS_MAX = 32

const NO_BYTES = Buffer.alloc(0)

export class RequestDecoder {
  /** Set to false for a client that must authenticate first: it may send small commands only. */
  authenticated = true

  private readonly limits: DecoderLimits
  /** Input not parsed yet: bytes[at] up to the end. */
  private bytes: Buffer = NO_BYTES
  private at = 0
  /** Where the line ended that `count` has read. */
  private countEnd = 0

  // An array that is not all here yet.
  /** Its words, of which `wordsRead` are set; undefined between commands. */
  private words: string[] | undefined = undefined
  private wordsCount = 0
  private wordsRead = 0
  /** Input bytes of what was read of it. */
  private wordsBytes = 0
  /** Length of the word being read; -1 while its header is not read. */
  private wordLength = -1
  /** The word being read and its line end, once it is being gathered; then `bytes` holds what follows. */
  private gathered: Buffer | undefined = undefined
  private gatheredBytes = 0

  constructor(limits: DecoderLimits) {
    this.limits = limits
  }

  /** Input that was not returned as a command yet, bytes. */
  get bufferedBytes(): number {
    return this.bytes.length - this.at + this.gatheredBytes + this.wordsBytes
  }

  /** Takes over `chunk`: nobody may write into it afterwards. */
  feed(chunk: Buffer): void {
    const from = this.gathered === undefined ? 0 : this.gather(chunk, 0)
    const rest = this.bytes.length - this.at
    if (rest === 0) {
      this.bytes = chunk
      this.at = from
    } else {
      const joined = Buffer.allocUnsafe(rest + chunk.length - from)
      this.bytes.copy(joined, 0, this.at)
      chunk.copy(joined, rest, from)
      this.bytes = joined
      this.at = 0
    }
  }

  /**
   * @returns the words of the next command, at least one, or undefined when it is not all here.
   * @throws ProtocolError when the input is not RESP or beyond a limit
   */
  next(): string[] | undefined {
    if (this.words !== undefined) return this.goOn(this.words)
    for (;;) {
      const start = this.at
      const bytes = this.bytes
      if (start === bytes.length) return this.starve()
      if (bytes[start] === STAR) {
        const count = this.count(start + 1, protocolErrors.hugeArrayHeader, protocolErrors.badArrayLength)
        if (count === UNFINISHED) return this.starve()
        if (count > this.limits.wordsMax) throw protocolErrors.badArrayLength
        if (count > UNAUTHENTICATED_WORDS_MAX && !this.authenticated) {
          throw protocolErrors.unauthenticatedArrayLength
        }
        if (count > 0) {
          const words = count <= SIZED_WORDS_MAX ? new Array<string>(count) : []
          return this.readWords(words, count, 0, this.countEnd)
        }
        this.at = this.countEnd
      } else {
        const words = this.inline()
        if (words === undefined) return this.starve()
        if (words.length > 0) return words
      }
    }
  }

  /**
   * The hot loop: everything in locals, written back only when the input ends.
   * @param read  words there are already
   * @param at    where the header of the next word begins
   */
  private readWords(words: string[], count: number, read: number, at: number): string[] | undefined {
    const bytes = this.bytes
    const end = bytes.length
    const bulkBytesMax = this.limits.bulkBytesMax
    for (; read < count; read++) {
      let length = -1
      // Most words are short: "$d\r\n" at a glance.
      if (at + 4 <= end && bytes[at + 2] === RETURN && bytes[at] === DOLLAR) length = bytes[at + 1]! - ZERO
      if (length >= 0 && length <= 9) {
        at += 4
      } else {
        if (at === end) return this.pause(words, count, read, at, -1)
        if (bytes[at] !== DOLLAR) throw protocolErrors.notABulk(bytes[at]!)
        length = this.count(at + 1, protocolErrors.hugeBulkHeader, protocolErrors.badBulkLength)
        if (length === UNFINISHED) return this.pause(words, count, read, at, -1)
        if (length < 0 || length > WORD_BYTES_MAX) throw protocolErrors.badBulkLength
        if (length > UNAUTHENTICATED_BULK_BYTES_MAX && !this.authenticated) {
          throw protocolErrors.unauthenticatedBulkLength
        }
        at = this.countEnd
      }
      if (length > bulkBytesMax) throw protocolErrors.badBulkLength
      if (at + length + 2 > end) return this.pause(words, count, read, at, length)
      words[read] = read === 0 ? nameAt(bytes, at, length) : wordAt(bytes, at, length)
      at += length + 2
    }
    this.at = at
    return words
  }

  /** The input ended inside an array: remembers how far it was read. */
  private pause(words: string[], count: number, read: number, at: number, length: number): undefined {
    this.words = words
    this.wordsCount = count
    this.wordsRead = read
    this.wordsBytes += at - this.at
    this.wordLength = length
    this.at = at < this.bytes.length && length >= GATHER_BYTES_MIN ? this.gather(this.bytes, at) : at
    return this.starve()
  }

  /** Continues the array that `pause` has left. */
  private goOn(words: string[]): string[] | undefined {
    const length = this.wordLength
    if (length >= 0) {
      if (this.gathered !== undefined) {
        if (this.gatheredBytes < length + 2) return this.starve()
        words[this.wordsRead] = this.gathered.toString('latin1', 0, length)
        this.gathered = undefined
        this.gatheredBytes = 0
      } else {
        if (this.bytes.length - this.at < length + 2) {
          if (length >= GATHER_BYTES_MIN) this.at = this.gather(this.bytes, this.at)
          return this.starve()
        }
        words[this.wordsRead] = wordAt(this.bytes, this.at, length)
        this.at += length + 2
      }
      this.wordsRead++
      this.wordsBytes += length + 2
      this.wordLength = -1
    }
    this.words = undefined
    const whole = this.readWords(words, this.wordsCount, this.wordsRead, this.at)
    if (whole !== undefined) this.wordsBytes = 0
    return whole
  }

  /**
   * Reads "<number>\r\n" at `at` and leaves in `countEnd` where it ends.
   * @param tooLong thrown when no line end comes within LINE_BYTES_MAX
   * @param invalid thrown when it is no number as Redis writes one, or beyond 31 bits
   */
  private count(at: number, tooLong: ProtocolError, invalid: ProtocolError): number {
    const bytes = this.bytes
    // The usual case: a few digits, all here, the first not zero.
    const stop = Math.min(at + PLAIN_DIGITS_MAX, bytes.length - 2)
    let value = 0
    for (let i = at; i <= stop; i++) {
      const byte = bytes[i]!
      if (byte === RETURN) {
        if (value === 0) break
        this.countEnd = i + 2
        return value
      }
      if (byte < ZERO || byte > ZERO + 9 || (value === 0 && byte === ZERO)) break
      value = value * 10 + byte - ZERO
    }
    return this.unusualCount(at, tooLong, invalid)
  }

  private unusualCount(at: number, tooLong: ProtocolError, invalid: ProtocolError): number {
    const bytes = this.bytes
    const end = bytes.indexOf(RETURN, at)
    const length = (end < 0 ? bytes.length : end) - at
    if (length >= LINE_BYTES_MAX) throw tooLong
    if (end < 0 || end + 1 >= bytes.length) return UNFINISHED
    const line = bytes.toString('latin1', at, end)
    if (!/^(0|-?[1-9]\d{0,18})$/.test(line)) throw invalid
    const value = BigInt(line)
    if (value > COUNT_MAX || value < COUNT_MIN) throw invalid
    this.countEnd = end + 2
    return Number(value)
  }

  private inline(): string[] | undefined {
    const start = this.at
    const found = this.bytes.indexOf(LINE_FEED, start)
    const end = found < 0 ? this.bytes.length : found
    if (end - start > LINE_BYTES_MAX) throw protocolErrors.hugeInline
    if (found < 0) return undefined
    this.at = found + 1
    const lineEnd = found > start && this.bytes[found - 1] === RETURN ? found - 1 : found
    const words = splitInline(this.bytes.toString('latin1', start, lineEnd))
    if (words === undefined) throw protocolErrors.unbalancedQuotes
    if (words.length > 0 && isHttp(words[0]!)) throw protocolErrors.http
    return words
  }

  /** Moves what the word being read lacks from `chunk[from...]`; returns where the rest begins. */
  private gather(chunk: Buffer, from: number): number {
    const bytesWanted = this.wordLength + 2
    const taken = Math.min(bytesWanted - this.gatheredBytes, chunk.length - from)
    const bytes = this.gatheredBytes + taken
    if (this.gathered === undefined || this.gathered.length < bytes) {
      // Doubling, and not the announced length at once: a client gets memory for what it has sent.
      const larger = Buffer.allocUnsafeSlow(Math.min(bytesWanted, Math.max(2 * bytes, 2 * GATHER_BYTES_MIN)))
      this.gathered?.copy(larger, 0, 0, this.gatheredBytes)
      this.gathered = larger
    }
    chunk.copy(this.gathered, this.gatheredBytes, from, from + taken)
    this.gatheredBytes = bytes
    return from + taken
  }

  /** More input is needed: keeps what is left without keeping its chunk alive. */
  private starve(): undefined {
    const rest = this.bytes.length - this.at
    if (rest + this.gatheredBytes + this.wordsBytes > this.limits.queryBytesMax) {
      throw protocolErrors.hugeQuery
    }
    if (rest === 0) {
      this.bytes = NO_BYTES
      this.at = 0
    } else if (rest < this.bytes.length >> 2) {
      this.bytes = Buffer.from(this.bytes.subarray(this.at))
      this.at = 0
    }
    return undefined
  }
}

/** A web page can make a browser send these to any port: such a connection must not run commands. */
function isHttp(word: string): boolean {
  const lower = word.toLowerCase()
  return lower === 'post' || lower === 'host:'
}
