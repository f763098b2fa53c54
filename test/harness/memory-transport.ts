/**
 * memory-transport.ts: links between nodes of one process, with delays and cuts.
 *
 * A link is two first-in-first-out lanes. A message takes a random delay but never overtakes another.
 * A *cut* between two addresses breaks their links at both ends and refuses new ones. A *wall* around an
 * address refuses those that others dial, as a firewall does; it may dial. A *stall* keeps the links and
 * delivers nothing, in one direction or both, as a network that drops every packet does; when it ends,
 * what was sent meanwhile arrives.
 *
 * Invariants: (1) messages of a lane arrive whole, once and in order, or not at all. (2) No callback runs
 * before the call that caused it has returned. (3) All chance comes from the given clock.
 */
import type { Link, LinkEvents, SyncEnv, Transport } from '../../sync/ports.ts'

export interface MemoryNetworkOptions {
  /** Delay of a message, milliseconds: at least and at most. */
  readonly delayMsMin: number
  readonly delayMsMax: number
  /** Bytes a lane takes per millisecond; Infinity for no limit. */
  readonly bytesPerMs: number
}

const DEFAULTS: MemoryNetworkOptions = { delayMsMin: 1, delayMsMax: 3, bytesPerMs: Number.POSITIVE_INFINITY }

export class MemoryNetwork {
  readonly #clock: Pick<SyncEnv, 'after' | 'monoMs' | 'random'>
  readonly #options: MemoryNetworkOptions
  readonly #listeners = new Map<string, (link: Link) => LinkEvents>()
  readonly #links = new Set<MemoryLink>()
  readonly #cuts = new Set<string>()
  readonly #walls = new Set<string>()
  readonly #stalls = new Set<string>()
  readonly #crashes = new Map<string, number>()
  /** Bytes delivered so far, over all links. */
  deliveredBytes = 0

  constructor(
    clock: Pick<SyncEnv, 'after' | 'monoMs' | 'random'>,
    options: Partial<MemoryNetworkOptions> = {},
  ) {
    this.#clock = clock
    this.#options = { ...DEFAULTS, ...options }
  }

  /** The transport of the node at that address; it is dialed as `memory:<address>` or `ws://<address>:<port>`. */
  transport(address: string): Transport {
    const crashes = this.#crashesOf(address)
    const lives = (): boolean => this.#crashesOf(address) === crashes
    return {
      dial: (url, opened, failed) => {
        if (lives()) this.#dial(address, url.replace(/^memory:|^ws:\/\/|:\d+$/g, ''), lives, opened, failed)
      },
      listen: (accept) => this.#listen(address, accept),
      close: async () => {
        if (lives()) this.#close(address)
      },
    }
  }

  #crashesOf(address: string): number {
    return this.#crashes.get(address) ?? 0
  }

  /** Breaks the links between two nodes and refuses new ones. */
  cut(a: string, b: string): void {
    this.#cuts.add(pair(a, b))
    this.drop(a, b)
  }

  heal(a: string, b: string): void {
    this.#cuts.delete(pair(a, b))
  }

  /** Breaks all links of a node. It may dial again, and nobody may dial it. */
  wall(address: string): void {
    this.#walls.add(address)
    for (const link of this.#links)
      if (link.from === address || link.to === address) link.break('the connection was cut')
  }

  unwall(address: string): void {
    this.#walls.delete(address)
  }

  /** Breaks the links between two nodes once: both may dial again. */
  drop(a: string, b: string): void {
    for (const link of this.#links)
      if (pair(link.from, link.to) === pair(a, b)) link.break('the connection was cut')
  }

  /** Delivers nothing from one node to the other until `unstall`. */
  stall(from: string, to: string): void {
    this.#stalls.add(`${from}>${to}`)
  }

  unstall(from: string, to: string): void {
    this.#stalls.delete(`${from}>${to}`)
    for (const link of this.#links) if (link.from === from && link.to === to) link.deliver()
  }

  /**
   * A node is gone from one moment to the next: its links break, nobody listens, and its transport does
   * nothing any more. A restarted node takes a new transport.
   */
  crash(address: string): void {
    this.#crashes.set(address, this.#crashesOf(address) + 1)
    this.#listeners.delete(address)
    for (const link of this.#links) {
      if (link.from !== address && link.to !== address) continue
      if (link.from === address) link.die()
      link.break('the node is gone')
    }
  }

  async #listen(address: string, accept: (link: Link) => LinkEvents): Promise<void> {
    if (this.#listeners.has(address)) throw new Error(`cannot listen for peers on ${address}: it is in use`)
    this.#listeners.set(address, accept)
  }

  #close(address: string): void {
    this.#listeners.delete(address)
    for (const link of this.#links) if (link.from === address) link.close('stopping')
  }

  #dial(
    from: string,
    to: string,
    lives: () => boolean,
    opened: (link: Link) => LinkEvents,
    failed: (reason: string) => void,
  ): void {
    this.#clock.after(this.delayMs(), () => {
      if (!lives()) return
      const accept = this.#listeners.get(to)
      if (accept === undefined || this.#cuts.has(pair(from, to)) || this.#walls.has(to)) {
        failed(`cannot reach ${to}`)
        return
      }
      const near = new MemoryLink(this, from, to)
      const far = new MemoryLink(this, to, from)
      near.join(far)
      far.join(near)
      this.#links.add(near)
      this.#links.add(far)
      far.start(accept(far))
      near.start(opened(near))
    })
  }

  /** For links. */
  delayMs(): number {
    const { delayMsMin, delayMsMax } = this.#options
    return delayMsMin + this.#clock.random() * (delayMsMax - delayMsMin)
  }

  nowMs(): number {
    return this.#clock.monoMs()
  }

  after(delayMs: number, task: () => void): void {
    this.#clock.after(delayMs, task)
  }

  isStalled(from: string, to: string): boolean {
    return this.#stalls.has(`${from}>${to}`)
  }

  sendMs(bytes: number): number {
    return bytes / this.#options.bytesPerMs
  }

  remove(link: MemoryLink): void {
    this.#links.delete(link)
  }
}

