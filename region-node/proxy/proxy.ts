/**
 * proxy.ts: any node as the whole region, for clients that know nothing of partitions and primaries: the door, and
 * the clients behind it. What it does for one of them is in `client.ts`.
 *
 * Nothing is written behind this door itself, so its replies wait for no log: those of the nodes did.
 */
import type { Session } from '../commands/session.ts'
import type { CommandSink, TurnPort, Waiting } from '../server/connection.ts'
import { ClientListener, type Doors, type ListenerPorts } from '../server/listener.ts'
import { ProxyClient, type ProxyParts } from './client.ts'
import { SeenScripts } from './seen-scripts.ts'

export class RegionProxy implements CommandSink {
  readonly #parts: ProxyParts
  readonly #clients = new Map<Session, ProxyClient>()

  constructor(parts: Omit<ProxyParts, 'scripts'>) {
    this.#parts = { ...parts, scripts: new SeenScripts() }
  }

  open(session: Session): void {
    this.#clients.set(session, new ProxyClient(session, this.#parts))
  }

  execute(session: Session, words: readonly string[]): void {
    this.#clients.get(session)?.execute(words)
  }

  close(session: Session): void {
    this.#clients.get(session)?.close()
    this.#clients.delete(session)
  }

  readonly relay = {
    isBusy: (session: Session): boolean => this.#clients.get(session)?.isBusy ?? false,
    fills: (session: Session, isFull: boolean): void => this.#clients.get(session)?.fills(isFull),
  }

  /** Commands that wait for a primary may have one. */
  topologyChanged(): void {
    for (const client of this.#clients.values()) client.topologyChanged()
  }

  /** The system would tell of it after many minutes. */
  nodeSilent(nodeId: string): void {
    for (const client of this.#clients.values()) client.nodeSilent(nodeId)
  }
}

export function proxyDoor(
  doors: Doors,
  proxy: RegionProxy,
  ports: Omit<ListenerPorts, 'sink' | 'turn' | 'peers'>,
): ClientListener {
  const turn = new ProxyTurn(ports.env.defer)
  return new ClientListener(doors, { ...ports, sink: proxy, turn, peers: undefined })
}

/** What comes for a client in one turn leaves in one piece. */
class ProxyTurn implements TurnPort {
  readonly #defer: (task: () => void) => void
  #waiting = new Set<Waiting>()

  constructor(defer: (task: () => void) => void) {
    this.#defer = defer
  }

  touch(connection: Waiting): void {
    if (this.#waiting.size === 0) {
      this.#defer(() => {
        const waiting = this.#waiting
        this.#waiting = new Set()
        for (const one of waiting) one.flush()
      })
    }
    this.#waiting.add(connection)
  }
}
