/**
 * region.ts: one region of a run: a coordinator and the machines that agree by it.
 */
import {
  decodeNode,
  decodeState,
  isOlder,
  Keys,
  type StateDocument,
} from '../../../region-node/cluster/documents.ts'
import { type MemoryCoordinator, MemoryStore } from '../../../region-node/coordinator/memory.ts'
import type { Event } from '../../../region-node/coordinator/port.ts'
import type { SimClock } from '../../harness/sim-clock.ts'
import { DATABASE, type Machine, PARTITION } from './machine.ts'

export class Region {
  readonly name: string
  readonly id: number
  readonly machines: Machine[] = []
  readonly store: MemoryStore
  readonly #keys: Keys
  readonly #observer: MemoryCoordinator
  /** The latest state that was ever stored, whatever became of the store since. */
  latest: StateDocument | undefined

  constructor(name: string, id: number, clock: SimClock) {
    this.name = name
    this.id = id
    this.store = new MemoryStore({ monoMs: () => clock.nowMs, after: (ms, task) => clock.after(ms, task) })
    this.#keys = new Keys(DATABASE, name)
    this.#observer = this.store.connect({ deadlineMs: Number.POSITIVE_INFINITY, delayMs: 0 })
    this.#watch()
  }

  #watch(): void {
    this.#observer.watch(
      this.#keys.prefix,
      this.store.perform((documents) => documents.revision),
      {
        changed: (events) => this.#changed(events),
        lost: () => this.#watch(),
      },
    )
  }

  #changed(events: readonly Event[]): void {
    for (const { key, value } of events) {
      if (key !== this.#keys.of('state', PARTITION) || value === undefined) continue
      const state = decodeState(value)
      if (state !== undefined && (this.latest === undefined || !isOlder(state, this.latest)))
        this.latest = state
    }
  }

  /** What is stored is no older than what was ever stored. */
  get isUpToDate(): boolean {
    const stored = this.#stored
    return stored !== undefined && (this.latest === undefined || !isOlder(stored, this.latest))
  }

  get #stored(): StateDocument | undefined {
    const value = this.#read(this.#keys.of('state', PARTITION))
    return value === undefined ? undefined : decodeState(value)
  }

  #read(key: string): string | undefined {
    const { entries } = this.store.perform((documents) => documents.read(key))
    return entries[0]?.value
  }

  machineOf(nodeId: string): Machine | undefined {
    return this.machines.find((machine) => machine.nodeId === nodeId)
  }

  /** Those that were in sync by the latest state. */
  get inSync(): Machine[] {
    const names = this.latest?.inSync ?? []
    return this.machines.filter(({ nodeId }) => names.includes(nodeId))
  }

  /** Those of them that have not come back with less since. */
  get whole(): Machine[] {
    return this.inSync.filter(({ nodeId }) => {
      const value = this.#read(this.#keys.node(nodeId))
      return value !== undefined && decodeNode(value)?.isWhole === true
    })
  }

  /** It takes writes. */
  get primary(): Machine | undefined {
    return this.machines.find((machine) => machine.isPrimary && machine.agent?.status.mayAnswer === true)
  }

  get isReady(): boolean {
    const { primary } = this
    return primary !== undefined && primary.core?.engine.refusal === undefined
  }
}
