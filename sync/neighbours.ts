/**
 * neighbours.ts: the other nodes of this region, of all partitions, and who hears whose published messages.
 *
 * Whoever knows the region (`region-node/cluster`) says who there is. This node hears each of them by a link that it
 * opens itself, and each of them opens one to hear this node. So a region of N nodes has N * (N - 1) light links.
 *
 * Invariants: (1) one link each way per node; a newer one of the same node replaces the older, so nobody hears a
 * message twice. (2) A link that works stays when its node is not registered any more: a coordinator that is away
 * silences nobody. It is not opened again.
 */
import { judgeNeighbour } from './handshake.ts'
import { Hearer } from './hearer.ts'
import type { HeldPublications } from './held-publications.ts'
import type { Identity, SyncEnv, SyncHost, Transport } from './ports.ts'
import type { Publications } from './publications.ts'
import { type Reason, reason } from './reason.ts'
import type { Replica } from './replicas.ts'
import type { ServerLink } from './server-link.ts'
import type { SyncSettings } from './settings.ts'

/** A node of this region, and where it is dialed. */
export interface Neighbour {
  readonly nodeId: string
  readonly url: string
}

/** One that this node hears. */
interface Heard {
  readonly hearer: Hearer
  readonly held: HeldPublications
  isRegistered: boolean
}

export interface NeighbourParts {
  readonly host: SyncHost
  readonly env: SyncEnv
  readonly transport: Transport
  readonly settings: SyncSettings
  readonly publications: Publications
}

export class Neighbours {
  readonly #parts: NeighbourParts
  readonly #heard = new Map<string, Heard>()
  /** Nodes that hear this one. */
  readonly #links = new Map<string, ServerLink>()
  #isOver = false
  /** Told of a node that was heard and says nothing any more, for as long as a link may be silent. */
  silent: (nodeId: string) => void = () => {}

  constructor(parts: NeighbourParts) {
    this.#parts = parts
  }

  /** Those that hear this node. */
  links(): Iterable<ServerLink> {
    return this.#links.values()
  }

  /** Of the replicas of this node those that do not hear it: they are told by the links by which they follow. */
  *deafAmong(replicas: Iterable<Replica>): IterableIterator<ServerLink> {
    for (const { nodeId, link } of replicas) if (link !== undefined && !this.#links.has(nodeId)) yield link
  }

  /** How many of them this node hears now. */
  get heardCount(): number {
    return [...this.#heard.values()].filter(({ hearer }) => hearer.isOpen).length
  }

  get linkCount(): number {
    return this.#links.size
  }

  /** These are the other nodes of the region. */
  meet(nodes: readonly Neighbour[]): void {
    if (this.#isOver) return
    const registered = new Map(nodes.map((node) => [node.nodeId, node] as const))
    for (const [nodeId, heard] of this.#heard) {
      const node = registered.get(nodeId)
      heard.isRegistered = node !== undefined
      if (node !== undefined && node.url !== heard.hearer.url) this.#forget(nodeId, heard)
      else if (node === undefined && !heard.hearer.isOpen) this.#forget(nodeId, heard)
    }
    for (const { nodeId, url } of nodes) if (!this.#heard.has(nodeId)) this.#hear(nodeId, url)
  }

  #hear(nodeId: string, url: string): void {
    const { publications, host, env, transport, settings } = this.#parts
    const held = publications.heldFrom((publication) => host.published(publication))
    const hearer = new Hearer(nodeId, url, {
      host,
      env,
      transport,
      settings,
      judge: (identity) => judgeNeighbour(host.identity, identity),
      silent: () => this.silent(nodeId),
      told: (bytes) => publications.takeSpread(bytes, held),
      ended: () => {
        held.clear()
        const heard = this.#heard.get(nodeId)
        if (heard?.hearer === hearer && !heard.isRegistered) this.#forget(nodeId, heard)
      },
    })
    this.#heard.set(nodeId, { hearer, held, isRegistered: true })
  }

  #forget(nodeId: string, { hearer, held }: Heard): void {
    this.#heard.delete(nodeId)
    hearer.stop(reason('superseded', `node ${nodeId} is not looked for there any more`))
    this.#parts.publications.forget(held)
  }

  /** A node hears this one from now on. */
  accepted(link: ServerLink, { nodeId }: Identity): void {
    const older = this.#links.get(nodeId)
    this.#links.set(nodeId, link)
    older?.end(reason('superseded', `node ${nodeId} has opened a newer link`))
  }

  ended(link: ServerLink): void {
    const nodeId = link.identity?.nodeId
    if (nodeId !== undefined && this.#links.get(nodeId) === link) this.#links.delete(nodeId)
  }

  /**
   * What this node had applied when it last told of something may be gone from it: those of its partition that wait
   * for it would wait for ever.
   */
  beginAnew(why: Reason): void {
    const { partition } = this.#parts.host.identity
    for (const link of [...this.#links.values()]) if (link.identity?.partition === partition) link.end(why)
  }

  /** Called once per heartbeat. */
  beat(nowMs: number): void {
    for (const { hearer } of this.#heard.values()) hearer.beat(nowMs)
    for (const link of [...this.#links.values()]) link.beat(nowMs)
  }

  stop(why: Reason): void {
    this.#isOver = true
    for (const { hearer } of this.#heard.values()) hearer.stop(why)
    this.#heard.clear()
    for (const link of [...this.#links.values()]) link.end(why)
  }
}
