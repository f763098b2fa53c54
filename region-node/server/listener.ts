/**
 * listener.ts: the doors for Redis clients, plain and TLS: the only place that opens their sockets.
 *
 * It wires each socket to a Connection and counts; everything that can go wrong with a socket ends in
 * its `close` event and never in an exception.
 *
 * Invariants: (1) `connections` holds exactly the clients that `sink.open` has seen and `sink.close` has
 * not. (2) A client beyond `clientsMax`, or of another machine in protected mode, is told so and never
 * reaches the engine.
 */
import { createServer, type Server, type Socket } from 'node:net'
import {
  createServer as createTlsServer,
  TLSSocket,
  type TlsOptions,
  type Server as TlsServer,
} from 'node:tls'
import { Session } from '../commands/session.ts'
import type { Env, Timer } from '../env.ts'
import { type CommandError, errors } from '../errors.ts'
import { StartError } from '../start-error.ts'
import {
  type ClientLimits,
  type ClientSocket,
  type CommandSink,
  Connection,
  type ConnectionPorts,
  type Traffic,
  type TurnPort,
} from './connection.ts'

/** Read on every use, so that CONFIG SET can change them. */
export interface ListenerLimits extends ClientLimits {
  /** Most clients at a time (`maxclients`). */
  readonly clientsMax: number
  /** Only clients of this machine are let in: `protected-mode` while no password is set. */
  isProtected(): boolean
  /** Silence after which the system probes whether a client is still there, seconds; 0 is never. */
  readonly keepaliveSeconds: number
}

/** Where clients come in. */
export interface Doors {
  readonly host: string
  /** 0 takes any free port; undefined: no plain door. */
  readonly port: number | undefined
  readonly tls: { readonly port: number; readonly options: TlsOptions } | undefined
}

export interface ListenerPorts {
  readonly env: Pick<Env, 'after' | 'defer' | 'wallMs'>
  readonly sink: CommandSink
  readonly turn: TurnPort
  readonly limits: ListenerLimits
  readonly log: { warn(message: string): void }
  /**
   * Takes a socket by which no client came but a node that wants to follow this one, with what was read of it;
   * undefined: such are clients that speak nonsense.
   */
  readonly peers: ((socket: Socket, first: Buffer, isTls: boolean) => void) | undefined
}

/** Connections that the system completes before we accept them, as Redis's `tcp-backlog`. */
const BACKLOG = 511
/** A TLS handshake that takes longer is given up. */
const HANDSHAKE_MS_MAX = 10_000
const LETTER_G = 71
/** Enough for the first line of a WebSocket's request. */
const UPGRADE_BYTES = 256

export class ClientListener {
  readonly traffic: Traffic = { inputBytes: 0, outputBytes: 0 }
  totalConnectionsReceived = 0
  rejectedConnections = 0

  private readonly doors: Doors
  private readonly ports: ListenerPorts
  private readonly connectionPorts: ConnectionPorts
  private readonly plain: Server | undefined
  private readonly tls: TlsServer | undefined
  private readonly open = new Set<Connection>()
  /** Sockets below TLS, those with which a handshake is still going on included. */
  private readonly sockets = new Set<Socket>()
  /** Sockets that others have now. */
  private handedOn = 0
  private lastId = 0
  private second: Timer | undefined = undefined
  /** Tells `close` that no client is left. */
  private lastGone: () => void = () => {}

