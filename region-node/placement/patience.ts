/**
 * patience.ts: since when things are as they are, as one machine has seen it itself.
 *
 * Counted by its monotonic clock, and only while it heard of the coordinator: what happened meanwhile, it does not
 * know. Every machine counts, so that one that becomes controller goes on; a process that has just begun counts from
 * nought.
 */
import type { Directory } from '../cluster/directory.ts'
import { copyOn } from './documents.ts'
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

  /** For how long a copy that is named has not been there: its machine is away, or cannot start it. */
  copyGoneMs(partition: number, machine: string): number {
    return this.#lastedMs.get(copyGone(partition, machine)) ?? 0
  }

  /** For how long a member of a partition has been neither registered nor in sync. */
  memberAwayMs(partition: number, nodeId: string): number {
    return this.#lastedMs.get(memberAway(partition, nodeId)) ?? 0
  }

  /** For how long a node has been in sync with a primary of that term. */
  followedMs(partition: number, nodeId: string, term: number): number {
    return this.#lastedMs.get(followed(partition, nodeId, term)) ?? 0
  }
}

const copyGone = (partition: number, machine: string): string => `copy ${partition} ${machine} gone`
const memberAway = (partition: number, nodeId: string): string => `member ${partition} ${nodeId} away`
const followed = (partition: number, nodeId: string, term: number): string =>
  `followed ${partition} ${nodeId} ${term}`

function lastingOf(placing: Placing, directory: Directory): string[] {
  const partitions = placing.layout.document?.partitions ?? 0
  return Array.from({ length: partitions }, (_, partition) => {
    const { machines = [], leaving = [] } = placing.placement(partition).document ?? {}
    const gone = [...machines, ...leaving].filter((name) => {
      const machine = placing.machines.get(name)
      return machine === undefined || copyOn(machine, partition)?.state === 'failed'
    })
    const { inSync = [], members = [], term = 0 } = directory.of(partition).state.document ?? {}
    const away = members.filter((nodeId) => !directory.nodes.has(nodeId) && !inSync.includes(nodeId))
    return [
      ...gone.map((name) => copyGone(partition, name)),
      ...away.map((nodeId) => memberAway(partition, nodeId)),
      ...inSync.map((nodeId) => followed(partition, nodeId, term)),
    ]
  }).flat()
}
