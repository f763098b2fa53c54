/**
 * rewrite.ts: CONFIG REWRITE: brings a configuration file up to what CONFIG SET has changed since it was read.
 *
 * Lines of settings that have not changed, comments and empty lines stay as they are. A changed setting is written
 * where it stood first, and at the end when it did not stand there.
 */
import { splitInline } from '../resp/inline.ts'
import { SETTING_ROWS } from './table.ts'

const HEADING = '# Written by CONFIG REWRITE'
const NEEDS_QUOTES = /^$|[\s"'\\#]|[^ -~]/

/**
 * @param content  the file, one character per byte
 * @param changed  the texts of settings, by name
 */
export function rewritten(content: string, changed: ReadonlyMap<string, string>): string {
  const left = new Map(changed)
  const lines: string[] = []
  for (const line of content.replace(/\n$/, '').split('\n')) {
    const name = nameIn(line)
    if (name === undefined || !changed.has(name)) {
      lines.push(line)
      continue
    }
    const text = left.get(name)
    left.delete(name)
    if (text !== undefined) lines.push(lineOf(name, text))
  }
  if (left.size > 0 && !lines.includes(HEADING)) lines.push(HEADING)
  for (const [name, text] of left) lines.push(lineOf(name, text))
  return `${lines.join('\n')}\n`
}

/** The setting that a line is about; undefined for a comment, an empty line, or none that is known. */
function nameIn(line: string): string | undefined {
  if (/^\s*(#|$)/.test(line)) return undefined
  const name = splitInline(line)?.[0]?.toLowerCase()
  return name !== undefined && SETTING_ROWS.has(name) ? name : undefined
}

function lineOf(name: string, text: string): string {
  // A setting of several words is written as such; an empty one of them needs something to stand for it.
  const isPlain = text !== '' && SETTING_ROWS.get(name)?.kind.words === 'many'
  return `${name} ${isPlain || !NEEDS_QUOTES.test(text) ? text : quoted(text)}`
}

function quoted(text: string): string {
  const escaped = text.replace(/["\\]|[^ -~]/g, (char) => {
    if (char === '"' || char === '\\') return `\\${char}`
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
  return `"${escaped}"`
}
