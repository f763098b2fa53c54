/**
 * placing.ts: the documents of machines and placements as somebody knows them, decoded.
 *
 * Fed like the `Directory` of the nodes, by the same mirror: with readings as a whole and with changes.
 */
import type { Stored } from '../cluster/directory.ts'
import { Ledger } from '../cluster/ledger.ts'
import type { Event, Reading, Revision } from '../coordinator/port.ts'
import {
  type ControllerDocument,
  decodeController,
  decodeLayout,
  decodeMachine,
  decodePlacement,
  type LayoutDocument,
  type MachineDocument,
  type PlacementDocument,
  type PlacingKeys,
} from './documents.ts'

const ABSENT = { revision: 0, document: undefined }

export class Placing {
  readonly #keys: PlacingKeys
  readonly #ledger = new Ledger((key, value, revision) => this.#enter(key, value, revision))
  readonly #machines = new Map<string, MachineDocument>()
  readonly #known = new Map<string, MachineDocument>()
  readonly #placements = new Map<number, Stored<PlacementDocument>>()
  #layout: Stored<LayoutDocument> = ABSENT
  #controller: Stored<ControllerDocument> = ABSENT

  constructor(keys: PlacingKeys) {
    this.#keys = keys
  }

  get hasRead(): boolean {
    return this.#ledger.hasRead
  }

  /** The highest that was heard of, since the coordinator was put back. */
  get revision(): Revision {
    return this.#ledger.revision
  }

  /** Those that are registered now, by name. */
  get machines(): ReadonlyMap<string, MachineDocument> {
    return this.#machines
  }

  /** Those that are registered, or were while this process has run. */
  get known(): ReadonlyMap<string, MachineDocument> {
    return this.#known
  }

  get layout(): Stored<LayoutDocument> {
    return this.#layout
  }

  get controller(): Stored<ControllerDocument> {
    return this.#controller
  }

  placement(partition: number): Stored<PlacementDocument> {
    return this.#placements.get(partition) ?? ABSENT
  }

  /** @param isPutBack  what is known is of a history that the coordinator has forgotten */
  replace(reading: Reading, isPutBack = false): void {
    this.#ledger.replace(reading, isPutBack)
  }

  apply(events: readonly Event[]): void {
    this.#ledger.apply(events)
  }

  #enter(key: string, value: string | undefined, changed: Revision): void {
    const meaning = this.#keys.meaning(key)
    const revision = value === undefined ? 0 : changed
    const text = value ?? ''
    if (meaning?.kind === 'machine') this.#enterMachine(meaning.name, decodeMachine(text))
    else if (meaning?.kind === 'layout') this.#layout = { revision, document: decodeLayout(text) }
    else if (meaning?.kind === 'controller') this.#controller = { revision, document: decodeController(text) }
    else if (meaning !== undefined)
      this.#placements.set(meaning.partition, { revision, document: decodePlacement(text) })
  }

  #enterMachine(name: string, machine: MachineDocument | undefined): void {
    if (machine === undefined) {
      this.#machines.delete(name)
      return
    }
    this.#machines.set(name, machine)
    this.#known.set(name, machine)
  }
}
