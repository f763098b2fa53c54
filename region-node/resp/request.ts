/**
 * request.ts: a command as a client sends it.
 */
const CRLF = '\r\n'

export function requestText(words: readonly string[]): string {
  let text = `*${words.length}\r\n`
  for (const word of words) text += `$${word.length}\r\n${word}${CRLF}`
  return text
}
