/**
 * connection.ts: a link with its bookkeeping: what went over it, and whether the other end lives.
 *
 * Invariants: (1) nothing is sent after `close`. (2) A link whose other end is silent for too long is
 * noticed by `judge`, but not while a long message is still arriving: bytes count, not messages.
 */
import { type ControlMessage, encodeMessage } from './messages.ts'
import type { Link } from './ports.ts'
import { type Reason, reason } from './reason.ts'
import type { SyncSettings } from './settings.ts'

export interface Traffic {
  bytesIn: number
  bytesOut: number
  opsIn: number
  opsOut: number
}

export function noTraffic(): Traffic {
  return { bytesIn: 0, bytesOut: 0, opsIn: 0, opsOut: 0 }
}

export class Connection {
  /** Where bytes are counted: with the peer, once it is known. */
  traffic: Traffic = noTraffic()
  readonly #link: Link
  readonly #openedMs: number
  #heardMs: number
  #receivedBytes = 0
  #open = true

  constructor(link: Link, nowMs: number) {
    this.#link = link
    this.#openedMs = nowMs
    this.#heardMs = nowMs
  }

  get isOpen(): boolean {
    return this.#open
  }

  get remote(): string {
    return this.#link.remote
  }

  get unsentBytes(): number {
    return this.#link.unsentBytes
  }

  send(message: ControlMessage): void {
    this.sendBytes(encodeMessage(message))
  }

  sendBytes(bytes: Uint8Array): void {
    if (!this.#open) return
    this.traffic.bytesOut += bytes.length
    this.#link.send(bytes)
  }

  received(bytes: Uint8Array): void {
    this.traffic.bytesIn += bytes.length
  }

  /** Reads nothing more until `resume`. */
  pause(): void {
    this.#link.pause()
  }

  /** Also behind the end: a link that does not read does not hear that the other end has closed it. */
  resume(): void {
    this.#link.resume()
  }

  /** Why the link should be given up, or undefined. Called once per heartbeat. */
  judge(nowMs: number, streaming: boolean, settings: SyncSettings): Reason | undefined {
    const { handshakeMsMax, silenceMsMax } = settings
    if (!streaming) {
      return nowMs - this.#openedMs < handshakeMsMax
        ? undefined
        : reason('handshake-timeout', `no handshake with ${this.remote} within ${handshakeMsMax} ms`)
    }
    if (this.#link.receivedBytes !== this.#receivedBytes) {
      this.#receivedBytes = this.#link.receivedBytes
      this.#heardMs = nowMs
    }
    return nowMs - this.#heardMs < silenceMsMax
      ? undefined
      : reason('silent', `nothing was heard from ${this.remote} for ${silenceMsMax} ms`)
  }

  /** Takes note that the link has ended at the other end. */
  ended(): void {
    this.#open = false
  }

  close(why: Reason): void {
    if (!this.#open) return
    this.#open = false
    this.#link.close(why.code)
  }
}
