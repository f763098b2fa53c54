/**
 * reply-splitter.ts: finds where replies end, for whoever passes them on as they are.
 *
 * Nothing is made of a reply: no value, no list. What has arrived of it is handed out as it came, so that a long one
 * is on its way before it is all here, and costs no memory but what its reader has not taken.
 *
 * Invariants: (1) pieces put together are the input, byte for byte. (2) A line is never in two pieces: an error, and
 * the head of anything else, is whole in the first piece. (3) No byte is looked at twice, but for those of a line
 * that was cut.
 * Source: the RESP2 and RESP3 specifications of Redis, without streamed (chunked) types.
 */

/** A part of a reply, or all of it. */
export interface ReplyPiece {
  readonly text: string
  readonly isFirst: boolean
  readonly isLast: boolean
}

/** Whoever answers speaks another language. */
export class NotResp extends Error {}

const CRLF = '\r\n'

export class ReplySplitter {
  #text = ''
  #at = 0
  /** Elements of the reply that are still to come, all levels together; 0 between replies. */
  #elements = 0
  /** Bytes of a bulk that are still to come, its line end included. */
  #bulkBytes = 0
  /** Nothing was handed out of the reply being read. */
  #isFresh = true

  /** @param text  any part of the replies, one latin1 character per byte */
  feed(text: string): void {
    this.#text = this.#at < this.#text.length ? this.#text.slice(this.#at) + text : text
    this.#at = 0
  }

  /** @returns undefined when there is nothing to hand out. @throws NotResp */
  next(): ReplyPiece | undefined {
    const start = this.#at
    if (this.#elements === 0) {
      if (start === this.#text.length) return undefined
      this.#elements = 1
    }
    while (this.#elements > 0 && this.#goOn());
    const isLast = this.#elements === 0
    if (this.#at === start) return undefined
    const isFirst = this.#isFresh
    this.#isFresh = isLast
    return { text: this.#text.slice(start, this.#at), isFirst, isLast }
  }

  /** Passes an element, its head, or what there is of a bulk. @returns false when more input is needed */
  #goOn(): boolean {
    if (this.#bulkBytes > 0) return this.#passBulk()
    const text = this.#text
    const at = this.#at
    const end = text.indexOf(CRLF, at)
    if (end < 0) return false
    this.#at = end + 2
    this.#elements--
    switch (text[at]) {
      case '+':
      case '-':
      case ':':
      case ',':
      case '(':
      case '#':
      case '_':
        return true
      case '$':
      case '=':
      case '!': {
        const bytes = countIn(text, at + 1, end)
        if (bytes < 0) return true
        this.#elements++
        this.#bulkBytes = bytes + 2
        return this.#passBulk()
      }
      case '*':
      case '~':
      case '>':
        this.#elements += Math.max(0, countIn(text, at + 1, end))
        return true
      case '%':
        this.#elements += 2 * countIn(text, at + 1, end)
        return true
      case '|':
        // What it describes follows.
        this.#elements += 2 * countIn(text, at + 1, end) + 1
        return true
      default:
        throw new NotResp(`not a RESP reply: ${JSON.stringify(text.slice(at, at + 100))}`)
    }
  }

  #passBulk(): boolean {
    const taken = Math.min(this.#bulkBytes, this.#text.length - this.#at)
    this.#at += taken
    this.#bulkBytes -= taken
    if (this.#bulkBytes > 0) return false
    this.#elements--
    return true
  }
}

/** -1 is the null of RESP2. */
function countIn(text: string, from: number, end: number): number {
  const count = Number(text.slice(from, end))
  if (from === end || !Number.isInteger(count) || count < -1)
    throw new NotResp(`not a RESP count: ${JSON.stringify(text.slice(from, end).slice(0, 100))}`)
  return count
}

/** An array taken apart: its elements as they came. Undefined for anything else. */
export function elementsOf(reply: string): string[] | undefined {
  if (reply[0] !== '*') return undefined
  const splitter = new ReplySplitter()
  splitter.feed(reply.slice(reply.indexOf(CRLF) + 2))
  const elements: string[] = []
  for (let piece = splitter.next(); piece !== undefined; piece = splitter.next()) elements.push(piece.text)
  return elements
}
