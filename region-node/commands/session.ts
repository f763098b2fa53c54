/**
 * session.ts: what the engine knows of one client connection.
 *
 * A session is plain state: it owns no socket, so the same commands run for a client on TCP, in the
 * simulator and in a test. The connection (`server/connection.ts`) feeds words in and takes `out`.
 *
 * Invariants: (1) replies are in `out` in the order of the commands. (2) While `blocked` is set no
 * further command of this session runs. (3) `queue` is defined exactly between MULTI and EXEC,
 * DISCARD or RESET.
 */
import type { User } from '../acl/user.ts'
import type { CommandError } from '../errors.ts'
import { ReplyWriter } from '../resp/reply.ts'

export interface Blocked {
  /** Ends the wait without a reply: the client went away. */
  cancel(): void
  /** CLIENT UNBLOCK: ends it as its timeout would, or with an error. Undefined for a wait that nobody may end. */
  unblock?(error: CommandError | undefined): void
}

export interface WatchedKey {
  readonly db: number
  readonly key: string
  /** The key had a value a read would have shown when WATCH ran. */
  readonly existed: boolean
}

/** What CLIENT TRACKING ON says. */
export interface TrackingOptions {
  readonly broadcasts: boolean
  /** Keys are remembered only behind CLIENT CACHING YES, or but behind CLIENT CACHING NO. */
  readonly mode: 'all' | 'optin' | 'optout'
  /** A client is not told of its own changes. */
  readonly noLoop: boolean
  /** Who is told in its place. */
  readonly redirect: Session | undefined
  readonly prefixes: readonly string[]
}

/** One client that tracks. */
export interface Tracked {
  options: TrackingOptions
  /** CLIENT CACHING, for the next command. */
  caching: 'yes' | 'no' | undefined
  /** The client that was to be told is gone. */
  isRedirectBroken: boolean
}

export class Session {
  readonly id: number
  readonly out: ReplyWriter
  /** `host:port` of the client and of the listener, as CLIENT LIST shows them. */
  readonly address: string
  readonly localAddress: string
  readonly createdMs: number
  lastActiveMs: number
  lastCommand = 'NULL'
  db = 0
  name = ''
  libName = ''
  libVersion = ''
  /** Who the client is; undefined until it has said so, where that is asked for. */
  user: User | undefined
  noEvict = false
  /** What it reads counts as no use of a key: CLIENT NO-TOUCH. */
  noTouch = false
  /** Takes what a replica has (READONLY): what the primary acknowledged may be missing. */
  readsReplicas = false
  /** Is told the TLS ports of other nodes. */
  isTls = false
  /** It came in by the proxy of this node, and takes the region for one server. */
  isProxied = false
  /** Sees all commands (MONITOR). */
  isMonitor = false
  replyMode: 'on' | 'off' | 'skip-next' | 'skip-this' = 'on'
  /** Words of the commands queued since MULTI. */
  queue: (readonly string[])[] | undefined = undefined
  /** Bytes of the words in `queue`, roughly. */
  queueBytes = 0
  /** A command was refused while queueing: EXEC answers EXECABORT. */
  queueBroken = false
  watched: WatchedKey[] = []
  /** An effect touched a watched key. */
  watchDirty = false
  blocked: Blocked | undefined = undefined
  /** A command that has to wait for the end of a pause, to be run again then. */
  postponed: readonly string[] | undefined = undefined
  /** Channels and patterns listened to: such a client may be silent for as long as it likes. */
  subscriptions = 0
  /** CLIENT TRACKING is on. */
  tracking: Tracked | undefined = undefined
  /** Close the connection once `out` has been sent. */
  closing = false
  /**
   * Which of the output limits holds for this client. The bytes of a `normal` one are bounded by what it asks for,
   * and one that does not read is not read from. A `pubsub` one is sent without end what it did not ask for one by
   * one: messages, but also what MONITOR shows and the invalidations of CLIENT TRACKING BCAST, which Redis counts
   * as normal and so does not limit.
   */
  get outputClass(): 'normal' | 'pubsub' {
    const listens = this.subscriptions > 0 || this.isMonitor || this.tracking?.options.broadcasts === true
    return listens ? 'pubsub' : 'normal'
  }

  /**
   * Called by whoever, outside a command of this session, wrote to `out`, ended its wait or set `closing`,
   * so that the connection sends it and goes on.
   */
  resume: () => void = () => {}

  constructor(
    id: number,
    address: string,
    localAddress: string,
    nowMs: number,
    user?: User,
    out = new ReplyWriter(),
  ) {
    this.id = id
    this.address = address
    this.localAddress = localAddress
    this.createdMs = nowMs
    this.lastActiveMs = nowMs
    this.user = user
    this.out = out
  }
}
