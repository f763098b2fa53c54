/**
 * proxied-region.ts: the nodes of a region and a client of the proxy of one of them, in virtual time: engines without
 * logs behind real connections, whose bytes take a while, in pieces, as a seed says.
 *
 * Roles are what the test says; a replica has what `replicate` brings it.
 */
import type { ClusterNode, Topology } from '../../region-node/cluster/topology.ts'
import { commandTable } from '../../region-node/commands/families.ts'
import { Session } from '../../region-node/commands/session.ts'
import type { Env } from '../../region-node/env.ts'
import { homeAt } from '../../region-node/proxy/home.ts'
import { RegionProxy } from '../../region-node/proxy/proxy.ts'
import type { UpstreamEvents, UpstreamSocket } from '../../region-node/proxy/upstream.ts'
import { ReplySplitter } from '../../region-node/resp/reply-splitter.ts'
import { requestText } from '../../region-node/resp/request.ts'
import { type ClientSocket, type CommandSink, Connection } from '../../region-node/server/connection.ts'
import { clusterNode } from './fake-cluster.ts'
import { NO_OUTPUT_LIMITS } from './no-output-limits.ts'
import { Prng } from './prng.ts'
import { SimClock } from './sim-clock.ts'
import { TestEngine } from './test-engine.ts'

const LIMITS = {
  bulkBytesMax: 2 ** 26,
  queryBytesMax: 2 ** 27,
  wordsMax: 10_000,
  output: NO_OUTPUT_LIMITS,
  idleSecondsMax: 0,
}
const TRAVEL_MS_MAX = 3
const REPLIES_MS_MAX = 60_000

type SimEnv = Pick<Env, 'after' | 'defer' | 'random' | 'wallMs'>

/** One direction of a connection: bytes come in order, late, and cut anywhere. */
class Wire {
  readonly #clock: SimClock
  readonly #prng: Prng
  readonly #arrived: (text: string) => void
  #freeMs = 0
  isCut = false

  constructor(clock: SimClock, prng: Prng, arrived: (text: string) => void) {
    this.#clock = clock
    this.#prng = prng
    this.#arrived = arrived
  }

  send(text: string): void {
    for (let at = 0; at < text.length; ) {
      const end = this.#prng.chance(0.3) ? this.#prng.between(at + 1, text.length) : text.length
      const piece = text.slice(at, end)
      at = end
      this.#freeMs = Math.max(this.#freeMs, this.#clock.nowMs + this.#prng.random() * TRAVEL_MS_MAX)
      this.#clock.after(this.#freeMs - this.#clock.nowMs, () => {
        if (!this.isCut) this.#arrived(piece)
      })
    }
  }
}

export class ProxiedNode {
  readonly engine: TestEngine
  readonly connections = new Set<Connection>()
  /** Nobody gets through to it. */
  isDown = false
  readonly #env: SimEnv
  readonly #sink: CommandSink
  readonly #cuts = new Map<Connection, () => void>()
  readonly #mutes: (() => void)[] = []
  #lastId = 0

