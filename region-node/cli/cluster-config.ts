/**
 * cluster-config.ts: `causeway cluster config get | set | unset`: settings of all nodes of a region, in one place.
 *
 * They are checked before they are written, by the table that nodes check by. They are written on condition that
 * nobody else has written meanwhile.
 */
import { closest, distance } from 'fastest-levenshtein'
import { whyNotShared } from '../cluster/configuration.ts'
import { type ConfigDocument, decodeConfig, encode } from '../cluster/documents.ts'
import { textToWord, wordToText } from '../config/kinds.ts'
import { brokenRelation } from '../config/relations.ts'
import { defaultValues, SETTING_ROWS, type SettingValues } from '../config/table.ts'
import type { Revision } from '../coordinator/port.ts'
import type { CliHost } from './host.ts'
import { NotDoneError } from './not-done.ts'
import { type RegionDocuments, UnreadableError } from './region-documents.ts'
import { UsageError, type Words } from './words.ts'

/** More wrong letters than that are no typing error. */
const TYPING_ERRORS_MAX = 3
const EMPTY: ConfigDocument = { version: 0, settings: {} }

/** A document, and the change that wrote it. */
interface Held {
  readonly document: ConfigDocument
  readonly revision: Revision
}

/** @throws UsageError, NotDoneError, UnreadableError */
export async function runConfig(words: Words, documents: RegionDocuments, host: CliHost): Promise<number> {
  const [action, ...names] = words.names
  const held = await read(documents)
  if (action === 'get' && names.length <= 1) {
    get(names[0], held.document, words.has('json'), host)
    return 0
  }
  const isChange = (action === 'set' || action === 'unset') && names.length > 0
  if (!isChange) {
    throw new UsageError(
      "write 'cluster config get [NAME]', 'cluster config set NAME=VALUE ...' or 'cluster config unset NAME ...'",
    )
  }
  const settings = action === 'set' ? withSet(held.document, names) : withUnset(held.document, names)
  const document = { version: held.document.version + 1, settings }
  check(settings, documents.region)
  if (words.has('dry-run')) {
    host.print(`would write version ${document.version}:\n${linesOf(document)}`)
    return 0
  }
  await write(documents, document, held.revision)
  host.print(
    `version ${document.version} is written; nodes take it at once, those that are down when they start. ` +
      "'causeway cluster status' tells which have.\n",
  )
  return 0
}

/** @throws UnreadableError */
async function read(documents: RegionDocuments): Promise<Held> {
  // A name that is mistyped must not make a configuration that no node ever reads.
  await documents.directory()
  const { config } = documents.keys
  const entry = (await documents.read(config)).entries.find(({ key }) => key === config)
  if (entry === undefined) return { document: EMPTY, revision: 0 }
  const document = decodeConfig(entry.value)
  if (document === undefined)
    throw new UnreadableError(`${config} cannot be read: use the version of causeway that wrote it`)
  return { document, revision: entry.revision }
}

function get(name: string | undefined, document: ConfigDocument, isJson: boolean, host: CliHost): void {
  if (name === undefined) {
    host.print(
      isJson
        ? `${JSON.stringify(document, null, 2)}\n`
        : `# version ${document.version}\n${linesOf(document)}`,
    )
    return
  }
  const text = document.settings[known(name)]
  if (text === undefined)
    throw new NotDoneError(`the configuration says nothing of ${name}: each node has its own value`)
  host.print(isJson ? `${JSON.stringify(text)}\n` : `${text}\n`)
}

function linesOf({ settings }: ConfigDocument): string {
  const names = Object.keys(settings).sort()
  return names.map((name) => `${name}=${settings[name]}\n`).join('')
}

/** @throws UsageError */
function withSet(document: ConfigDocument, pairs: readonly string[]): Record<string, string> {
  const settings = { ...document.settings }
  const given = new Set<string>()
  for (const pair of pairs) {
    const equals = pair.indexOf('=')
    if (equals < 1)
      throw new UsageError(`'${pair}' sets nothing: write NAME=VALUE, with quotes around spaces`)
    const name = known(pair.slice(0, equals))
    if (given.has(name)) throw new UsageError(`${name} is given twice`)
    given.add(name)
    const reason = whyNotShared(name)
    if (reason !== undefined) throw new UsageError(`${name} cannot be set for all nodes: ${reason}`)
    const { kind, default: standard } = SETTING_ROWS.get(name)!
    const parsed = kind.parse(textToWord(pair.slice(equals + 1)), standard)
    if ('refusal' in parsed) throw new UsageError(`bad value for ${name}: ${parsed.refusal}`)
    settings[name] = wordToText(kind.format(parsed.value))
  }
  return settings
}

/** @throws UsageError */
function withUnset(document: ConfigDocument, names: readonly string[]): Record<string, string> {
  const settings = { ...document.settings }
  for (const name of names) {
    if (settings[name] === undefined) throw new UsageError(`the configuration says nothing of ${name}`)
    delete settings[name]
  }
  return settings
}

/** What it leaves out counts as its default: what a node was given beside it, nobody knows here. @throws UsageError */
function check(settings: Readonly<Record<string, string>>, region: string): void {
  const values: Record<string, unknown> = { ...defaultValues(), region, 'region-id': 1 }
  for (const [name, text] of Object.entries(settings)) {
    const parsed = SETTING_ROWS.get(name)?.kind.parse(textToWord(text), values[name])
    if (parsed !== undefined && 'value' in parsed) values[name] = parsed.value
  }
  const violation = brokenRelation(values as SettingValues)
  if (violation !== undefined) throw new UsageError(`${violation.sentence}; nothing was written`)
}

/** @throws NotDoneError */
function write(
  { coordinator, keys }: RegionDocuments,
  document: ConfigDocument,
  revision: Revision,
): Promise<void> {
  const look = "look with 'causeway cluster config get', and say it again"
  return new Promise((resolve, reject) => {
    coordinator.commit(
      [{ key: keys.config, revision }],
      [{ do: 'put', key: keys.config, value: encode(document) }],
      (answer) => {
        if (!answer.ok && answer.failure.code === 'timeout')
          reject(
            new NotDoneError(`nobody knows whether it was written (${answer.failure.sentence}): ${look}`),
          )
        else if (!answer.ok) reject(new NotDoneError(`it was not written: ${answer.failure.sentence}`))
        else if (answer.result.isCommitted) resolve()
        else reject(new NotDoneError(`somebody else has changed the configuration meanwhile: ${look}`))
      },
    )
  })
}

/** The name of a setting. @throws UsageError */
function known(name: string): string {
  const lower = name.toLowerCase()
  if (SETTING_ROWS.has(lower)) return lower
  const nearest = closest(lower, [...SETTING_ROWS.keys()])
  const isNear = distance(lower, nearest) <= TYPING_ERRORS_MAX
  const advice = isNear ? `did you mean '${nearest}'?` : "'causeway node --help' lists them all"
  throw new UsageError(`there is no setting '${name}': ${advice}`)
}
