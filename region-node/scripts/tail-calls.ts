/**
 * tail-calls.ts: keeps the line of a script that ends in `return redis.call(...)`.
 *
 * In Redis `redis.call` is a C function, and the line that called it stands in the error it raises. Here it is
 * Lua (`prelude.ts`), and Lua gives up the caller's frame, line and all, for a call that is all of a `return`. In
 * parentheses it is no such call: `return (redis.call(...))`. The value is the same, as it is always one, and no
 * line moves. A script that calls by another name (`local call = redis.call`) gets its error without the line.
 *
 * Source: Lua 5.1 Reference Manual, 2.1 (lexical conventions) and 2.5.8 (proper tail calls).
 */

/**
 * What a scan stops at: comments, strings, parentheses, and the calls looked for: those of functions that are C
 * in Redis and Lua here, and have one value.
 */
const TOKENS =
  /--\[(?<comment>=*)\[|--[^\n]*|\[(?<long>=*)\[|"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*'|(?<call>\breturn\s+)(?:redis\s*\.\s*\w+|math\s*\.\s*random|struct\s*\.\s*(?:pack|size))\s*\(|[()]/g

export function keepCallers(source: string): string {
  if (!source.includes('return')) return source
  let out = ''
  let copied = 0
  /** For each open parenthesis: it belongs to a call that was put into parentheses. */
  const open: boolean[] = []
  TOKENS.lastIndex = 0
  for (let found = TOKENS.exec(source); found !== null; found = TOKENS.exec(source)) {
    const [token] = found
    const { comment, long, call } = found.groups!
    if (comment !== undefined || long !== undefined) {
      const close = `]${comment ?? long}]`
      const end = source.indexOf(close, TOKENS.lastIndex)
      if (end < 0) return source
      TOKENS.lastIndex = end + close.length
    } else if (call !== undefined) {
      const at = found.index + call.length
      out += `${source.slice(copied, at)}(`
      copied = at
      open.push(true)
    } else if (token === '(') {
      open.push(false)
    } else if (token === ')' && open.pop() === true) {
      out += `${source.slice(copied, TOKENS.lastIndex)})`
      copied = TOKENS.lastIndex
    }
  }
  // What is not balanced is not Lua: its author is shown what he wrote.
  return open.length > 0 ? source : out + source.slice(copied)
}
