/**
 * inline.ts: splits an inline command, the form one types into a terminal, into words.
 *
 * Blanks separate words. "..." understands \n \r \t \b \a \xHH and backslash before anything else;
 * '...' understands only \'. A closing quote must be followed by a blank or the end of the line.
 * An opening quote may stand inside a word, which ends with the quote that closes it.
 *
 * Source: Redis 7.2, `sdssplitargs` in sds.c. Unlike there, a NUL is a character like any other.
 */

const TAB = 9
const LINE_FEED = 10
const RETURN = 13
const SPACE = 32
const DOUBLE_QUOTE = 34
const SINGLE_QUOTE = 39
const BACKSLASH = 92
const LOWER_X = 120

const ESCAPES = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['b', '\b'],
  ['a', '\x07'],
])

/** @returns the words of a line (none for a blank one), or undefined when its quotes do not match. */
export function splitInline(line: string): string[] | undefined {
  const words: string[] = []
  let at = 0
  for (;;) {
    while (at < line.length && isBlank(line.charCodeAt(at))) at++
    if (at === line.length) return words
    let word = ''
    for (let ended = false; !ended && at < line.length; ) {
      const code = line.charCodeAt(at)
      if (code === DOUBLE_QUOTE || code === SINGLE_QUOTE) {
        const quoted = code === DOUBLE_QUOTE ? doubleQuoted(line, at + 1) : singleQuoted(line, at + 1)
        if (quoted === undefined) return undefined
        if (quoted.end < line.length && !isBlank(line.charCodeAt(quoted.end))) return undefined
        word += quoted.text
        at = quoted.end
        ended = true
      } else if (code === SPACE || code === TAB || code === LINE_FEED || code === RETURN) {
        ended = true
      } else {
        word += line[at]
        at++
      }
    }
    // `word` may be a rope, or a slice of `line`: a key must be neither.
    words.push(Buffer.from(word, 'latin1').toString('latin1'))
  }
}

interface Quoted {
  readonly text: string
  /** Position after the closing quote. */
  readonly end: number
}

function doubleQuoted(line: string, start: number): Quoted | undefined {
  let text = ''
  for (let at = start; at < line.length; at++) {
    const code = line.charCodeAt(at)
    if (code === DOUBLE_QUOTE) return { text, end: at + 1 }
    if (code !== BACKSLASH || at + 1 === line.length) {
      text += line[at]
    } else if (line.charCodeAt(at + 1) === LOWER_X && isHex(line, at + 2) && isHex(line, at + 3)) {
      text += String.fromCharCode(Number.parseInt(line.slice(at + 2, at + 4), 16))
      at += 3
    } else {
      at++
      text += ESCAPES.get(line[at]!) ?? line[at]
    }
  }
  return undefined
}

function singleQuoted(line: string, start: number): Quoted | undefined {
  let text = ''
  for (let at = start; at < line.length; at++) {
    const code = line.charCodeAt(at)
    if (code === SINGLE_QUOTE) return { text, end: at + 1 }
    if (code === BACKSLASH && line.charCodeAt(at + 1) === SINGLE_QUOTE) at++
    text += line[at]
  }
  return undefined
}

/** The blanks of C's isspace: tab, line feed, vertical tab, form feed, return, space. */
function isBlank(code: number): boolean {
  return code === SPACE || (code >= TAB && code <= RETURN)
}

function isHex(line: string, at: number): boolean {
  const code = line.charCodeAt(at) | 32
  return (code >= 48 && code <= 57 && line.charCodeAt(at) < 58) || (code >= 97 && code <= 102)
}
