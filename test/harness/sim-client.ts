/**
 * sim-client.ts: a client of a simulated region: the real connection code, and a socket made of nothing.
 *
 * For each command it keeps what the checkers ask about: the op it became, what the node had applied when
 * it ran, and whether, when and how it was answered. A command counts as answered when its reply has left
 * the node.
 */
import { Session } from '../../region-node/commands/session.ts'
import type { NodeCore } from '../../region-node/core.ts'
import { type Reply, ReplyParser } from '../../region-node/resp/parse-reply.ts'
import { type ClientLimits, type ClientSocket, Connection } from '../../region-node/server/connection.ts'
import { NO_OUTPUT_LIMITS } from './no-output-limits.ts'
import type { SimNode } from './sim-node.ts'

/** A moment at which a node ran a command. */
export interface Ran {
  readonly db: number
  /** What the node had applied, by origin id. */
  readonly applied: ReadonlyMap<string, number>
  /** Under which it minted. */
  readonly origin: string
  /** What it went by to tell which keys were due, milliseconds since the Unix epoch. */
  readonly nowMs: number
  /** The commands that the client had queued, when it was between MULTI and EXEC. */
  readonly queue: readonly (readonly string[])[] | undefined
  /** The client had asked to be told of changes to keys. */
  readonly isWatching: boolean
  /** It took no writes: it lacked what others had, or its disk was full. */
  readonly isShut: boolean
}

export interface SentCommand {
  readonly node: string
  readonly words: readonly string[]
  readonly sentMs: number
  /** The op it minted. */
  dot: { readonly origin: string; readonly seq: number } | undefined
  /** What its node had applied, and could keep, when it had run; undefined when it never ran. */
  seen: ReadonlyMap<string, number> | undefined
  answeredMs: number | undefined
  reply: Reply | undefined
  /** Right before it ran. */
  ran: Ran | undefined
  /** Right after its wait for a key, if it had to wait. */
  waited: Ran | undefined
}

const LIMITS: ClientLimits = {
  bulkBytesMax: 1024 * 1024,
  queryBytesMax: 1024 * 1024,
  wordsMax: 1024,
  output: NO_OUTPUT_LIMITS,
  idleSecondsMax: 0,
}

export class SimClient implements ClientSocket {
  readonly writableLength = 0
  readonly #node: SimNode
  readonly #answered: (command: SentCommand) => void
  #connection: Connection | undefined
  #parser = new ReplyParser()
  /** Sent and not answered, oldest first. */
  #open: SentCommand[] = []
  /** Of those, how many have run. */
  #ranCount = 0

  constructor(node: SimNode, answered: (command: SentCommand) => void) {
    this.#node = node
    this.#answered = answered
  }

  get isIdle(): boolean {
    return this.#open.length === 0
  }

  /** Nothing was sent on its connection yet. */
  get isFresh(): boolean {
    return this.#connection === undefined
  }

  /** The wall clock of its region; undefined when the node is down. */
  get wallMs(): number | undefined {
    return this.#node.env?.wallMs()
  }

  isOf(node: SimNode): boolean {
    return node === this.#node
  }

  /** Sends commands in one piece. @returns what became of them, as far as it is known yet; empty when the node is down */
  send(commands: readonly (readonly string[])[]): SentCommand[] {
    const { core, env } = this.#node
    if (core === undefined || env === undefined || !this.#node.isServing) return []
    const sentMs = env.monoMs()
    const sent = commands.map(
      (words): SentCommand => ({
        node: this.#node.name,
        words,
        sentMs,
        dot: undefined,
        seen: undefined,
        answeredMs: undefined,
        reply: undefined,
        ran: undefined,
        waited: undefined,
      }),
    )
    this.#open.push(...sent)
    this.#connection ??= this.#connect()
    this.#connection.receive(Buffer.from(commands.map(encoded).join(''), 'latin1'))
    return sent
  }

  #connect(): Connection {
    const core = this.#node.core!
    const env = this.#node.env!
    const execute = (session: Session, words: readonly string[]) => {
      const { origin } = core.engine
      const before = core.applied.get(origin)
      const ran = this.#momentOf(core, session)
      core.execute(session, words)
      if (this.#node.core !== core) return
      // Held back: it is run again.
      if (session.postponed !== undefined) return
      const command = this.#open[this.#ranCount++]!
      command.ran = ran
      // What clients that wait for its key do then are further ops.
      if (core.applied.get(origin) > before) command.dot = { origin: origin.id, seq: before + 1 }
      command.seen = promisedBy(core, this.#node.vector)
    }
    const sink = {
      open: (session: Session) => core.open(session),
      execute,
      close: (session: Session) => core.close(session),
    }
    const session = new Session(1, '10.0.0.1:1', '10.0.0.2:6379', env.wallMs())
    const connection = new Connection(this, session, {
      env,
      sink,
      turn: core,
      limits: LIMITS,
      traffic: { inputBytes: 0, outputBytes: 0 },
      log: { warn() {} },
    })
    this.#watchWaits(core, session)
    return connection
  }

  /** Who waits for a key runs no further command: the wait that ends is that of the one that ran last. */
  #watchWaits(core: NodeCore, session: Session): void {
    const { resume } = session
    session.resume = () => {
      const command = this.#open[this.#ranCount - 1]
      if (command !== undefined && session.postponed === undefined)
        command.waited = this.#momentOf(core, session)
      resume()
    }
  }

  #momentOf(core: NodeCore, { db, queue, watched }: Session): Ran {
    return {
      db,
      applied: this.#node.vector,
      origin: core.origin.id,
      nowMs: core.engine.clock.read(),
      queue,
      isWatching: watched.length > 0,
      isShut: core.engine.refusal !== undefined || core.log.isFull,
    }
  }

  write(text: string): void {
    const { env } = this.#node
    this.#parser.feed(text)
    for (let reply = this.#parser.next(); reply !== undefined; reply = this.#parser.next()) {
      const command = this.#open.shift()!
      this.#ranCount--
      command.answeredMs = env?.monoMs()
      // The disk may have been found full between the command and its answer.
      command.seen = promisedBy(this.#node.core, command.seen)
      command.reply = reply.value
      this.#answered(command)
    }
  }

  /** The connection is lost; what was not answered stays so. */
  lose(): void {
    const connection = this.#connection
    this.#connection = undefined
    connection?.closed()
    this.#parser = new ReplyParser()
    this.#open = []
    this.#ranCount = 0
  }

  pause(): void {}
  resume(): void {}
  end(sent: () => void): void {
    sent()
  }
  destroy(): void {
    this.lose()
  }
}

/** While the disk is full a read may show what is not written yet, and promises no more than is durable. */
function promisedBy<Seen>(core: NodeCore | undefined, seen: Seen): Seen | Map<string, number> {
  return core?.log.isFull === true ? new Map(core.durable.toWire()) : seen
}

function encoded(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`
}
