/**
 * shebang.ts: the first line in which a script or a library says what it is.
 *
 *   #!lua flags=no-writes,allow-oom     a script
 *   #!lua name=mylib                    a library
 *
 * Source: evalExtractShebangFlags in eval.c and functionExtractLibMetaData in functions.c of Redis 7.2.
 */
import { commandError, errors } from '../errors.ts'
import type { LibraryCode, ScriptFlag } from './port.ts'

const FLAGS: ReadonlySet<string> = new Set<ScriptFlag>([
  'no-writes',
  'allow-oom',
  'allow-stale',
  'no-cluster',
  'allow-cross-slot-keys',
])

export function isScriptFlag(text: string): text is ScriptFlag {
  return FLAGS.has(text)
}

/** @throws CommandError */
export function readScript(text: string): {
  readonly source: string
  readonly flags: readonly ScriptFlag[] | undefined
} {
  if (!text.startsWith('#!')) return { source: text, flags: undefined }
  const end = text.indexOf('\n')
  if (end < 0) throw errors.invalidShebang
  const [engine = '', ...options] = wordsOf(text.slice(0, end))
  if (engine !== '#!lua') throw commandError(`ERR Unexpected engine in script shebang: ${engine}`)
  const flags: ScriptFlag[] = []
  for (const option of options) {
    if (!option.startsWith('flags=')) throw commandError(`ERR Unknown lua shebang option: ${option}`)
    for (const flag of option.slice('flags='.length).split(',')) {
      if (flag === '') continue
      if (!isScriptFlag(flag)) throw commandError(`ERR Unexpected flag in script shebang: ${flag}`)
      flags.push(flag)
    }
  }
  return { source: text.slice(end), flags }
}

/** @throws CommandError */
export function readLibrary(text: string): LibraryCode {
  if (!text.startsWith('#!')) throw errors.missingLibraryMetadata
  const end = text.indexOf('\n')
  if (end < 0) throw errors.invalidLibraryMetadata
  const [engine = '', ...options] = wordsOf(text.slice(0, end))
  let name: string | undefined
  for (const option of options) {
    if (!option.toLowerCase().startsWith('name=')) {
      throw commandError(`ERR Invalid metadata value given: ${option}`)
    }
    if (name !== undefined) throw errors.libraryNamedTwice
    name = option.slice('name='.length)
  }
  if (name === undefined) throw errors.libraryUnnamed
  if (!/^\w+$/.test(name)) throw errors.libraryName
  const language = engine.slice('#!'.length)
  if (language.toLowerCase() !== 'lua') throw commandError(`ERR Engine '${language}' not found`)
  return { name, source: text.slice(end) }
}

function wordsOf(line: string): string[] {
  return line.split(/[ \t\r]+/).filter((word) => word !== '')
}