  constructor(number: number, env: SimEnv) {
    this.#env = env
    this.engine = new TestEngine(number, {
      region: 'here',
      infoSections: [],
      after: env.after,
      publish: () => {},
      snapshots: undefined!,
    })
    const { engine, access } = this.engine
    this.#sink = {
      open: (session) => {
        session.user = access.first
      },
      execute: (session, words) => engine.execute(session, words),
      close: (session) => engine.commands.release(session),
    }
  }

  become(topology: Topology): void {
    this.engine.services.topology = topology
    this.engine.engine.commands.topologyChanged(topology)
  }

  connection(socket: ClientSocket, told?: Session): Connection {
    const session = new Session(++this.#lastId, told?.address ?? 'proxy:1', 'node:1', 0)
    session.isProxied = told !== undefined
    const connection = new Connection(socket, session, {
      env: this.#env,
      sink: this.#sink,
      turn: { touch: (waiting) => this.#env.defer(() => waiting.flush()) },
      limits: LIMITS,
      traffic: { inputBytes: 0, outputBytes: 0 },
      log: { warn() {} },
    })
    this.connections.add(connection)
    return connection
  }

  leave(connection: Connection): void {
    this.connections.delete(connection)
    connection.closed()
  }

  /** As over a network. */
  accept(clock: SimClock, prng: Prng, events: UpstreamEvents): UpstreamSocket {
    let connection: Connection | undefined
    const requests = new Wire(clock, prng, (text) => connection?.receive(Buffer.from(text, 'latin1')))
    const replies = new Wire(clock, prng, (text) => events.received(text))
    const close = (): void => {
      if (requests.isCut) return
      requests.isCut = true
      replies.isCut = true
      const gone = connection
      connection = undefined
      if (gone !== undefined) {
        this.#cuts.delete(gone)
        this.leave(gone)
      }
      clock.after(0, () => events.closed())
    }
    this.#mutes.push(() => {
      requests.isCut = true
      replies.isCut = true
    })
    clock.after(prng.random() * TRAVEL_MS_MAX, () => {
      if (this.isDown) close()
      if (requests.isCut) return
      connection = this.connection({
        writableLength: 0,
        write: (text) => replies.send(text),
        pause: () => {},
        resume: () => {},
        end: (sent) => sent(),
        destroy: () => clock.after(0, close),
      })
      this.#cuts.set(connection, close)
      events.connected()
    })
    return { write: (text) => requests.send(text), pause: () => {}, resume: () => {}, destroy: close }
  }

  /** Its machine is gone: nobody is told anything, ever. */
  vanish(): void {
    this.isDown = true
    for (const mute of this.#mutes) mute()
  }

  /** All connections from elsewhere are lost, with what was on its way. */
  cut(): void {
    for (const close of [...this.#cuts.values()]) close()
  }
}

export class ProxiedRegion {
  readonly clock = new SimClock()
  readonly nodes: readonly ProxiedNode[]
  readonly proxy: RegionProxy
  readonly #prng: Prng
  readonly #env: SimEnv
  #members: readonly ClusterNode[]
  readonly #partitions: number
  /** As the node with the proxy sees it. */
  #topology: Topology

  /** @param members  what each node is; the first one has the proxy */
  constructor(seed: number, members: readonly Partial<ClusterNode>[], partitions: number) {
    this.#prng = new Prng(seed)
    this.#env = {
      after: (delayMs, task) => this.clock.after(delayMs, task),
      defer: (task) => {
        this.clock.after(0, task)
      },
      random: () => this.#prng.random(),
      wallMs: () => Math.floor(this.clock.nowMs),
    }
    this.#partitions = partitions
    this.#members = members.map((told, i) => clusterNode(i, told))
    this.nodes = members.map((_, i) => new ProxiedNode(i + 1, this.#env))
    this.#topology = this.#topologyOf(0)
    for (const i of this.nodes.keys()) this.tell(i)
    const region = this
    const [own] = this.nodes
    this.proxy = new RegionProxy({
      table: commandTable,
      cluster: {
        get topology() {
          return region.#topology
        },
      },
      partitions,
      env: this.#env,
      dial: ({ port }, events) => {
        const at = this.#members.findIndex((node) => node.port === port)
        return this.nodes[at]!.accept(this.clock, this.#prng, events)
      },
      home: (session, events) =>
        homeAt(
          {
            adopt: (socket) => own!.connection(socket, session),
            leave: (connection) => own!.leave(connection),
          },
          this.#env,
          session,
          events,
        ),
    })
  }

  #topologyOf(self: number): Topology {
    const nodes = [...this.#members].sort(
      (a, b) => a.partition - b.partition || Number(b.role === 'primary') - Number(a.role === 'primary'),
    )
    return { self: this.#members[self]!, nodes, partitions: this.#partitions, epoch: 1, isOpen: false }
  }

  /** A node hears of the roles that there are. */
  tell(node: number): void {
    this.nodes[node]!.become(this.#topologyOf(node))
    if (node !== 0) return
    this.#topology = this.#topologyOf(0)
    this.proxy?.topologyChanged()
  }

  /** Two members of a partition change places; nobody knows yet. */
  swapRoles(primary: number, replica: number): void {
    this.#members = this.#members.map((node, i) => {
      if (i === primary) return { ...node, role: 'replica' }
      return i === replica ? { ...node, role: 'primary' } : node
    })
  }

  replicate(from: number, to: number): void {
    this.nodes[to]!.engine.pullFrom(this.nodes[from]!.engine)
  }

  client(): ProxiedClient {
    return new ProxiedClient(this.clock, this.#env, this.proxy)
  }
}

export class ProxiedClient {
  readonly connection: Connection
  /** Whole replies as they came, one character per byte. */
  readonly replies: string[] = []
  isClosed = false
  /** Bytes that the client has not read, as its socket says. */
  unreadBytes = 0
  readonly #clock: SimClock
  readonly #splitter = new ReplySplitter()

  constructor(clock: SimClock, env: SimEnv, sink: CommandSink) {
    this.#clock = clock
    const isUnread = (): number => this.unreadBytes
    const socket: ClientSocket = {
      get writableLength() {
        return isUnread()
      },
      write: (text) => this.#read(text),
      pause: () => {},
      resume: () => {},
      end: (sent) => sent(),
      destroy: () => this.close(),
    }
    this.connection = new Connection(socket, new Session(1, 'client:1', 'proxy:1', 0), {
      env,
      sink,
      turn: { touch: (waiting) => env.defer(() => waiting.flush()) },
      limits: LIMITS,
      traffic: { inputBytes: 0, outputBytes: 0 },
      log: { warn() {} },
    })
  }

  #read(text: string): void {
    this.#splitter.feed(text)
    for (let piece = this.#splitter.next(); piece !== undefined; piece = this.#splitter.next()) {
      if (piece.isFirst) this.replies.push(piece.text)
      else this.replies[this.replies.length - 1] += piece.text
    }
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#clock.after(0, () => this.connection.closed())
  }

  send(...commands: readonly (readonly string[])[]): void {
    this.connection.receive(Buffer.from(commands.map(requestText).join(''), 'latin1'))
  }

  /** Sends commands at once and takes as many replies. */
  ask(...commands: readonly (readonly string[])[]): string[] {
    this.send(...commands)
    return this.take(commands.length)
  }

  take(count: number): string[] {
    this.#clock.advance(REPLIES_MS_MAX, () => this.replies.length >= count || this.isClosed)
    return this.replies.splice(0, count)
  }

  /** The same for one command in one line. */
  run(line: string): string {
    return this.ask(line.split(' '))[0] ?? ''
  }
}
