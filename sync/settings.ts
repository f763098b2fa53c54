/**
 * settings.ts: every limit and wait of sync, with its unit.
 *
 * The mesh reads them at each use, so the node may hand in a live object behind CONFIG SET.
 */
export interface PeerAddress {
  /** Name of the region, as it calls itself. */
  readonly name: string
  readonly url: string
}

/** By region: where its nodes are. */
export function addressesOf(peers: readonly PeerAddress[]): ReadonlyMap<string, readonly string[]> {
  const addresses = new Map<string, string[]>()
  for (const { name, url } of peers) addresses.set(name, [...(addresses.get(name) ?? []), url])
  return addresses
}

export interface SyncSettings {
  readonly peers: readonly PeerAddress[]
  /** What regions prove to each other that they know. */
  readonly secret: string
  /** Milliseconds between two sends, in which ops wait for company. Read once for each send. */
  readonly lingerMs: number
  /** So many ops are company enough, and are sent at once: what a peer applies in a turn stays short. */
  readonly lingerOpsMax: number
  /** Largest message taken from a peer, bytes; told to it, so that it does not send a larger one. */
  readonly frameBytesMax: number
  /** Received ops that wait for ops they depend on, bytes. Beyond it the link that delivers is closed. */
  readonly causalBufferBytesMax: number
  /**
   * Ops released from that buffer in one event-loop turn, bytes: no less than what a turn can receive from a few
   * peers, or the buffer would never empty. A node that joins releases `sliceBytesMax` and reads nothing meanwhile.
   */
  readonly releaseBytesMax: number
  /** Bytes queued in one link, above which no more of the log is read for it. */
  readonly unsentBytesMax: number
  /**
   * Log, or snapshot, read for one link in one event-loop turn, bytes. It is what the peer applies in one turn:
   * 256 KiB of small ops took 11 ms of its processor time.
   */
  readonly sliceBytesMax: number
  /** Published messages that wait to be sent to a peer, or to be told here, bytes. Beyond it they are dropped. */
  readonly publicationBytesMax: number
  /** Milliseconds that an acknowledgement waits for more to acknowledge. */
  readonly ackLingerMs: number
  /** Milliseconds between two signs of life. */
  readonly heartbeatMs: number
  /** Milliseconds without a byte from the other end, after which a link counts as broken. */
  readonly silenceMsMax: number
  /** Milliseconds from the opening of a link to the end of its handshake. */
  readonly handshakeMsMax: number
  /** Accepted links whose handshake is not done. One more is closed at once. */
  readonly handshakesMax: number
  /** Milliseconds before the first redial; doubles up to the second, with jitter. */
  readonly redialMsMin: number
  readonly redialMsMax: number
  /** Milliseconds that the own link to a region may be down before another region relays. */
  readonly relayAfterMs: number
  /** Milliseconds that a source may lack ops which another region has, before that one relays. */
  readonly relayBehindMs: number
  /** Milliseconds that a member may be unheard before due keys are removed without it. */
  readonly expireTakeoverMs: number
}

const MIB = 1024 * 1024

export const SYNC_DEFAULTS: Omit<SyncSettings, 'peers' | 'secret'> = {
  lingerMs: 1,
  lingerOpsMax: 1000,
  frameBytesMax: 1024 * MIB,
  causalBufferBytesMax: 64 * MIB,
  releaseBytesMax: MIB / 4,
  unsentBytesMax: MIB,
  sliceBytesMax: MIB / 32,
  publicationBytesMax: 32 * MIB,
  ackLingerMs: 20,
  heartbeatMs: 1000,
  silenceMsMax: 10_000,
  handshakeMsMax: 10_000,
  handshakesMax: 64,
  redialMsMin: 50,
  redialMsMax: 5000,
  relayAfterMs: 100,
  relayBehindMs: 3000,
  expireTakeoverMs: 86_400_000,
}
