/**
 * patience.ts: since when things are as they are, as one controller has seen it itself.
 *
 * Counted by its monotonic clock, and only while it heard of the coordinator: what happened meanwhile, it does not
 * know. A new controller begins from nought.
 */
import type { Directory } from '../cluster/directory.ts'
import type { Placing } from './placing.ts'

export class Patience {
  /** What is counted, and for how long it has been so. */
  readonly #lastedMs = new Map<string, number>()
  #lookedMs: number | undefined

  /**
   * Takes note of the documents as they are now. To be called often: what came and went in between is not seen.
   * @param isCurrent  they are known as they are now
   */
  look(placing: Placing, directory: Directory, monoMs: number, isCurrent: boolean): void {
    const passedMs = isCurrent && this.#lookedMs !== undefined ? monoMs - this.#lookedMs : 0
    this.#lookedMs = isCurrent ? monoMs : undefined
    if (!isCurrent) return
    const lasting = new Set(lastingOf(placing, directory))
    for (const key of this.#lastedMs.keys()) if (!lasting.has(key)) this.#lastedMs.delete(key)
    for (const key of lasting) {
      const before = this.#lastedMs.get(key)
      this.#lastedMs.set(key, before === undefined ? 0 : before + passedMs)
    }
  }

  /** For how long a machine that placements name has not been registered; 0 when it is, or was just seen to be. */
  machineAwayMs(machine: string): number {
    return this.#lastedMs.get(machineAway(machine)) ?? 0
  }

  /** For how long a member of a partition has been neither registered nor in sync. */
  memberAwayMs(partition: number, nodeId: string): number {
    return this.#lastedMs.get(memberAway(partition, nodeId)) ?? 0
  }

  /** For how long a node has been in sync. */
  inSyncMs(partition: number, nodeId: string): number {
    return this.#lastedMs.get(inSync(partition, nodeId)) ?? 0
  }
}

const machineAway = (machine: string): string => `machine ${machine} away`
const memberAway = (partition: number, nodeId: string): string => `member ${partition} ${nodeId} away`
const inSync = (partition: number, nodeId: string): string => `in sync ${partition} ${nodeId}`

function lastingOf(placing: Placing, directory: Directory): string[] {
  const partitions = placing.layout.document?.partitions ?? 0
  return Array.from({ length: partitions }, (_, partition) => {
    const { machines = [], leaving = [] } = placing.placement(partition).document ?? {}
    const away = [...machines, ...leaving].filter((name) => !placing.machines.has(name))
    const { state } = directory.of(partition)
    const named = state.document?.inSync ?? []
    const members = state.document?.members ?? []
    const gone = members.filter((nodeId) => !directory.nodes.has(nodeId) && !named.includes(nodeId))
    return [
      ...away.map(machineAway),
      ...gone.map((nodeId) => memberAway(partition, nodeId)),
      ...named.map((nodeId) => inSync(partition, nodeId)),
    ]
  }).flat()
}