  constructor(doors: Doors, ports: ListenerPorts) {
    this.doors = doors
    this.ports = ports
    this.connectionPorts = { ...ports, traffic: this.traffic }
    const accept = (socket: Socket): void => this.accept(socket)
    // Half open: a client may send its commands, close its side, and still wants the replies.
    const options = { allowHalfOpen: true, noDelay: true }
    if (doors.port !== undefined) this.plain = createServer(options, accept)
    if (doors.tls === undefined) return
    this.tls = createTlsServer(
      { ...options, ...doors.tls.options, handshakeTimeout: HANDSHAKE_MS_MAX },
      (socket) => {
        if (showsWrongCertificate(socket)) {
          this.rejectedConnections++
          socket.destroy()
        } else {
          this.accept(socket)
        }
      },
    )
    this.tls.on('connection', (socket: Socket) => {
      this.sockets.add(socket)
      socket.on('close', () => this.sockets.delete(socket))
    })
    // Somebody who speaks no TLS, or shows no certificate that counts, is no client yet.
    this.tls.on('tlsClientError', (_error, socket) => {
      this.rejectedConnections++
      socket.destroy()
    })
  }

  /** The plain port, once `listen` has resolved; 0 without a plain door. */
  get port(): number {
    return this.plain === undefined ? 0 : portOf(this.plain, this.doors.port ?? 0)
  }

  /** The TLS port; 0 without one. */
  get tlsPort(): number {
    return this.tls === undefined ? 0 : portOf(this.tls, this.doors.tls?.port ?? 0)
  }

  /** New connections are met with other certificates. */
  renewTls(options: TlsOptions): void {
    this.tls?.setSecureContext(options)
  }

  get connections(): Iterable<Connection> {
    return this.open
  }

  get connectedClients(): number {
    return this.open.size
  }

  /** @throws StartError when the address cannot be had */
  async listen(): Promise<void> {
    const { port, tls } = this.doors
    if (this.plain !== undefined) await this.openDoor(this.plain, port ?? 0)
    if (this.tls !== undefined) await this.openDoor(this.tls, tls?.port ?? 0)
    this.everySecond()
  }

  private openDoor(server: Server, port: number): Promise<void> {
    const { host } = this.doors
    return new Promise((resolve, reject) => {
      const refuse = (error: NodeJS.ErrnoException): void =>
        reject(new StartError(refusal(error, host, port)))
      server.once('error', refuse)
      server.listen({ host, port, backlog: BACKLOG }, () => {
        server.off('error', refuse)
        // From here on an error is a client that could not be accepted, usually for want of file descriptors.
        server.on('error', (error) => {
          this.rejectedConnections++
          this.ports.log.warn(`a client could not be accepted: ${error.message}`)
        })
        resolve()
      })
    })
  }

  /** Takes no more clients and disconnects those there are; resolves when the last is gone. */
  async close(): Promise<void> {
    this.second?.cancel()
    const lastGone =
      this.open.size === 0
        ? undefined
        : new Promise<void>((resolve) => {
            this.lastGone = resolve
          })
    const closed = [this.plain, this.tls].map(closeServer)
    for (const connection of this.open) connection.drop()
    for (const socket of this.sockets) socket.destroy()
    // Sockets that were handed on are closed by others, later, and the server would wait for them.
    if (this.handedOn === 0) await Promise.all(closed)
    // The server may be closed before its last socket has said so.
    await lastGone
  }

  /**
   * Takes a client that came in by another door of this process, which calls `leave` when its socket is closed.
   * @param told  what is known of the client
   * @returns undefined: there are too many
   */
  adopt(
    socket: ClientSocket,
    told: Pick<Session, 'address' | 'localAddress' | 'isTls'>,
  ): Connection | undefined {
    if (this.open.size >= this.ports.limits.clientsMax) {
      this.rejectedConnections++
      return undefined
    }
    this.totalConnectionsReceived++
    const { address, localAddress, isTls } = told
    const session = new Session(++this.lastId, address, localAddress, this.ports.env.wallMs())
    session.isTls = isTls
    session.isProxied = true
    const connection = new Connection(socket, session, this.connectionPorts)
    this.open.add(connection)
    return connection
  }

  /** The socket of a client is closed. */
  leave(connection: Connection): void {
    this.open.delete(connection)
    connection.closed()
    if (this.open.size === 0) this.lastGone()
  }

