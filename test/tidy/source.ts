/**
 * source.ts: the project's source files as the laws of tidy.test.ts look at them: with comments gone,
 * with the text of strings gone, and as a graph of imports.
 *
 * A scan of characters, not a parser: it knows comments, quotes, templates with code inside, and tells a
 * regular expression from a division by what stands before it. The tests of this file hold it to that.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { PROJECT_ROOT } from '../harness/project-root.ts'

export const ROOMS = ['crdt', 'sync', 'region-node', 'test', 'compose'] as const
export type Room = (typeof ROOMS)[number]

const SKIPPED_FOLDERS: ReadonlySet<string> = new Set(['node_modules', 'dist', 'data', '.git'])

export interface Import {
  /** As written: `../crdt/dot.ts`, `node:fs`, `ws`. */
  readonly from: string
  /** Path from the root for a file of ours, otherwise undefined. */
  readonly file: string | undefined
  readonly isTypeOnly: boolean
}

export interface Source {
  /** From the root, `/`-separated. */
  readonly path: string
  readonly room: Room
  readonly text: string
  /** With comments, and the text inside quotes, templates and regular expressions, blanked. */
  readonly code: string
  readonly imports: readonly Import[]
}

/** Paths from the root of all files with one of the extensions, in or below a folder. */
export function listFiles(folder: string, ...extensions: readonly string[]): string[] {
  const found: string[] = []
  for (const entry of readdirSync(join(PROJECT_ROOT, folder), { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name)) found.push(...listFiles(path, ...extensions))
    else if (entry.isFile() && extensions.some((extension) => path.endsWith(extension))) found.push(path)
  }
  return found
}

export function readRoot(path: string): string {
  return readFileSync(join(PROJECT_ROOT, path), 'utf8')
}

export function readSources(): Source[] {
  return ROOMS.flatMap((room) => listFiles(room, '.ts').map((path) => sourceOf(room, path, readRoot(path))))
}

export function sourceOf(room: Room, path: string, text: string): Source {
  const { uncommented, code } = scan(text)
  return { path, room, text, code, imports: importsOf(path, uncommented, code) }
}

const IMPORT =
  /\b(?:import|export)\s+(type\s)?[^'"`;()]*?\bfrom\s*(['"])([^'"\n]+)\2|\bimport\s*\(?\s*(['"])([^'"\n]+)\4/g

function importsOf(path: string, uncommented: string, code: string): Import[] {
  return [...uncommented.matchAll(IMPORT)].flatMap(({ index, 1: type, 3: from, 5: bare }) => {
    if (!/^(?:import|export)/.test(code.slice(index, index + 6))) return [] // inside a literal
    const name = (from ?? bare)!
    const file = name.startsWith('.') ? join(dirname(path), name).replaceAll('\\', '/') : undefined
    return [{ from: name, file, isTypeOnly: type !== undefined }]
  })
}

/** What stands before a slash that begins a regular expression. */
const BEFORE_REGEX = /(?:^|[(,=:[!&|?{};+\-*%~^<>]|\breturn|\btypeof|\bcase|\bin|\bof)\s*$/
const TEMPLATE_CODE = '$' + '{'

/**
 * Blanks comments in one copy, and the text of literals too in another. Both stay as long as the text, so
 * a place in one is the same place in the others.
 */
export function scan(text: string): { uncommented: string; code: string } {
  let uncommented = ''
  let code = ''
  let at = 0
  /** Depths of braces at which a template goes on after `}`. */
  const templates: number[] = []
  let depth = 0

  const comment = (end: number): void => {
    const characters = blank(text.slice(at, end))
    uncommented += characters
    code += characters
    at = end
  }
  const keep = (length: number): void => {
    uncommented += text.slice(at, at + length)
    code += text.slice(at, at + length)
    at += length
  }
  const literal = (end: number): void => {
    uncommented += text.slice(at, end)
    code += blank(text.slice(at, end))
    at = end
  }
  /** The text of a template up to its end, or up to the code in it. */
  const templateText = (): void => {
    literal(endOfTemplateText(text, at))
    if (text.startsWith(TEMPLATE_CODE, at)) {
      templates.push(depth)
      depth++
      keep(TEMPLATE_CODE.length)
    } else keep(1)
  }
  const delimited = (end: number): void => {
    keep(1)
    literal(end - 1)
    keep(1)
  }

  while (at < text.length) {
    const character = text[at]!
    if (text.startsWith('//', at)) comment(lineEnd(text, at))
    else if (text.startsWith('/*', at)) comment(after(text, '*/', at + 2))
    else if (character === "'" || character === '"') delimited(endOfQuoted(text, at))
    else if (character === '/' && BEFORE_REGEX.test(code.slice(-40))) delimited(endOfRegex(text, at))
    else {
      if (character === '{') depth++
      if (character === '}') depth--
      keep(1)
      if (character === '`') templateText()
      if (character === '}' && templates.at(-1) === depth) {
        templates.pop()
        templateText()
      }
    }
  }
  return { uncommented, code }
}

function blank(characters: string): string {
  return characters.replace(/[^\n]/g, ' ')
}

function after(text: string, mark: string, from: number): number {
  const found = text.indexOf(mark, from)
  return found < 0 ? text.length : found + mark.length
}

function lineEnd(text: string, from: number): number {
  const found = text.indexOf('\n', from)
  return found < 0 ? text.length : found
}

function endOfQuoted(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== text[start]) at += text[at] === '\\' ? 2 : 1
  return at + 1
}

function endOfTemplateText(text: string, start: number): number {
  let at = start
  while (at < text.length && text[at] !== '`' && !text.startsWith(TEMPLATE_CODE, at))
    at += text[at] === '\\' ? 2 : 1
  return at
}

function endOfRegex(text: string, start: number): number {
  let at = start + 1
  let inClass = false
  while (at < text.length && (inClass || text[at] !== '/')) {
    if (text[at] === '[') inClass = true
    if (text[at] === ']') inClass = false
    at += text[at] === '\\' ? 2 : 1
  }
  return at + 1
}

/** Import cycles, each as the files on it; type-only imports count, because a reader follows them too. */
export function importCycles(sources: readonly Source[]): string[][] {
  const byPath = new Map(sources.map((source) => [source.path, source]))
  const done = new Set<string>()
  const cycles: string[][] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const seenAt = trail.indexOf(path)
    if (seenAt >= 0) {
      cycles.push([...trail.slice(seenAt), path])
      return
    }
    if (done.has(path)) return
    for (const { file } of byPath.get(path)?.imports ?? []) {
      if (file !== undefined && byPath.has(file)) visit(file, [...trail, path])
    }
    done.add(path)
  }
  for (const { path } of sources) visit(path, [])
  return cycles
}
