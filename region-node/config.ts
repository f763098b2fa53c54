/**
 * config.ts: the settings of a node: loaded from their sources at the start, read through one typed
 * record, shown and changed by CONFIG GET and CONFIG SET.
 *
 * Sources, each overruling the ones before it, setting by setting: the defaults, the file named by
 * --config, the environment (CAUSEWAY_REGION_ID), the command line (--region-id).
 *
 * Readers keep the `Settings` and read `settings.values.appendfsync` each time they need it, so that
 * CONFIG SET takes effect at once; who has to act on a change asks for it with `onChange`.
 *
 * Invariants: (1) `values` is one object for the life of the node and always satisfies every rule of
 * config/relations.ts. (2) A secret is never part of a message, nor of a CONFIG GET answer.
 */
import { globMatch } from './commands/glob.ts'
import { type Parsed, wordToText } from './config/kinds.ts'
import { brokenRelation } from './config/relations.ts'
import { rewritten } from './config/rewrite.ts'
import { fromArguments, fromEnvironment, fromFile, type Source } from './config/sources.ts'
import {
  defaultValues,
  SETTING_ROWS,
  type SettingName,
  type SettingRow,
  type SettingValues,
} from './config/table.ts'
import { StartError } from './start-error.ts'

export type { OutputLimit, OutputLimits, PeerAddress } from './config/kinds.ts'
export type { SettingName, SettingValues } from './config/table.ts'

/** What CONFIG GET shows for a secret that is set. */
const HIDDEN = '********'

/** What the coordinator says for all nodes of the region: see `cluster/configuration.ts`. */
export interface SharedSettings {
  readonly version: number
  /** Those that it says something of. */
  readonly names: ReadonlySet<string>
  readonly notApplied: readonly string[]
}

export class Settings {
  readonly values: SettingValues
  /** The file that `--config` named; undefined without one. */
  readonly path: string | undefined
  /** What CONFIG SET has changed since the start. */
  readonly changed = new Set<SettingName>()
  /** Undefined until it was read, and without a coordinator. */
  shared: SharedSettings | undefined
  readonly #listeners: Array<(name: SettingName) => void> = []

  constructor(values: SettingValues, path?: string) {
    this.values = values
    this.path = path
  }

  /** Calls `listener` after each setting that CONFIG SET has changed, with its name. */
  onChange(listener: (name: SettingName) => void): void {
    this.#listeners.push(listener)
  }

