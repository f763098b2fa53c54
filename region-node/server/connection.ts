/**
 * connection.ts: one client: bytes in, commands to the engine, replies out when the log lets them.
 *
 * A turn of the event loop reads what clients have sent and runs it; the replies wait in
 * `session.out`. The connection announces itself once per turn to the TurnPort (`touch`), which calls
 * `flush` when this turn's ops are in the log (log before reply): one socket write per client and turn.
 * A node whose log needs longer than the turn (`appendfsync always`) calls `seal` at the end of the turn
 * and `flush` later, once for each `seal`, in order; what later turns have answered stays behind.
 *
 * Limits: a client that does not read its replies is not read from beyond OUTPUT_BYTES_PAUSE, and is
 * disconnected beyond the limit of its class. One that sends faster than its commands may run (it waits in
 * BLPOP, or others have their turn) is not read from beyond INPUT_BYTES_PAUSE. After
 * COMMANDS_PER_TURN_MAX commands the others come first.
 *
 * Invariants: (1) commands of one client run one at a time, in order, none while `session.blocked`.
 * (2) `sink.open` and `sink.close` are called once each, and `execute` only between them. (3) Nothing is
 * sent after `session.closing` was answered, and no failure of a socket throws.
 */
import type { Session } from '../commands/session.ts'
import type { OutputLimit } from '../config.ts'
import type { Env } from '../env.ts'
import { ProtocolError } from '../errors.ts'
import { type DecoderLimits, RequestDecoder } from '../resp/decoder.ts'

/** Who runs commands: the engine. */
export interface CommandSink {
  /** A client came: says in `session.user` who it is without AUTH. */
  open(session: Session): void
  /** Runs one command: writes its replies to `session.out`, or sets `session.blocked`. Never throws for a client's mistake. */
  execute(session: Session, words: readonly string[]): void
  /** The client is gone; `session.blocked` was cancelled before. */
  close(session: Session): void
  /** For one whose replies come later, from elsewhere. */
  readonly relay?: Relay
}

/** Who brings replies from elsewhere. */
export interface Relay {
  /** Replies to commands that ran are still to come: a client that has closed its side waits for them. */
  isBusy(session: Session): boolean
  /** The client does not read, or reads again: replies had better wait where they come from. */
  fills(session: Session, isFull: boolean): void
}

/** What the node may call on a connection that has announced itself. */
export interface Waiting {
  /** Something was set apart by `seal` and not flushed yet. */
  readonly hasSealed: boolean
  /** The turn is over: what waits now is for the next `flush`, what comes later is not. */
  seal(): void
  /** Sends what the oldest `seal` has set apart; without one, everything that waits. */
  flush(): void
  /** Closes at once: what waits must not be sent. */
  drop(): void
}

/** Clients whose replies must not leave are cut off: they cannot know what became of their commands. */
export function dropAll(waiting: Iterable<Waiting>): void {
  for (const connection of waiting) connection.drop()
}

export interface TurnPort {
  /** `connection` has something to send when this turn's ops are in the log. */
  touch(connection: Waiting): void
}

/** Read on every use, so that CONFIG SET can change them. */
export interface ClientLimits extends DecoderLimits {
  /** Unsent bytes beyond which a client is disconnected, by what is sent to it; 0 is no limit. */
  readonly output: Readonly<Record<Session['outputClass'], OutputLimit>>
  /** Seconds without a byte in either direction; 0 is no limit. Not for blocked, subscribed or monitoring clients. */
  readonly idleSecondsMax: number
}

/** Bytes of all clients since the start. */
export interface Traffic {
  inputBytes: number
  outputBytes: number
}

/** A socket as a connection needs it: `net.Socket` is one. */
export interface ClientSocket {
  /** Bytes given to `write` that the system has not taken yet. */
  readonly writableLength: number
  write(text: string, encoding: 'latin1'): unknown
  pause(): unknown
  resume(): unknown
  end(sent: () => void): unknown
  destroy(): unknown
}

export interface ConnectionPorts {
  readonly env: Pick<Env, 'defer' | 'wallMs'>
  readonly sink: CommandSink
  readonly turn: TurnPort
  readonly limits: ClientLimits
  readonly traffic: Traffic
  readonly log: { warn(sentence: string): void }
}

