/**
 * cluster-view.ts: the topology of this moment, and who is told when it changes.
 *
 * Whoever watches the coordinator puts it in; commands read it, by way of `Services`. A node that nobody tells of
 * a topology has none for ever, and is a Redis server with cluster support disabled.
 */
import { type CommandError, errors } from '../errors.ts'
import type { Topology } from './topology.ts'

/** How a replica becomes primary: when its primary agrees, without the primary, or without anybody. */
export type FailoverKind = 'agreed' | 'forced' | 'takeover'

export class ClusterView {
  /**
   * CLUSTER FAILOVER: set by whoever can begin one.
   * @returns why not; undefined when it has begun
   */
  failover: (kind: FailoverKind) => CommandError | undefined = () => errors.clusterOff
  /** CLUSTER FORGET, likewise. */
  forget: (nodeId: string) => CommandError | undefined = () => errors.clusterOff
  #topology: Topology | undefined = undefined
  readonly #listeners: ((topology: Topology) => void)[] = []

  get topology(): Topology | undefined {
    return this.#topology
  }

  /** From now on that is how the cluster looks. */
  become(topology: Topology): void {
    this.#topology = topology
    for (const listener of this.#listeners) listener(topology)
  }

  /** Told of every topology behind the one of now. */
  onChange(listener: (topology: Topology) => void): void {
    this.#listeners.push(listener)
  }
}
