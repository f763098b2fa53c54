/**
 * sim-network.ts: the network of a simulated process: links that fall silent when it dies.
 *
 * Delays, cuts and stalls are `MemoryNetwork`'s; what is added is that no event reaches a process that is
 * gone, that one that is frozen hears of everything later, and that what waits in its links can be measured.
 */
import type { Link, LinkEvents, Transport } from '../../sync/ports.ts'
import type { MemoryNetwork } from './memory-transport.ts'
import type { SimEnv } from './sim-env.ts'

export class SimTransport implements Transport {
  readonly #transport: Transport
  readonly #process: SimEnv
  readonly #links = new Set<Link>()

  constructor(network: MemoryNetwork, address: string, process: SimEnv) {
    this.#transport = network.transport(address)
    this.#process = process
  }

  /** The most that waits in one link of this process, bytes. */
  get unsentBytes(): number {
    let most = 0
    for (const { unsentBytes } of this.#links) most = Math.max(most, unsentBytes)
    return most
  }

  dial(url: string, opened: (link: Link) => LinkEvents, failed: (reason: string) => void): void {
    this.#transport.dial(
      url,
      (link) => this.#watch(link, opened),
      (reason) => this.#process.enter(() => failed(reason)),
    )
  }

  listen(accept: (link: Link) => LinkEvents): Promise<void> {
    return this.#transport.listen((link) => this.#watch(link, accept))
  }

  close(): Promise<void> {
    return this.#transport.close()
  }

  #watch(link: Link, start: (link: Link) => LinkEvents): LinkEvents {
    if (!this.#process.alive) {
      link.close('the process is gone')
      return { message: () => {}, drained: () => {}, closed: () => {} }
    }
    this.#links.add(link)
    // A frozen process takes the link up later: its system has accepted it.
    let events: LinkEvents | undefined
    this.#process.enter(() => {
      events = start(link)
    })
    const enter = (task: (events: LinkEvents) => void) => this.#process.enter(() => task(events!))
    return {
      message: (bytes) => enter((to) => to.message(bytes)),
      drained: () => enter((to) => to.drained()),
      closed: (reason) => {
        this.#links.delete(link)
        enter((to) => to.closed(reason))
      },
    }
  }
}