export const OUTPUT_BYTES_PAUSE = 1024 * 1024
export const INPUT_BYTES_PAUSE = 64 * 1024
export const COMMANDS_PER_TURN_MAX = 4096
/** A client that was sent its last reply and does not take it is cut off after this. */
export const CLOSE_SECONDS_MAX = 10

export class Connection implements Waiting {
  readonly session: Session

  private readonly socket: ClientSocket
  private readonly ports: ConnectionPorts
  private readonly decoder: RequestDecoder
  /** `ending`: the last bytes are on their way; `gone`: nothing more can be sent. */
  private state: 'open' | 'ending' | 'gone' = 'open'
  private running = false
  /** A run is deferred to a later turn. */
  private deferred = false
  /** The decoder has no whole command. */
  private starved = true
  private reading = true
  /** The client has closed its side: what it has sent is still answered. */
  private inputEnded = false
  /** The socket holds too much that the client has not read. */
  private outputFull = false
  private announced = false
  /** Replies set apart by `seal`, oldest first. */
  private sealed: string[] = []
  private sealedBytes = 0
  // Counted in calls of `everySecond`.
  private quietSeconds = 0
  private softSeconds = 0
  private endingSeconds = 0

  constructor(socket: ClientSocket, session: Session, ports: ConnectionPorts) {
    this.socket = socket
    this.session = session
    this.ports = ports
    this.decoder = new RequestDecoder(ports.limits)
    session.resume = () => this.wake()
    ports.sink.open(session)
  }

  get hasSealed(): boolean {
    return this.sealed.length > 0
  }

  /** Input that has not been run, bytes. */
  get inputBytes(): number {
    return this.decoder.bufferedBytes
  }

  /** Replies that the system has not taken yet, bytes. */
  get outputBytes(): number {
    return this.session.out.length + this.sealedBytes + this.socket.writableLength
  }

  /** The socket has read `chunk`, which is the connection's from now on. */
  receive(chunk: Buffer): void {
    this.ports.traffic.inputBytes += chunk.length
    if (this.session.closing || this.state !== 'open') return
    this.quietSeconds = 0
    this.session.lastActiveMs = this.ports.env.wallMs()
    this.decoder.feed(chunk)
    this.starved = false
    this.run()
  }

  /** The client has closed its side. */
  receiveEnd(): void {
    this.inputEnded = true
    if (this.session.blocked !== undefined && !this.isBusy) {
      this.drop()
    } else {
      this.starved = false
      this.run()
    }
  }

  /** The socket has handed everything to the system. */
  drained(): void {
    this.outputFull = false
    this.ports.sink.relay?.fills(this.session, false)
    this.run()
  }

  /** The socket is closed, for whatever reason. */
  closed(): void {
    this.state = 'gone'
    this.session.resume = () => {}
    this.session.blocked?.cancel()
    this.session.blocked = undefined
    this.session.out.take()
    this.sealed = []
    this.sealedBytes = 0
    this.ports.sink.close(this.session)
  }

  seal(): void {
    this.announced = false
    const text = this.session.out.take()
    this.sealed.push(text)
    this.sealedBytes += text.length
    this.checkOutput()
  }

  flush(): void {
    if (this.state !== 'open') return
    let text = this.sealed.shift()
    if (text === undefined) {
      this.announced = false
      text = this.session.out.take()
    } else {
      this.sealedBytes -= text.length
    }
    if (text !== '') {
      this.quietSeconds = 0
      this.ports.traffic.outputBytes += text.length
      this.socket.write(text, 'latin1')
      this.outputFull = this.socket.writableLength >= OUTPUT_BYTES_PAUSE
      if (this.outputFull) this.ports.sink.relay?.fills(this.session, true)
      this.checkOutput()
    }
    if (this.session.closing && this.sealed.length === 0 && this.session.out.length === 0) {
      this.end()
    } else {
      this.steer()
      this.runLater()
    }
  }

  /** Closes at once; what was not sent is lost. */
  drop(): void {
    this.state = 'gone'
    this.socket.destroy()
  }

