/**
 * parse-reply.ts: reads RESP2 and RESP3 replies, for tests, the simulator and tools.
 *
 * Invariants: (1) what `next` returns does not depend on how the text was cut. (2) A part that was read
 * is not read again, and a long bulk is not looked at before it is all here.
 * Source: the RESP2 and RESP3 specifications of Redis, without streamed (chunked) types.
 */

export type Reply = string | number | bigint | boolean | null | RespError | Reply[] | Map<Reply, Reply>

/** An error as a value: a reply inside EXEC may be one. */
export class RespError {
  /** The whole line, for example "ERR syntax error". */
  readonly line: string

  constructor(line: string) {
    this.line = line
  }
}

/** An aggregate whose elements are being read. */
interface Frame {
  readonly type: string
  /** Elements still to come; a map has two for each pair. */
  left: number
  readonly elements: Reply[]
}

const CRLF = '\r\n'

export class ReplyParser {
  private text = ''
  private at = 0
  /** Characters that must be there before it is worth looking. */
  private wanted = 1
  /** Aggregates around what comes next, outermost first. */
  private readonly frames: Frame[] = []

  /** @param text any part of the replies, one latin1 character per byte */
  feed(text: string): void {
    this.text += text
  }

  /**
   * @returns the next reply, `push` telling that nobody asked for it; undefined when it is not all here.
   * @throws Error when the text is no RESP
   */
  next(): { value: Reply; push: boolean } | undefined {
    for (;;) {
      let value = this.element()
      if (value === undefined) {
        this.text = this.text.slice(this.at)
        this.wanted -= this.at
        this.at = 0
        return undefined
      }
      for (;;) {
        const frame = this.frames.at(-1)
        if (frame === undefined) return { value, push: false }
        frame.elements.push(value)
        frame.left--
        if (frame.left > 0) break
        this.frames.pop()
        if (frame.type === '|') break
        value = closed(frame)
        if (frame.type === '>') return { value, push: true }
      }
    }
  }

  /** A whole element that is no aggregate, or an empty one; undefined when the text ends before. */
  private element(): Reply | undefined {
    for (;;) {
      const { text, at } = this
      if (text.length < this.wanted) return undefined
      const end = text.indexOf(CRLF, at)
      if (end < 0) {
        this.wanted = text.length + 1
        return undefined
      }
      const type = text[at]!
      const line = text.slice(at + 1, end)
      const start = end + 2
      if (type === '$' || type === '=' || type === '!') {
        const length = count(line)
        this.at = start
        this.wanted = start + 1
        if (length < 0) return null
        if (text.length < start + length + 2) {
          this.at = at
          this.wanted = start + length + 2
          return undefined
        }
        this.at += length + 2
        this.wanted = this.at + 1
        const word = text.slice(start, start + length)
        return type === '$' ? word : type === '=' ? word.slice(4) : new RespError(word)
      }
      this.at = start
      this.wanted = start + 1
      const open = '*~>%|'.includes(type)
      if (!open) return scalar(type, line)
      const length = count(line)
      if (length < 0) return null
      const frame: Frame = { type, left: type === '%' || type === '|' ? 2 * length : length, elements: [] }
      if (frame.left > 0) this.frames.push(frame)
      else if (type !== '|') return closed(frame)
    }
  }
}

function closed(frame: Frame): Reply {
  if (frame.type !== '%') return frame.elements
  const map = new Map<Reply, Reply>()
  for (let i = 0; i < frame.elements.length; i += 2) map.set(frame.elements[i]!, frame.elements[i + 1]!)
  return map
}

function scalar(type: string, line: string): Reply {
  switch (type) {
    case '+':
      return line
    case '-':
      return new RespError(line)
    case ':': {
      const number = Number(line)
      return Number.isSafeInteger(number) ? number : BigInt(line)
    }
    case ',':
      return line === 'inf'
        ? Number.POSITIVE_INFINITY
        : line === '-inf'
          ? Number.NEGATIVE_INFINITY
          : Number(line)
    case '(':
      return BigInt(line)
    case '#':
      return line === 't'
    case '_':
      return null
    default:
      throw new Error(`not a RESP reply: ${JSON.stringify(type + line.slice(0, 100))}`)
  }
}

/** -1 is the null of RESP2. */
function count(line: string): number {
  const length = Number(line)
  if (!Number.isInteger(length) || line === '' || length < -1) {
    throw new Error(`not a RESP count: ${JSON.stringify(line.slice(0, 100))}`)
  }
  return length
}
