/**
 * home.ts: a client of the proxy as a client of its own node: a connection without a socket.
 *
 * To the node it is a client like any other: it is listed, counted, limited and can be killed. Nothing is sent over
 * the network for it.
 */
import type { Session } from '../commands/session.ts'
import type { Env } from '../env.ts'
import type { ClientSocket, Connection } from '../server/connection.ts'
import type { ClientListener } from '../server/listener.ts'
import type { Home } from './client.ts'
import type { UpstreamEvents } from './upstream.ts'

/** Where clients of the node are. */
export type Host = Pick<ClientListener, 'adopt' | 'leave'>

/** @returns undefined when the node takes no more clients */
export function homeAt(
  host: Host,
  env: Pick<Env, 'defer'>,
  client: Session,
  events: UpstreamEvents,
): Home | undefined {
  let connection: Connection | undefined
  const socket = new HomeSocket(events, () =>
    // The node may be in the middle of something that it does for this client.
    env.defer(() => {
      if (connection !== undefined) host.leave(connection)
      events.closed()
    }),
  )
  connection = host.adopt(socket, client)
  if (connection === undefined) return undefined
  const node = connection
  env.defer(() => events.connected())
  return {
    session: node.session,
    write: (text) => node.receive(Buffer.from(text, 'latin1')),
    pause: () => socket.hold(),
    resume: () => {
      if (socket.release()) node.drained()
    },
    destroy: () => socket.destroy(),
  }
}

/** What the node sends, it sends to the proxy. */
class HomeSocket implements ClientSocket {
  readonly #events: UpstreamEvents
  readonly #closed: () => void
  #isHeld = false
  /** What the proxy does not take yet. */
  #kept = ''
  #isClosed = false

  constructor(events: UpstreamEvents, closed: () => void) {
    this.#events = events
    this.#closed = closed
  }

  get writableLength(): number {
    return this.#kept.length
  }

  write(text: string): void {
    if (this.#isHeld) this.#kept += text
    else if (!this.#isClosed) this.#events.received(text)
  }

  hold(): void {
    this.#isHeld = true
  }

  /** @returns whether something was kept, and is not any more */
  release(): boolean {
    this.#isHeld = false
    const kept = this.#kept
    this.#kept = ''
    if (kept !== '') this.write(kept)
    return kept !== ''
  }

  // The proxy reads what is sent to the node by itself: it sends no more than it may (`client.ts`).
  pause(): void {}

  resume(): void {}

  end(sent: () => void): void {
    sent()
  }

  destroy(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#closed()
  }
}
