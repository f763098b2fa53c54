/**
 * source.ts: the project's source files as the laws of tidy.test.ts look at them: with comments gone,
 * with the text of strings gone, and as a graph of imports.
 *
 * A scan of characters, not a parser: it knows comments, quotes, templates with code inside, and tells a
 * regular expression from a division by what stands before it. The tests of this file hold it to that.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))
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
  /** Without comments. */
  readonly uncommented: string
  /** Without comments and without the text inside quotes, templates and regular expressions. */
  readonly code: string
  readonly imports: readonly Import[]
}

/** Paths from the root of all files with one of the extensions, in or below a folder. */
export function listFiles(folder: string, ...extensions: readonly string[]): string[] {
  const found: string[] = []
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name)) found.push(...listFiles(path, ...extensions))
    else if (entry.isFile() && extensions.some((extension) => path.endsWith(extension))) found.push(path)
  }
  return found
}

export function readRoot(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

export function readSources(): Source[] {
  return ROOMS.flatMap((room) => listFiles(room, '.ts').map((path) => sourceOf(room, path, readRoot(path))))
}

export function sourceOf(room: Room, path: string, text: string): Source {
  const { uncommented, code } = scan(text)
  return { path, room, text, uncommented, code, imports: importsOf(path, uncommented) }
}

const IMPORT =
  /(?:^|[\n;])\s*(?:import|export)\s+(type\s)?[^'"`;()]*?\bfrom\s*(['"])([^'"\n]+)\2|\bimport\s*\(?\s*(['"])([^'"\n]+)\4/g

function importsOf(path: string, uncommented: string): Import[] {
  return [...uncommented.matchAll(IMPORT)].map(([, type, , from, , bare]) => {
    const name = (from ?? bare)!
    const file = name.startsWith('.') ? join(dirname(path), name).replaceAll('\\', '/') : undefined
    return { from: name, file, isTypeOnly: type !== undefined }
  })
}

/** Characters after which a slash begins a regular expression. */
const BEFORE_REGEX = /(?:^|[(,=:[!&|?{};+\-*%~^<>]|\breturn|\btypeof|\bcase|\bin|\bof)\s*$/

/** Takes comments out of one copy, and the text of literals too out of another. */
export function scan(text: string): { uncommented: string; code: string } {
  let uncommented = ''
  let code = ''
  let at = 0
  /** Depths of braces at which a template goes on after `}`. */
  const templates: number[] = []
  let depth = 0

  const keep = (characters: string): void => {
    uncommented += characters
    code += characters
    at += characters.length
  }
  /** A literal from `at` to `end`: its text is kept in one copy only. */
  const literal = (end: number): void => {
    const characters = text.slice(at, end)
    uncommented += characters
    code += `${characters[0] === '/' ? '/' : "'"}${"'"}`
    at = end
  }
  const templateText = (): void => {
    const end = endOfTemplateText(text, at)
    uncommented += text.slice(at, end)
    code += "''"
    at = end
    if (text.startsWith('${', at)) {
      templates.push(depth)
      depth++
      uncommented += '${'
      code += '+('
      at += 2
    } else {
      uncommented += '`'
      at++
    }
  }

  while (at < text.length) {
    const character = text[at]!
    if (text.startsWith('//', at)) at = lineEnd(text, at)
    else if (text.startsWith('/*', at)) at = after(text, '*/', at + 2)
    else if (character === "'" || character === '"') literal(endOfQuoted(text, at))
    else if (character === '`') {
      uncommented += '`'
      at++
      templateText()
    } else if (character === '}' && templates.at(-1) === depth - 1) {
      templates.pop()
      depth--
      uncommented += '}'
      code += ')+'
      at++
      templateText()
    } else if (character === '/' && BEFORE_REGEX.test(code.slice(-40))) literal(endOfRegex(text, at))
    else {
      if (character === '{') depth++
      if (character === '}') depth--
      keep(character)
    }
  }
  return { uncommented, code }
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
  while (at < text.length && text[at] !== '`' && !text.startsWith('${', at)) at += text[at] === '\\' ? 2 : 1
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