  /** Called once a second: disconnects a client that is idle, or does not read. */
  everySecond(): void {
    const { limits } = this.ports
    if (this.state === 'ending') {
      this.endingSeconds++
      if (this.endingSeconds > CLOSE_SECONDS_MAX) this.drop()
      return
    }
    const { session } = this
    const { softBytes, softSeconds } = limits.output[session.outputClass]
    this.softSeconds = softBytes > 0 && this.outputBytes > softBytes ? this.softSeconds + 1 : 0
    // One by way of the proxy may have to do with other nodes: its own door sees whether it is idle.
    const isElsewhere = session.isProxied || this.isBusy
    const mayBeIdle =
      isElsewhere || session.blocked !== undefined || session.subscriptions > 0 || session.isMonitor
    this.quietSeconds = mayBeIdle ? 0 : this.quietSeconds + 1
    const isIdle = limits.idleSecondsMax > 0 && this.quietSeconds > limits.idleSecondsMax
    if (this.softSeconds > softSeconds) this.cutOff(`for ${softSeconds} s`)
    else if (isIdle) this.drop()
  }

  /** Runs commands until there are no more, or there is a reason to wait. */
  private run(): void {
    if (this.running) return
    const { session, decoder } = this
    const { sink } = this.ports
    this.running = true
    try {
      for (let commands = 0; this.mayRun(); commands++) {
        if (commands === COMMANDS_PER_TURN_MAX) {
          this.runLater()
          break
        }
        decoder.authenticated = session.user !== undefined
        const words = this.takePostponed() ?? decoder.next()
        if (words === undefined) {
          this.starved = true
          if (this.inputEnded && !this.isBusy) session.closing = true
          break
        }
        sink.execute(session, words)
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      session.out.error(error.line)
      session.closing = true
    } finally {
      this.running = false
    }
    if (this.state !== 'open') return
    if (session.out.length > 0 || session.closing) this.announce()
    this.steer()
  }

  /** A command that was held up and may run now. */
  private takePostponed(): readonly string[] | undefined {
    const { postponed } = this.session
    if (postponed !== undefined) this.session.postponed = undefined
    return postponed
  }

  private mayRun(): boolean {
    const { session } = this
    return (
      this.state === 'open' &&
      session.blocked === undefined &&
      !session.closing &&
      !this.outputFull &&
      session.out.length + this.sealedBytes < OUTPUT_BYTES_PAUSE
    )
  }

  /** Goes on in a later turn, if there is something to go on with. */
  private runLater(): void {
    if (this.deferred || this.starved || this.session.blocked !== undefined) return
    this.deferred = true
    this.ports.env.defer(() => {
      this.deferred = false
      this.run()
    })
  }

  /**
   * Somebody else wrote to `session.out`, ended its wait, or asked it to close. Commands that waited go on
   * in a later turn: this may be inside a command of another client.
   */
  private wake(): void {
    if (this.running || this.state !== 'open') return
    if (this.inputEnded && this.starved && !this.isBusy) this.session.closing = true
    if (this.session.out.length > 0 || this.session.closing) this.announce()
    this.runLater()
  }

  private get isBusy(): boolean {
    return this.ports.sink.relay?.isBusy(this.session) ?? false
  }

  private announce(): void {
    if (this.announced) return
    this.announced = true
    this.ports.turn.touch(this)
  }

  /** Reads from the client, or leaves its bytes to the network's own flow control. */
  private steer(): void {
    const wanted = !this.outputFull && (this.starved || this.decoder.bufferedBytes < INPUT_BYTES_PAUSE)
    if (wanted === this.reading) return
    this.reading = wanted
    if (wanted) this.socket.resume()
    else this.socket.pause()
  }

  private checkOutput(): void {
    const max = this.ports.limits.output[this.session.outputClass].hardBytes
    if (this.state === 'open' && max > 0 && this.outputBytes > max) this.cutOff('at once')
  }

  /** The client does not read, and too many replies wait for it. */
  private cutOff(howLong: string): void {
    const { id, address, outputClass } = this.session
    this.ports.log.warn(
      `client ${id} at ${address} is disconnected: ${this.outputBytes} bytes of replies wait for it, and ` +
        `client-output-buffer-limit ${outputClass} allows fewer ${howLong}`,
    )
    this.drop()
  }

  private end(): void {
    this.state = 'ending'
    this.socket.end(() => this.socket.destroy())
  }
}
