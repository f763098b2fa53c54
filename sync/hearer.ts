/**
 * hearer.ts: keeps one link open by which this node hears what is published at another node of its region.
 *
 * It dials, proves that it knows the secret, and takes what comes. It asks for no ops, so the partition and the role of
 * either node do not matter.
 *
 * Invariant: at most one attempt or link at a time; what a former attempt still reports is ignored.
 */
import { Backoff } from './backoff.ts'
import { Connection } from './connection.ts'
import type { Identity, Link, LinkEvents, SyncEnv, SyncHost, Timer, Transport } from './ports.ts'
import { PullSession } from './pull-session.ts'
import { ProtocolViolation, type Reason, reason } from './reason.ts'
import type { Action } from './session.ts'
import type { SyncSettings } from './settings.ts'

export interface HearerParts {
  readonly host: SyncHost
  readonly env: SyncEnv
  readonly transport: Transport
  readonly settings: SyncSettings
  /** What forbids to hear the node that answers. */
  judge(identity: Identity): Reason | undefined
  /** @throws ProtocolViolation */
  told(bytes: Uint8Array): void
  /** It was heard, and says nothing any more, nor that it ends: its machine or the way to it is gone. */
  silent(): void
  /** The link is over: what was still to come does not come. */
  ended(): void
}

export class Hearer {
  readonly url: string
  readonly #nodeId: string
  readonly #parts: HearerParts
  readonly #backoff: Backoff
  #attempt = 0
  #connection: Connection | undefined
  #session: PullSession | undefined
  #redial: Timer | undefined

  /** @param nodeId  who is heard @param url  where */
  constructor(nodeId: string, url: string, parts: HearerParts) {
    this.#nodeId = nodeId
    this.url = url
    this.#parts = parts
    this.#backoff = new Backoff(parts.env, parts.settings)
    this.#dial()
  }

  get isOpen(): boolean {
    return this.#session?.streaming === true
  }

  stop(why: Reason): void {
    // An attempt that still runs finds itself outdated.
    this.#attempt++
    this.#redial?.cancel()
    this.#connection?.send({ type: 'bye', ...why })
    this.#connection?.close(why)
    this.#leave()
  }

  /** Called once per heartbeat. */
  beat(nowMs: number): void {
    const { isOpen } = this
    const why = this.#connection?.judge(nowMs, isOpen, this.#parts.settings)
    if (why === undefined) {
      if (isOpen) this.#connection?.send({ type: 'pulse' })
      return
    }
    this.#end(why)
    if (isOpen) this.#parts.silent()
  }

  #dial(): void {
    const attempt = ++this.#attempt
    this.#parts.transport.dial(
      this.url,
      (link) => this.#opened(link, attempt),
      () => {
        if (attempt === this.#attempt) this.#lost()
      },
    )
  }

  #opened(link: Link, attempt: number): LinkEvents {
    if (attempt !== this.#attempt) {
      link.close('stopping')
      return { message: () => {}, drained: () => {}, closed: () => {} }
    }
    const { host, env, settings, judge } = this.#parts
    const connection = new Connection(link, env.monoMs())
    const { secret } = settings
    const session = new PullSession(host, {
      region: host.identity.region,
      secret,
      judge,
      greet: { role: 'hearer', greeting: (hail) => ({ type: 'hear', ...hail, nodeId: this.#nodeId }) },
    })
    this.#connection = connection
    this.#session = session
    return {
      message: (bytes) => {
        if (!connection.isOpen) return
        for (const action of session.receive(bytes)) this.#perform(action, connection)
      },
      drained: () => {},
      closed: () => {
        if (!connection.isOpen) return
        connection.ended()
        this.#lost()
      },
    }
  }

  #perform(action: Action, connection: Connection): void {
    if (action.do === 'send') connection.send(action.message)
    else if (action.do === 'opened') this.#backoff.reset()
    else if (action.do === 'spread') this.#told(action.bytes)
    else if (action.do === 'end') {
      connection.close(action.reason)
      this.#lost()
    }
  }

  #told(bytes: Uint8Array): void {
    try {
      this.#parts.told(bytes)
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error
      this.#end(reason(error.code, error.message))
    }
  }

  #end(why: Reason): void {
    this.#connection?.send({ type: 'bye', ...why })
    this.#connection?.close(why)
    this.#lost()
  }

  #lost(): void {
    this.#redial = this.#parts.env.after(this.#backoff.nextMs(), () => this.#dial())
    // Whoever is told may stop this.
    this.#leave()
  }

  #leave(): void {
    this.#connection = undefined
    this.#session = undefined
    this.#parts.ended()
  }
}
