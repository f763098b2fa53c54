/**
 * configuration.ts: the settings that all nodes of a region have from one document in the coordinator.
 *
 * What the document says takes the place of what a node was started with, and of what CONFIG SET changed, as long
 * as it says so; afterwards the node has its own value again. Only settings that take effect at run time can be in
 * it, and none that is a node's own, or a secret: whoever reads the coordinator could read that.
 *
 * Invariants: (1) the settings of the node satisfy all relations at any time: what would break one is left out, and
 * reported. (2) Nothing of the document gets into a node's file by CONFIG REWRITE.
 */
import { textToWord } from '../config/kinds.ts'
import { NODES_OWN } from '../config/nodes-own.ts'
import { brokenRelation } from '../config/relations.ts'
import { SETTING_ROWS, type SettingName, type SettingValues } from '../config/table.ts'
import type { Settings } from '../config.ts'
import type { ConfigDocument, NodeDocument } from './documents.ts'

/** Why no such document may say anything of a setting; undefined: it may. */
export function whyNotShared(name: string): string | undefined {
  const row = SETTING_ROWS.get(name)
  if (row === undefined) return 'there is no such setting'
  const own = NODES_OWN.get(name as SettingName)
  if (own !== undefined) return `it is each node's own, because ${own}: give it to the node`
  if (row.secret)
    return 'it is a secret, and whoever reads the coordinator could read it: give it to each node'
  if (row.change === 'never') return 'it is always so in this version'
  if (row.change === 'start')
    return 'it is read when a node starts: give it to each node, and restart them one by one'
  return undefined
}

export interface ConfigurationEvents {
  /** Settings have changed. */
  applied(): void
  /** For the log. */
  warned(sentence: string): void
}

/** What a node has of a setting without the document. */
interface Own {
  readonly value: unknown
  /** By CONFIG SET: CONFIG REWRITE will write it. */
  readonly isChanged: boolean
}

export class Configuration {
  readonly #settings: Settings
  readonly #events: ConfigurationEvents
  /** Of the settings that the document says something of. */
  readonly #own = new Map<SettingName, Own>()

  constructor(settings: Settings, events: ConfigurationEvents) {
    this.#settings = settings
    this.#events = events
  }

  /** For the registration of the node. */
  get report(): Pick<NodeDocument, 'configVersion' | 'configNotApplied'> {
    const { version = 0, notApplied = [] } = this.#settings.shared ?? {}
    return { configVersion: version, configNotApplied: notApplied }
  }

  /** Where it cannot be followed the node keeps the value that it has. @param document  undefined: there is none */
  take(document: ConfigDocument | undefined): void {
    const settings = this.#settings
    const { version, settings: texts } = document ?? { version: 0, settings: {} }
    const values: Record<string, unknown> = { ...settings.values }
    const left = new Map([...this.#own].filter(([name]) => texts[name] === undefined))
    const refusals = new Map<string, string>()
    let waiting = [...left.keys(), ...Object.keys(texts)]
    // One may be right only after another one: a warning below a limit that is raised with it.
    for (let before = Number.POSITIVE_INFINITY; waiting.length < before; ) {
      before = waiting.length
      waiting = waiting.filter((name) => {
        const own = left.get(name as SettingName)
        const refusal =
          own === undefined ? this.#put(values, name, texts[name]!) : put(values, name, own.value)
        if (refusal === undefined) refusals.delete(name)
        else refusals.set(name, refusal)
        return refusal !== undefined
      })
    }
    settings.replace(values as SettingValues)
    for (const name of this.#own.keys()) settings.changed.delete(name)
    for (const [name, { isChanged }] of left) {
      if (refusals.has(name)) continue
      this.#own.delete(name)
      if (isChanged) settings.changed.add(name)
    }
    settings.shared = { version, names: new Set(Object.keys(texts)), notApplied: [...refusals.keys()].sort() }
    this.#events.applied()
    for (const [name, refusal] of refusals)
      this.#events.warned(`configuration ${version} of the region: ${name} is not applied: ${refusal}`)
  }

  /** @returns why not; undefined when the value is there now */
  #put(values: Record<string, unknown>, name: string, text: string): string | undefined {
    const reason = whyNotShared(name)
    if (reason !== undefined) return reason
    const parsed = SETTING_ROWS.get(name)!.kind.parse(textToWord(text), values[name])
    if ('refusal' in parsed) return parsed.refusal
    const setting = name as SettingName
    const own = { value: values[name], isChanged: this.#settings.changed.has(setting) }
    const refusal = put(values, name, parsed.value)
    if (refusal === undefined && !this.#own.has(setting)) this.#own.set(setting, own)
    return refusal
  }
}

/** @returns the relation that it would break; undefined when the value is there now */
function put(values: Record<string, unknown>, name: string, value: unknown): string | undefined {
  const { format } = SETTING_ROWS.get(name)!.kind
  // Whoever listens is not told of what stays as it is.
  if (format(value) === format(values[name])) return undefined
  const violation = brokenRelation({ ...values, [name]: value } as SettingValues)
  if (violation === undefined) values[name] = value
  return violation?.sentence
}