function pair(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`
}

/** One end of a link: the lane from here to there, and the events of this end. */
class MemoryLink implements Link {
  readonly from: string
  readonly to: string
  unsentBytes = 0
  receivedBytes = 0
  /** This end takes nothing. */
  #isPaused = false
  readonly #network: MemoryNetwork
  /** On their way to the other end; undefined is the end of the lane. */
  readonly #lane: {
    readonly message: Uint8Array | undefined
    readonly reason: string
    readonly dueMs: number
  }[] = []
  #lastDueMs = 0
  #other: MemoryLink | undefined
  #events: LinkEvents | undefined
  #closing = false
  #ended = false

  constructor(network: MemoryNetwork, from: string, to: string) {
    this.#network = network
    this.from = from
    this.to = to
  }

  get remote(): string {
    return this.to
  }

  join(other: MemoryLink): void {
    this.#other = other
  }

  start(events: LinkEvents): void {
    this.#events = events
  }

  send(message: Uint8Array): void {
    if (this.#closing || this.#ended) return
    this.unsentBytes += message.length
    // Copied: the sender must not be able to change what is on its way.
    this.#queue(new Uint8Array(message), '')
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#other!.deliver()
  }

  close(reason: string): void {
    if (this.#closing || this.#ended) return
    this.#closing = true
    this.#queue(undefined, reason)
  }

  #queue(message: Uint8Array | undefined, reason: string): void {
    const network = this.#network
    const sendMs = network.sendMs(message?.length ?? 0)
    const dueMs = Math.max(network.nowMs() + network.delayMs(), this.#lastDueMs) + sendMs
    this.#lastDueMs = dueMs
    this.#lane.push({ message, reason, dueMs })
    network.after(dueMs - network.nowMs(), () => this.deliver())
  }

  /** Hands over what is due, unless the lane is stalled. */
  deliver(): void {
    const network = this.#network
    while (!this.#ended && !this.#other!.#isPaused && !network.isStalled(this.from, this.to)) {
      const next = this.#lane[0]
      if (next === undefined || next.dueMs > network.nowMs()) return
      this.#lane.shift()
      if (next.message === undefined) {
        this.break(next.reason)
        return
      }
      this.unsentBytes -= next.message.length
      this.#other!.#take(next.message)
      this.#events?.drained()
    }
  }

  #take(message: Uint8Array): void {
    if (this.#ended) return
    this.receivedBytes += message.length
    this.#network.deliveredBytes += message.length
    // A closed end reads no more.
    if (!this.#closing) this.#events?.message(message)
  }

  /** Nobody is at this end any more. */
  die(): void {
    this.#events = undefined
  }

  /** The link ends at both ends, each being told a little later. */
  break(reason: string): void {
    for (const end of [this, this.#other!]) {
      if (end.#ended) continue
      end.#ended = true
      this.#network.remove(end)
      this.#network.after(0, () => end.#events?.closed(reason))
    }
  }
}
