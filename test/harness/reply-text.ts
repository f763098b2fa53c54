/**
 * reply-text.ts: takes RESP replies apart without losing how they were written.
 *
 * The comparison with redis-server is byte for byte, so a bulk and a simple string, or a set and an
 * array, must not look the same here; that is why it does not use the project's own parser.
 */
const CRLF = '\r\n'
const AGGREGATES = '*~>%'

/** Where the reply that begins at `at` ends; undefined when it is not all here. */
export function replyEnd(text: string, at: number): number | undefined {
  const lineEnd = text.indexOf(CRLF, at)
  if (lineEnd < 0) return undefined
  const type = text[at]!
  let end: number | undefined = lineEnd + 2
  if (type === '$' || type === '=') {
    const length = Number(text.slice(at + 1, lineEnd))
    if (length >= 0) end += length + 2
    return end <= text.length ? end : undefined
  }
  if (!AGGREGATES.includes(type)) return end
  for (let left = partCount(type, text.slice(at + 1, lineEnd)); left > 0 && end !== undefined; left--) {
    end = replyEnd(text, end)
  }
  return end
}

function partCount(type: string, count: string): number {
  return type === '%' ? 2 * Number(count) : Number(count)
}

/** The parts of an aggregate as text, and its head, such as "*2"; undefined for any other reply. */
export function partsOf(reply: string): { head: string; parts: string[] } | undefined {
  if (!AGGREGATES.includes(reply[0]!)) return undefined
  const lineEnd = reply.indexOf(CRLF)
  const parts: string[] = []
  for (let at = lineEnd + 2; at < reply.length; ) {
    const end = replyEnd(reply, at)!
    parts.push(reply.slice(at, end))
    at = end
  }
  return { head: reply.slice(0, lineEnd), parts }
}

export function isError(reply: string): boolean {
  return reply.startsWith('-')
}

/** The number in an integer reply; undefined for any other. */
export function integerIn(reply: string): number | undefined {
  return reply.startsWith(':') ? Number(reply.slice(1, -2)) : undefined
}