  /** Takes over values that were checked together. */
  replace(values: SettingValues): void {
    const names = (Object.keys(values) as SettingName[]).filter((name) => values[name] !== this.values[name])
    Object.assign(this.values, values)
    for (const name of names) this.changed.add(name)
    for (const name of names) for (const listener of this.#listeners) listener(name)
  }
}

export interface SettingSources {
  /** Words after `causeway node`. */
  readonly argv: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The content of a file, or undefined when there is none of that name. */
  readFile(path: string): Uint8Array | undefined
}

/** @throws StartError with one sentence about the first thing that is wrong */
export function loadSettings(sources: SettingSources): Settings {
  const { layers, configPath } = layersOf(sources)
  const values: Record<string, unknown> = { ...defaultValues() }
  for (const layer of layers) {
    for (const [name, { text, where }] of layer) {
      const row = SETTING_ROWS.get(name)!
      const parsed = parse(row, text, values[name])
      if ('refusal' in parsed) throw new StartError(refusedValue(name, row, text, where, parsed.refusal))
      values[name] = parsed.value
    }
  }
  return settingsOf(values as SettingValues, configPath)
}

/** Where each setting was written that is written anywhere, as in `command line`. @throws StartError */
export function givenSettings(sources: SettingSources): ReadonlyMap<string, string> {
  const { layers } = layersOf(sources)
  return new Map(layers.flatMap((layer) => [...layer].map(([name, { where }]) => [name, where] as const)))
}

/** The later one overrules the earlier. */
function layersOf(sources: SettingSources): { layers: readonly Source[]; configPath: string | undefined } {
  const { source: commandLine, configPath } = fromArguments(sources.argv)
  const layers: Source[] = []
  if (configPath !== undefined) {
    const content = sources.readFile(configPath)
    if (content === undefined) throw new StartError(`there is no file ${configPath} (--config)`)
    layers.push(fromFile(configPath, content))
  }
  layers.push(fromEnvironment(sources.environment), commandLine)
  return { layers, configPath }
}

/**
 * Settings from values alone, for a node that is started by a program.
 * @throws StartError when they contradict each other
 */
export function settingsOf(values: Partial<SettingValues>, path?: string): Settings {
  const all = { ...defaultValues(), ...values }
  const violation = brokenRelation(all)
  if (violation !== undefined) throw new StartError(violation.sentence)
  return new Settings(all, path)
}

/** CONFIG GET: names and values in turn, each setting once, in the order of the table. */
export function configGet(settings: Settings, patterns: readonly string[]): string[] {
  const shown: string[] = []
  for (const [name, row] of SETTING_ROWS) {
    if (!patterns.some((pattern) => globMatch(pattern, name, true))) continue
    const text = row.kind.format(settings.values[name as SettingName])
    shown.push(name, row.secret && text !== '' ? HIDDEN : text)
  }
  return shown
}

/**
 * CONFIG SET: all of it or nothing.
 * @param words  names and texts in turn
 * @returns the error in Redis's words, or undefined when everything was changed
 */
export function configSet(settings: Settings, words: readonly string[]): string | undefined {
  if (words.length === 0 || words.length % 2 !== 0) return 'ERR syntax error'
  for (let i = 0; i < words.length; i += 2) {
    if (!SETTING_ROWS.has(words[i]!.toLowerCase())) {
      return `ERR Unknown option or number of arguments for CONFIG SET - '${words[i]}'`
    }
  }
  const seen = new Set<string>()
  const values: Record<string, unknown> = { ...settings.values }
  for (let i = 0; i < words.length; i += 2) {
    const name = words[i]!.toLowerCase()
    const row = SETTING_ROWS.get(name)!
    if (seen.has(name)) return setFailed(words[i]!, 'duplicate parameter')
    seen.add(name)
    const parsed = parse(row, words[i + 1]!, values[name])
    // Writing down what is so anyway is harmless, and tools do it: CONFIG SET save "".
    const changes = 'refusal' in parsed || row.kind.format(parsed.value) !== row.kind.format(values[name])
    if (changes && row.change !== 'runtime') return setFailed(words[i]!, "can't set immutable config")
    if (changes && settings.shared?.names.has(name)) return setFailed(words[i]!, heldForAll(name))
    if ('refusal' in parsed) return setFailed(words[i]!, parsed.refusal)
    values[name] = parsed.value
  }
  const violation = brokenRelation(values as SettingValues)
  if (violation !== undefined) return setFailed(violation.name, violation.sentence)
  settings.replace(values as SettingValues)
  return undefined
}

/** CONFIG REWRITE: the file's content, one character per byte, with what CONFIG SET has changed. */
export function configRewrite({ values, changed }: Settings, content: string): string {
  const texts = new Map([...changed].map((name) => [name, SETTING_ROWS.get(name)!.kind.format(values[name])]))
  return rewritten(content, texts)
}

/** The settings that all regions must agree on, as text, for the handshake. */
export function databaseConfiguration(settings: Settings): Record<string, string> {
  const configuration: Record<string, string> = {}
  for (const [name, row] of SETTING_ROWS) {
    if (row.scope === 'database') configuration[name] = row.kind.format(settings.values[name as SettingName])
  }
  return configuration
}

function parse(row: SettingRow<unknown>, text: string, before: unknown): Parsed<unknown> {
  const parsed = row.kind.parse(text, before)
  if (row.change === 'never' && 'value' in parsed && parsed.value !== row.default) {
    return { refusal: `argument must be '${row.kind.format(row.default)}' in this version` }
  }
  return parsed
}

function heldForAll(name: string): string {
  return `the configuration of the region says it for all nodes: change it with 'causeway cluster config set ${name}=VALUE'`
}

function setFailed(name: string, reason: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}`
}

function refusedValue(
  name: string,
  row: SettingRow<unknown>,
  text: string,
  where: string,
  refusal: string,
): string {
  // An address may carry a password by mistake.
  const shown = row.secret ? '' : ` '${wordToText(text).replace(/\/\/[^/@\s]*@/g, '//***@')}'`
  return `bad value${shown} for '${name}' (${where}): ${refusal}`
}
