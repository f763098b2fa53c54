/**
 * masters.ts: the partitions of a region, as a Sentinel speaks of them: masters with names, and what happens to them.
 *
 * A master is a partition: its name is that of the region, with `-<partition>` behind it where there are several.
 * While nobody is primary the last one is still named, as down: clients that ask for the address wait for the next.
 *
 * A Sentinel names one port of a node. Who speaks TLS with it is told the port for TLS, where the node has one, and the
 * others the plain one: as in the replies of Redis Cluster.
 *
 * Source: sentinelEvent and sentinelFailoverSwitchToPromotedSlave in sentinel.c of Redis 7.2.
 */
import { portFor, primaryOf } from '../cluster/redirect.ts'
import type { ClusterNode, Topology } from '../cluster/topology.ts'

export interface Master {
  readonly name: string
  readonly primary: ClusterNode
  /** It is not heard, or is primary no more and nobody has followed. */
  readonly isDown: boolean
  readonly replicas: readonly ClusterNode[]
  readonly epoch: number
}

/** What those hear who listen to a channel of the event's name. */
export interface SentinelEvent {
  readonly channel: string
  readonly message: string
}

/** A master that was known, as it was and as it is. */
export interface MasterChange {
  readonly before: Master
  readonly after: Master
}

export class Masters {
  readonly #region: string
  /** By name, in the order of the partitions. */
  readonly #masters = new Map<string, Master>()

  constructor(region: string) {
    this.#region = region
  }

  get all(): Iterable<Master> {
    return this.#masters.values()
  }

  get count(): number {
    return this.#masters.size
  }

  get(name: string): Master | undefined {
    return this.#masters.get(name)
  }

  /** Looks at a new topology. @returns those that were known before, in the order of the partitions */
  update(topology: Topology): MasterChange[] {
    const changes: MasterChange[] = []
    for (let partition = 0; partition < topology.partitions; partition++) {
      const name = topology.partitions === 1 ? this.#region : `${this.#region}-${partition}`
      const before = this.#masters.get(name)
      const after = masterOf(topology, partition, name, before)
      if (after === undefined) continue
      this.#masters.set(name, after)
      if (before !== undefined) changes.push({ before, after })
    }
    return changes
  }
}

/** Undefined until the first primary is known. */
function masterOf(
  topology: Topology,
  partition: number,
  name: string,
  before: Master | undefined,
): Master | undefined {
  const primary = primaryOf(topology, partition)
  const shown = primary ?? before?.primary
  if (shown === undefined) return undefined
  const replicas = topology.nodes.filter(
    (node) => node.partition === partition && node.role === 'replica' && node.id !== shown.id,
  )
  const isDown = primary === undefined || !primary.isUp
  return { name, primary: shown, isDown, replicas, epoch: topology.epoch }
}

/** What has happened, in its order, for those who speak TLS or for the others. */
export function eventsOf({ before, after }: MasterChange, isTls: boolean): SentinelEvent[] {
  const events: SentinelEvent[] = []
  const addressOf = (node: ClusterNode): string => addressFor(node, isTls)
  const wordsOf = (node: ClusterNode): string => `${node.host} ${portFor(node, isTls)}`
  const isSwitch = addressOf(before.primary) !== addressOf(after.primary)
  if (isSwitch) {
    const [from, to] = [wordsOf(before.primary), wordsOf(after.primary)]
    events.push({ channel: '+switch-master', message: `${after.name} ${from} ${to}` })
  }
  const wasDown = !isSwitch && before.isDown
  if (wasDown !== after.isDown) {
    const sign = after.isDown ? '+' : '-'
    const message = `master ${after.name} ${wordsOf(after.primary)}`
    events.push({ channel: `${sign}sdown`, message })
    events.push({ channel: `${sign}odown`, message: after.isDown ? `${message} #quorum 1/1` : message })
  }
  for (const replica of after.replicas) {
    // Behind a switch all replicas are those of another master.
    const known = isSwitch ? undefined : before.replicas.find((one) => addressOf(one) === addressOf(replica))
    const message = `slave ${addressOf(replica)} ${wordsOf(replica)} @ ${after.name} ${wordsOf(after.primary)}`
    if (known === undefined) events.push({ channel: '+slave', message })
    if ((known?.isUp ?? true) === replica.isUp) continue
    events.push({ channel: replica.isUp ? '-sdown' : '+sdown', message })
  }
  return events
}

/** @param isTls  of the client that is told */
export function addressFor(node: ClusterNode, isTls: boolean): string {
  return `${node.host}:${portFor(node, isTls)}`
}
