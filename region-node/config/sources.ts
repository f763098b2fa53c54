/**
 * sources.ts: where settings come from: a file, the environment, the command line.
 *
 * All three give the same thing, texts by name, each with a phrase that says where it was written
 * for error messages. Nothing is interpreted here but names: unknown ones are refused with the
 * nearest right one, so that a typing error never means "the default".
 *
 * Invariants: (1) texts are words (UTF-8 bytes, one character each). (2) No message holds a text,
 * because it may be a secret under a mistyped name.
 */
import { closest, distance } from 'fastest-levenshtein'
import { splitInline } from '../resp/inline.ts'
import { StartError } from '../start-error.ts'
import { textToWord, wordToText } from './kinds.ts'
import { SETTING_ROWS } from './table.ts'

export interface Given {
  readonly text: string
  /** As in `line 3 of causeway.conf`. */
  readonly where: string
}

/** What one source says, by setting. */
export type Source = ReadonlyMap<string, Given>

const ENVIRONMENT_PREFIX = 'CAUSEWAY_'
/** Above this many wrong letters a name is not a typing error of another. */
const TYPING_ERRORS_MAX = 4

/** Reads a file in the style of redis.conf: `name value`, quotes, whole-line # comments. */
export function fromFile(path: string, content: Uint8Array): Source {
  const collected = new Collector()
  const lines = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
    .toString('latin1')
    .split('\n')
  for (const [index, line] of lines.entries()) {
    const where = `line ${index + 1} of ${path}`
    if (/^\s*(#|$)/.test(line)) continue
    const words = splitInline(line)
    if (words === undefined) throw new StartError(`unbalanced quotes (${where})`)
    const [name = '', ...values] = words
    collected.add(name, known(name, where), values, where)
  }
  return collected.source
}

/** Reads `CAUSEWAY_REGION_ID=1` and the like. */
export function fromEnvironment(environment: Readonly<Record<string, string | undefined>>): Source {
  const collected = new Collector()
  for (const variable of Object.keys(environment).sort()) {
    const text = environment[variable]
    if (!variable.startsWith(ENVIRONMENT_PREFIX) || text === undefined) continue
    if (isServiceLink(variable, text)) continue
    const name = variable.slice(ENVIRONMENT_PREFIX.length).toLowerCase().replaceAll('_', '-')
    const where = 'environment'
    const setting = known(name, where, variable, variableOf)
    collected.add(variable, setting, [textToWord(text)], where)
  }
  return collected.source
}

/** Reads `--name value`, `--name=value`; `--config FILE` is given back beside the settings. */
export function fromArguments(words: readonly string[]): { source: Source; configPath: string | undefined } {
  const collected = new Collector()
  const where = 'command line'
  let configPath: string | undefined
  let at = 0
  while (at < words.length) {
    const word = words[at++]!
    if (!word.startsWith('--') || word === '--') {
      throw new StartError(`unexpected word '${word}' (${where}): settings are written --name value`)
    }
    const equals = word.indexOf('=')
    const name = word.slice(2, equals < 0 ? undefined : equals)
    const values = equals < 0 ? [] : [word.slice(equals + 1)]
    // Redis's way: all words up to the next name belong to this one (--client-output-buffer-limit normal 0 0 0).
    while (equals < 0 && at < words.length && !words[at]!.startsWith('--')) values.push(words[at++]!)
    if (name === 'config') {
      if (values.length !== 1) throw new StartError(`--config needs the name of one file (${where})`)
      configPath = values[0]
      continue
    }
    const setting = known(name, where, name, (suggestion) => suggestion, ['config'])
    collected.add(name, setting, values.map(textToWord), where)
  }
  return { source: collected.source, configPath }
}

/** Joins what one source says of one setting. */
class Collector {
  readonly source = new Map<string, Given>()

  add(written: string, name: string, values: readonly string[], where: string): void {
    const many = SETTING_ROWS.get(name)?.kind.words === 'many'
    if (values.length === 0) throw new StartError(`'${written}' needs a value (${where})`)
    if (values.length > 1 && !many) {
      throw new StartError(`'${written}' takes one value (${where}): put quotes around a value with spaces`)
    }
    const text = values.join(' ')
    const earlier = many ? this.source.get(name) : undefined
    this.source.set(name, { text: earlier === undefined ? text : `${earlier.text} ${text}`, where })
  }
}

/** The setting of that name, or a refusal that names the nearest one. */
function known(
  name: string,
  where: string,
  written = wordToText(name),
  show: (suggestion: string) => string = (suggestion) => suggestion,
  alsoKnown: readonly string[] = [],
): string {
  const lower = name.toLowerCase()
  if (SETTING_ROWS.has(lower)) return lower
  const suggestion = closest(lower, [...SETTING_ROWS.keys(), ...alsoKnown])
  const isNear = distance(lower, suggestion) <= Math.min(TYPING_ERRORS_MAX, Math.ceil(lower.length / 2))
  const advice = isNear ? `did you mean '${show(suggestion)}'?` : "'causeway node --help' lists them all"
  throw new StartError(`unknown setting '${written}' (${where}): ${advice}`)
}

function variableOf(name: string): string {
  return ENVIRONMENT_PREFIX + name.toUpperCase().replaceAll('-', '_')
}

/**
 * Kubernetes gives every container variables about a service named "causeway", CAUSEWAY_PORT=tcp://...
 * among them; they are not ours.
 */
function isServiceLink(variable: string, text: string): boolean {
  return (
    /^CAUSEWAY_(SERVICE_|PORT_\d)/.test(variable) || (variable === 'CAUSEWAY_PORT' && text.includes('://'))
  )
}
