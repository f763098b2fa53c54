/**
 * session.ts: what a link's state machine asks to be done.
 *
 * A session is one end of one link: bytes of a message in, actions out. It holds no timer, log or
 * connection, so the mesh that carries out the actions can be replaced by a list in a test. The two
 * halves are `pull-session.ts` (the dialer, who wants ops) and `serve-session.ts` (the acceptor).
 *
 * Both halves keep: (1) after `end` no message is answered any more. (2) Nothing a peer says is handed
 * on before its proof was right and the judge had nothing against it. (3) A message that does not
 * belong to the phase ends the link.
 */
import {
  type Ack,
  type ControlMessage,
  decodeMessage,
  type Fetch,
  type Hurry,
  type Message,
  type NamedNodes,
  type SnapshotBegin,
  type SnapshotNone,
  type SnapshotPart,
  type SnapshotWait,
  type Status,
  type Wanted,
  type Welcome,
} from './messages.ts'
import type { Identity, SyncHost } from './ports.ts'
import { ProtocolViolation, type Reason } from './reason.ts'

export type SnapshotMessage = SnapshotWait | SnapshotBegin | SnapshotPart | SnapshotNone

export type Action =
  | { readonly do: 'send'; readonly message: ControlMessage }
  /**
   * Close the link. The other end gave the reason, or was just sent it.
   * `nodes`: who the server says has what was looked for.
   */
  | { readonly do: 'end'; readonly reason: Reason; readonly nodes?: readonly string[] }
  /** Puller: the server let us in. */
  | { readonly do: 'opened'; readonly peer: Identity; readonly welcome: Welcome }
  /** Server: a puller was let in, or wants something else from now on. */
  | {
      readonly do: 'accepted'
      readonly peer: Identity
      readonly frameBytesMax: number
      /** Where the puller says that it is dialed, and the others of its partition. */
      readonly nodes: readonly string[]
    }
  | { readonly do: 'serve'; readonly wanted: Wanted }
  /** Puller: an ops message to take the records from. */
  | { readonly do: 'take'; readonly bytes: Uint8Array }
  | { readonly do: 'learn'; readonly status: Status }
  | { readonly do: 'hurry'; readonly hurry: Hurry }
  /** Puller: the server's log does not reach back to what we have. */
  | { readonly do: 'trimmed' }
  /** Puller: about the snapshot that was asked for. */
  | { readonly do: 'snapshot'; readonly message: SnapshotMessage }
  /** Puller: messages that clients of the peer published. */
  | { readonly do: 'tell'; readonly bytes: Uint8Array }
  /** Hearer: messages that were published at the other node. */
  | { readonly do: 'spread'; readonly bytes: Uint8Array }
  /** Server: a node of its region hears what is published here, from now on. */
  | { readonly do: 'heard'; readonly peer: Identity }
  /** Server: the puller wants a snapshot. */
  | { readonly do: 'fetch'; readonly fetch: Fetch }
  /** Server: the puller has this. */
  | { readonly do: 'credit'; readonly ack: Ack }
  /** Primary: ops that the replica has and this node may lack; an empty message ends them. */
  | { readonly do: 'rescue'; readonly bytes: Uint8Array }
  /** Primary: the replica asks to take its place. */
  | { readonly do: 'wish' }
  /** Replica: it is primary from now on. */
  | { readonly do: 'lead'; readonly term: number }

/** What a session needs of the node. */
export type SessionHost = Pick<SyncHost, 'identity' | 'hmac' | 'nonce'>

/** Says what forbids a link with a peer whose proof was right. */
export type Judge = (peer: Identity) => Reason | undefined

export function send(message: ControlMessage): Action {
  return { do: 'send', message }
}

/** Ends a link before it served anything. */
export function refuse({ code, sentence }: Reason, named?: NamedNodes): readonly Action[] {
  return [send({ type: 'refuse', code, sentence, named }), { do: 'end', reason: { code, sentence } }]
}

/** Ends a link that was open. */
export function bye(why: Reason): readonly Action[] {
  return [send({ type: 'bye', code: why.code, sentence: why.sentence }), { do: 'end', reason: why }]
}

/** Decodes and answers a message; a malformed or misplaced one ends the link. */
export function receive(
  bytes: Uint8Array,
  answer: (message: Message) => readonly Action[],
): readonly Action[] {
  try {
    return answer(decodeMessage(bytes))
  } catch (error) {
    if (!(error instanceof ProtocolViolation)) throw error
    return bye({ code: error.code, sentence: error.message })
  }
}

export function misplaced(message: Message): ProtocolViolation {
  return new ProtocolViolation('unexpected-message', `a message '${message.type}' at the wrong time`)
}