  private accept(socket: Socket): void {
    // Whatever happened, 'close' follows.
    socket.on('error', () => {})
    this.totalConnectionsReceived++
    const { limits } = this.ports
    const refusal = this.refusalOf(socket)
    if (refusal !== undefined) {
      this.rejectedConnections++
      socket.end(`-${refusal.line}\r\n`, 'latin1', () => socket.destroy())
      return
    }
    if (limits.keepaliveSeconds > 0) socket.setKeepAlive(true, limits.keepaliveSeconds * 1000)
    const session = new Session(
      ++this.lastId,
      hostAndPort(socket.remoteAddress, socket.remotePort),
      hostAndPort(socket.localAddress, socket.localPort),
      this.ports.env.wallMs(),
    )
    session.isTls = socket instanceof TLSSocket
    const connection = new Connection(socket, session, this.connectionPorts)
    this.open.add(connection)
    let isFirst = true
    socket.on('data', (chunk: Buffer) => {
      if (isFirst && this.ports.peers !== undefined && asksForUpgrade(chunk)) {
        this.handOn(socket, chunk, connection, this.ports.peers)
        return
      }
      isFirst = false
      connection.receive(chunk)
    })
    socket.on('end', () => connection.receiveEnd())
    socket.on('drain', () => connection.drained())
    socket.on('close', () => this.leave(connection))
  }

  /** It was no client but a node, which wants to follow this one. */
  private handOn(
    socket: Socket,
    first: Buffer,
    connection: Connection,
    take: NonNullable<ListenerPorts['peers']>,
  ): void {
    for (const event of ['data', 'end', 'drain', 'close']) socket.removeAllListeners(event)
    this.leave(connection)
    this.handedOn++
    socket.on('close', () => {
      this.handedOn--
    })
    take(socket, first, connection.session.isTls)
  }

  /** In Redis's order. */
  private refusalOf({ remoteAddress }: Socket): CommandError | undefined {
    const { limits } = this.ports
    if (this.open.size >= limits.clientsMax) return errors.maxClients
    return limits.isProtected() && !isLoopback(remoteAddress) ? errors.protectedMode : undefined
  }

  private everySecond(): void {
    this.second = this.ports.env.after(1000, () => {
      for (const connection of this.open) connection.everySecond()
      this.everySecond()
    })
  }
}

/** The line with which a WebSocket begins. What a client would mean by it is an error in Redis's protocol. */
function asksForUpgrade(chunk: Buffer): boolean {
  return chunk[0] === LETTER_G && /^GET \/\S* HTTP\/1\.1\r\n/.test(chunk.toString('latin1', 0, UPGRADE_BYTES))
}

/** A client of this machine, by its address; one that was reset already counts as none. */
export function isLoopback(address = ''): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address)
}

/** As CLIENT LIST shows it; both are undefined for a socket that was reset before it was accepted. */
function hostAndPort(host = '?', port = 0): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Where a certificate is optional: none is fine, and one that nobody trusts is not. */
function showsWrongCertificate(socket: TLSSocket): boolean {
  return !socket.authorized && Object.keys(socket.getPeerCertificate() ?? {}).length > 0
}

function portOf(server: Server, wanted: number): number {
  const address = server.address()
  return address !== null && typeof address === 'object' ? address.port : wanted
}

function closeServer(server: Server | undefined): Promise<void> {
  // It calls back with an error, which is none to us, when it does not listen.
  return new Promise((resolve) => {
    if (server === undefined) resolve()
    else server.close(() => resolve())
  })
}

function refusal(error: NodeJS.ErrnoException, host: string, port: number): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `port ${port} of ${host} is taken by another process: stop it, or choose another with --port`
    case 'EACCES':
      return `port ${port} of ${host} needs more rights than this process has: choose one above 1023 with --port`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `this machine has no address ${host}: correct --bind`
    default:
      return `cannot listen on port ${port} of ${host}: ${error.message}`
  }
}
