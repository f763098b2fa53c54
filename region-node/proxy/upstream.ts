/**
 * upstream.ts: what the proxy needs of a connection to a node, its own included.
 */

/** Who hears of a connection; nothing is called before `Dial` has returned. */
export interface UpstreamEvents {
  connected(): void
  /** Part of the replies, one latin1 character per byte. */
  received(text: string): void
  /** Nothing more comes. Called once, also when it was never connected. */
  closed(): void
}

export interface UpstreamSocket {
  write(text: string): void
  pause(): void
  resume(): void
  /** Closes at once. */
  destroy(): void
}

/** Where a node takes clients. */
export interface Address {
  readonly host: string
  /** 0: none without TLS. */
  readonly port: number
  /** 0: none inside TLS. */
  readonly tlsPort: number
}

export type Dial = (address: Address, events: UpstreamEvents) => UpstreamSocket
