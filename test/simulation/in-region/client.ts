/**
 * client.ts: clients of a region of several nodes.
 *
 * A client that follows the primary does what a client of a cluster does: it is refused, cut off or left without an
 * answer, asks some node who is primary, and goes on there with another command; what became of the one that was
 * not answered it does not know. A faithful client stays with its node whatever that says: nobody else notices a
 * primary that goes on after it was deposed.
 */
import { Session } from '../../../region-node/commands/session.ts'
import type { NodeCore } from '../../../region-node/core.ts'
import { ReplyParser } from '../../../region-node/resp/parse-reply.ts'
import { type ClientLimits, type ClientSocket, Connection } from '../../../region-node/server/connection.ts'
import { NO_OUTPUT_LIMITS } from '../../harness/no-output-limits.ts'
import type { Prng } from '../../harness/prng.ts'
import type { SimClock } from '../../harness/sim-clock.ts'
import type { SimEnv } from '../../harness/sim-env.ts'
import { type Ask, type Command, isAcknowledged, wordsOf } from './commands.ts'
import type { Machine } from './machine.ts'
import type { Region } from './region.ts'

/** A client that waits for longer gives its connection up. */
const TIMEOUT_MS = 1500
/** From a refusal to the next question who is primary, milliseconds. */
const ASK_MS = 20

const LIMITS: ClientLimits = {
  bulkBytesMax: 1024 * 1024,
  queryBytesMax: 1024 * 1024,
  wordsMax: 1024,
  output: NO_OUTPUT_LIMITS,
  idleSecondsMax: 0,
}

export interface ClientPorts {
  readonly clock: SimClock
  readonly prng: Prng
  readonly thinkMs: number
  /** What to ask next; undefined: nothing more. */
  next(region: string): Ask | undefined
  sent(command: Command): void
  answered(command: Command): void
}

export class Client {
  readonly region: Region
  readonly #ports: ClientPorts
  /** The one it stays with. */
  readonly #faithfulTo: Machine | undefined
  #link: ClientLink | undefined
  #command: Command | undefined

  constructor(region: Region, ports: ClientPorts, faithfulTo?: Machine) {
    this.region = region
    this.#ports = ports
    this.#faithfulTo = faithfulTo
  }

  /** It waits for an answer. */
  get isWaiting(): boolean {
    return this.#command !== undefined
  }

  start(): void {
    this.#later(this.#ports.prng.random() * 2 * this.#ports.thinkMs)
  }

  #later(delayMs: number): void {
    this.#ports.clock.after(delayMs, () => this.#send())
  }

  #send(): void {
    const { clock, next, sent, thinkMs } = this.#ports
    this.#link = this.#link?.isOpen === true ? this.#link : this.#connect()
    if (this.#link === undefined) {
      this.#later(thinkMs + ASK_MS)
      return
    }
    const ask = next(this.region.name)
    if (ask === undefined) return
    const command: Command = {
      region: this.region.name,
      node: this.#link.machine.name,
      ask,
      sentMs: clock.nowMs,
      ran: undefined,
      dot: undefined,
      answeredMs: undefined,
      reply: undefined,
      isShaken: false,
      isLost: false,
    }
    this.#command = command
    sent(command)
    this.#link.send(command)
    const link = this.#link
    clock.after(TIMEOUT_MS, () => {
      if (this.#command === command) link.abandon()
    })
  }

  #connect(): ClientLink | undefined {
    const machine = this.#faithfulTo ?? this.#whoIsPrimary()
    const { core, env, isServing } = machine?.node ?? {}
    if (machine === undefined || core === undefined || env === undefined || !isServing) return undefined
    return new ClientLink(machine, core, env, {
      answered: (command) => this.#answered(command),
      lost: () => this.#lost(),
    })
  }

  /** As any node knows it that answers. */
  #whoIsPrimary(): Machine | undefined {
    const { machines } = this.region
    const asked = this.#ports.prng.pick(machines)
    if (asked.agent === undefined || asked.isFrozen) return undefined
    return this.region.machineOf(asked.agent.status.leader)
  }

  #answered(command: Command): void {
    const { clock, prng, thinkMs, answered } = this.#ports
    command.answeredMs = clock.nowMs
    this.#command = undefined
    answered(command)
    if (isAcknowledged(command)) {
      this.#later(prng.random() * 2 * thinkMs)
      return
    }
    if (this.#faithfulTo === undefined) this.#link?.abandon()
    this.#later(ASK_MS + prng.random() * 2 * thinkMs)
  }

  #lost(): void {
    this.#link = undefined
    if (this.#command === undefined) return
    this.#command = undefined
    this.#later(ASK_MS * (1 + this.#ports.prng.random()))
  }

  /** The node that it is connected with is gone. */
  cutOff(machine: Machine): void {
    if (this.#link?.machine === machine) this.#link.abandon()
  }
}

interface LinkEvents {
  answered(command: Command): void
  /** Once: what was not answered is not going to be. */
  lost(): void
}

/**
 * One connection. What was sent over it when the client gives it up is still run, if it was in the node's socket.
 */
class ClientLink implements ClientSocket {
  readonly writableLength = 0
  readonly machine: Machine
  readonly #events: LinkEvents
  readonly #env: SimEnv
  readonly #core: NodeCore
  readonly #parser = new ReplyParser()
  #connection: Connection | undefined
  /** Sent and not answered. */
  #command: Command | undefined
  isOpen = true

  constructor(machine: Machine, core: NodeCore, env: SimEnv, events: LinkEvents) {
    this.machine = machine
    this.#core = core
    this.#env = env
    this.#events = events
  }

  send(command: Command): void {
    const words = wordsOf(command.ask)
    this.#command = command
    this.#env.enter(() => {
      this.#connection ??= this.#open()
      this.#connection.receive(Buffer.from(encoded(words), 'latin1'))
    })
  }

  #open(): Connection {
    const core = this.#core
    const sink = {
      open: (session: Session) => core.open(session),
      execute: (session: Session, words: readonly string[]) => this.#execute(session, words),
      close: (session: Session) => core.close(session),
    }
    const session = new Session(1, '10.0.0.1:1', '10.0.0.2:6379', this.#env.wallMs())
    return new Connection(this, session, {
      env: this.#env,
      sink,
      turn: core,
      limits: LIMITS,
      traffic: { inputBytes: 0, outputBytes: 0 },
      log: { warn() {} },
    })
  }

  #execute(session: Session, words: readonly string[]): void {
    const core = this.#core
    const { replication, origin } = core
    const ran = { term: replication.term, asPrimary: replication.role === 'primary' }
    const before = core.applied.get(origin)
    core.execute(session, words)
    // Held back: it is run again.
    if (session.postponed !== undefined || this.#command === undefined) return
    this.#command.ran = ran
    if (core.applied.get(origin) > before) this.#command.dot = { origin: origin.id, seq: before + 1 }
  }

  write(text: string): void {
    this.#parser.feed(text)
    const reply = this.#parser.next()
    const command = this.#command
    if (reply === undefined || command === undefined || !this.isOpen) return
    this.#command = undefined
    command.reply = reply.value
    this.#events.answered(command)
  }

  /** The client hears no more of it. */
  abandon(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#env.enter(() => this.#connection?.closed())
    this.#events.lost()
  }

  pause(): void {}
  resume(): void {}
  end(sent: () => void): void {
    sent()
  }
  destroy(): void {
    this.#connection?.closed()
    this.abandon()
  }
}

function encoded(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`
}
