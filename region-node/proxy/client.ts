/**
 * client.ts: one client of the proxy: its commands go to the nodes that serve them, and their replies come back in
 * the order of the commands.
 *
 *   words → whose are they (`plan.ts`) → lane of the partition, or this node → link → node
 *   reply → joined where several were asked (`join.ts`) → in order (`answers.ts`) → client
 *
 * The client has a connection of its own to each node that it needs, opened when it first does, so that what holds
 * for a connection (who it is, RESP3, transactions, tracking) is the node's affair and means what it means there. What
 * it says of itself is said on each of them. The one to this node is always there: it is what CLIENT LIST shows.
 *
 * Commands are pipelined as they come. They wait, unread, only
 *   - behind one that says something of the connection, and while others are under way before such a one;
 *   - behind one that may block, if they are for another node;
 *   - while too much is under way, or the client does not read.
 *
 * A connection that holds what the client believes to hold (a WATCH, a subscription, tracking) is never made anew
 * behind its back: the client is disconnected, as by a server that went down.
 */
import type { ClusterView } from '../cluster/cluster-view.ts'
import { primaryOf } from '../cluster/redirect.ts'
import { type ClusterNode, partitionOf } from '../cluster/topology.ts'
import { requestOf } from '../commands/access.ts'
import { reply as setReplyMode } from '../commands/client.ts'
import type { Session } from '../commands/session.ts'
import type { CommandTable, FoundCommand } from '../commands/table.ts'
import { MAY_SUBSCRIBER } from '../engine/dispatcher.ts'
import { slotOf } from '../engine/slot.ts'
import type { Env } from '../env.ts'
import { CommandError, errors } from '../errors.ts'
import { ReplyWriter } from '../resp/reply.ts'
import { requestText } from '../resp/request.ts'
import { type Answer, Answers } from './answers.ts'
import { Lane } from './lane.ts'
import { Link, NO_OWNER, Order, type ReplySink } from './link.ts'
import { type Layout, planOf, type Spread, type Target } from './plan.ts'
import type { SeenScripts } from './seen-scripts.ts'
import { AnswerSink, JointReply, WordSink } from './sinks.ts'
import { type ListenKind, verbOf } from './subscriptions.ts'
import { Transaction } from './transaction.ts'
import type { Dial, UpstreamEvents, UpstreamSocket } from './upstream.ts'

/** Commands of one client under way, and bytes of them, beyond which it is not read from. */
export const COMMANDS_MAX = 4096
export const ASKED_BYTES_MAX = 1024 * 1024
/** Bytes of replies kept for their turn, beyond which only the node is read from whose turn it is. */
export const KEPT_BYTES_MAX = 1024 * 1024
/** What a client says of itself is kept to be said again: the last so many things. */
const WORDS_MAX = 64

/** The connection to this node, which is in this process. */
export interface Home extends UpstreamSocket {
  /** What the node knows of the client. */
  readonly session: Pick<Session, 'user' | 'out' | 'tracking'>
}

export interface ProxyParts {
  readonly table: CommandTable
  readonly cluster: Pick<ClusterView, 'topology'>
  /** How many there are, before the topology says so. */
  readonly partitions: number
  /** Of all its clients. */
  readonly scripts: SeenScripts
  readonly env: Pick<Env, 'after' | 'defer' | 'random'>
  readonly dial: Dial
  /** Undefined: the node takes no more clients. */
  readonly home: (session: Session, events: UpstreamEvents) => Home | undefined
}

export class ProxyClient {
  readonly #session: Session
  readonly #parts: ProxyParts
  readonly #answers: Answers
  readonly #homeLink: Link
  #home: Home | undefined = undefined
  /** To other nodes, by address. */
  readonly #links = new Map<string, Link>()
  readonly #lanes = new Map<number, Lane>()
  readonly #transaction: Transaction
  /** What it has said of itself, in the order in which it last said so; by the request. */
  readonly #words = new Map<string, readonly string[]>()
  /** A command that concerns the connection is under way: nothing else may be. */
  #isAlone = false
  /** The last command that may block, and where. */
  #blocking: { readonly answer: Answer; readonly target: Target } | undefined = undefined
  /** Where which script was loaded for it. */
  readonly #loaded = new Set<string>()
  /** CLIENT CACHING, for the next command. */
  #caching = ''
  #askedBytes = 0
  #isFull = false
  /** Some links may not be read from. */
  #isSteered = false
  #isGone = false
  readonly #held = { cancel: () => {} }

  constructor(session: Session, parts: ProxyParts) {
    this.#session = session
    this.#parts = parts
    this.#answers = new Answers((text) => session.out.raw(text))
    this.#transaction = new Transaction({
      layout: () => this.#layout,
      link: (target) => this.#linkFor(target),
      say: (text) => this.#say(text),
      ask: ({ target, link }, request, skips) => {
        this.#sendOn(target, link, this.#order(request, this.#relay(request), target, { skips }))
        this.#caching = ''
      },
      tell: ({ target, link }, request) =>
        this.#sendOn(target, link, this.#order(request, NOBODY, target, {})),
    })
    this.#homeLink = this.#link((events) => {
      this.#home = parts.home(session, events)
      return this.#home ?? NOWHERE
    })
    if (this.#home === undefined) this.#end(errors.maxClients)
    else session.user = this.#homeSession.user
  }

  get #homeSession(): Home['session'] {
    return this.#home!.session
  }

  /** Replies are still to come. */
  get isBusy(): boolean {
    return this.#answers.count > 0 || this.#session.postponed !== undefined
  }

  execute(words: readonly string[]): void {
    try {
      if (!this.#take(words)) this.#hold(words)
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      this.#say(`-${error.line}\r\n`)
    }
  }

  /** The client does not read, or reads again. */
  fills(isFull: boolean): void {
    this.#isFull = isFull
    this.#steer()
  }

  /** Somebody else may be primary. */
  topologyChanged(): void {
    this.#loaded.clear()
    for (const lane of this.#lanes.values()) lane.look()
    this.#moved()
  }

  /** Nothing comes from that node, and nothing gets there: what was sent is answered as lost. */
  nodeSilent(nodeId: string): void {
    for (const [name, link] of [...this.#links]) if (name.startsWith(`${nodeId} `)) link.cut()
  }

  /** The client is gone. */
  close(): void {
    this.#isGone = true
    for (const lane of this.#lanes.values()) lane.close()
    for (const link of this.#allLinks) link.close()
  }

  get #allLinks(): Link[] {
    return [this.#homeLink, ...this.#links.values()]
  }

  get #layout(): Layout {
    const { topology } = this.#parts.cluster
    if (topology === undefined) return { partitions: this.#parts.partitions, isPrimary: true }
    return { partitions: topology.partitions, isPrimary: topology.self.role === 'primary' }
  }

  // Commands

  /** @returns false: not yet. @throws CommandError what the client is told */
  #take(words: readonly string[]): boolean {
    if (this.#isAlone || this.#answers.count >= COMMANDS_MAX || this.#askedBytes > ASKED_BYTES_MAX)
      return false
    const command = this.#find(words)
    this.#session.lastCommand = command.name
    if (command.group === 'cluster') throw this.#brokenBy(errors.clusterOff)
    if (command.name === 'quit' || command.name === 'reset') return this.#leave(command.name, words)
    if (this.#transaction.isOpen) return this.#transaction.take(command, words)
    if (this.#isListening && this.#session.out.protocol === 2 && !MAY_SUBSCRIBER.has(command.name))
      throw errors.onlySubscriber(command.name)
    if (command.isOfConnection) return this.#sayOfItself(command, words)
    return this.#special(command, words) ?? this.#ask(command, words)
  }

  #find(words: readonly string[]): FoundCommand {
    try {
      return this.#parts.table.find(words)
    } catch (error) {
      this.#transaction.break()
      throw error
    }
  }

  #brokenBy(error: CommandError): CommandError {
    this.#transaction.break()
    return error
  }

  /** What needs more than a place to go. @returns undefined for all other commands */
  #special(command: FoundCommand, words: readonly string[]): boolean | undefined {
    switch (command.name) {
      case 'multi':
        return this.#begin(command, words)
      case 'watch':
        return this.#transaction.watch(command, words)
      case 'unwatch':
        return this.#transaction.unwatch(words)
      case 'monitor':
        return this.#monitor(words)
      case 'client|reply':
        return this.#replyMode(words)
      case 'client|caching':
        return this.#cache(words)
      default:
        return verbOf(command.name) === undefined ? undefined : this.#listen(command, words)
    }
  }

  #ask(command: FoundCommand, words: readonly string[]): boolean {
    const plan = planOf(command, words, this.#layout)
    const target = typeof plan === 'object' ? undefined : plan
    const blocking = this.#blocking
    if (blocking !== undefined) {
      if (!blocking.answer.isDone && blocking.target !== target) return false
      this.#blocking = undefined
    }
    if (command.name === 'script|load') this.#parts.scripts.saw(words[2]!)
    if (command.name === 'script|flush') this.#parts.scripts.forget()
    if (typeof plan === 'object') {
      this.#askSeveral(plan)
      return true
    }
    const request = requestText(words)
    const sink = this.#relay(request)
    const load = this.#loadBefore(command, words, plan)
    const skips = load === '' ? 0 : 1
    this.#send(plan, this.#order(load + request, sink, plan, { skips, isRepeatable: true }))
    if (command.flags.includes('blocking')) this.#blocking = { answer: sink.answer, target: plan }
    this.#caching = ''
    return true
  }

  /** A node is sent the script that it is to know by its SHA1, as a single server would. */
  #loadBefore({ name }: FoundCommand, words: readonly string[], target: Target): string {
    const { scripts } = this.#parts
    if (name === 'eval' || name === 'eval_ro') scripts.saw(words[1]!)
    if (name !== 'evalsha' && name !== 'evalsha_ro') return ''
    const place = `${scripts.generation} ${target} ${words[1]}`
    const text = this.#loaded.has(place) ? undefined : scripts.textOf(words[1]!)
    if (text === undefined) return ''
    this.#loaded.add(place)
    return requestText(['SCRIPT', 'LOAD', text])
  }

  #askSeveral({ questions, join }: Spread): void {
    const answer = this.#answers.open(this.#isSilent())
    const whole = (texts: readonly string[]): void =>
      this.#answers.add(answer, join(texts, this.#parts.env.random), true)
    const joint = new JointReply(questions.length, whole)
    for (const [i, { target, words }] of questions.entries()) {
      const request = requestText(words)
      this.#askedBytes += request.length
      const done = (): void => {
        this.#askedBytes -= request.length
      }
      this.#send(target, this.#order(request, joint.part(i, answer, done), target, REPEATABLE))
    }
    this.#caching = ''
  }

  /** A sink for the reply to one command, as it comes. */
  #relay(request: string): AnswerSink {
    this.#askedBytes += request.length
    return new AnswerSink(this.#answers, this.#answers.open(this.#isSilent()), {
      done: () => {
        this.#askedBytes -= request.length
      },
      torn: () => this.#end(),
    })
  }

  /** An order, behind CLIENT CACHING where that was said. */
  #order(
    request: string,
    to: ReplySink,
    target: Target,
    { skips = 0, isRepeatable = false }: { skips?: number; isRepeatable?: boolean },
  ): Order {
    const isCaching = this.#caching !== ''
    return new Order(isCaching ? this.#caching + request : request, to, {
      owner: target === 'here' ? NO_OWNER : this.#lane(target),
      skips: isCaching ? skips + 1 : skips,
      isRepeatable,
    })
  }

  #send(target: Target, order: Order): void {
    if (target === 'here') this.#homeLink.send(order)
    else this.#lane(target).send(order)
  }

  #sendOn(target: Target, link: Link, order: Order): void {
    if (target === 'here') link.send(order)
    else this.#lane(target).sendOn(link, order)
  }

  /** Answers at once, when it is its turn. */
  #say(text: string): void {
    this.#answers.add(this.#answers.open(this.#isSilent()), text, true)
  }

  /** CLIENT REPLY. */
  #isSilent(): boolean {
    const { replyMode } = this.#session
    if (replyMode === 'skip-this') this.#session.replyMode = 'on'
    return replyMode !== 'on'
  }

  // What concerns the connection

  /** What it says of itself: this node decides, and the others are told when it has agreed. */
  #sayOfItself(command: FoundCommand, words: readonly string[]): boolean {
    const isTracking = command.name === 'client|tracking'
    if (isTracking && this.#layout.partitions > 1 && words.some((word) => word.toLowerCase() === 'redirect'))
      throw errors.trackingRedirect
    return this.#alone(words, (reply) => {
      if (reply[0] === '-') return
      this.#agree()
      const request = requestText(words)
      this.#words.delete(request)
      this.#words.set(request, words)
      if (this.#words.size > WORDS_MAX) this.#words.delete(this.#words.keys().next().value!)
      for (const link of this.#links.values()) link.tell(words)
    })
  }

  /** This node knows best. */
  #agree(): void {
    this.#session.user = this.#homeSession.user
    this.#session.out.protocol = this.#homeSession.out.protocol
  }

  /** Asks this node, with nothing else under way. @param then  what follows from the reply, before the client has it */
  #alone(
    words: readonly string[],
    then: (reply: string) => void,
    confirmations = 0,
    link = this.#homeLink,
  ): boolean {
    if (this.#answers.count > 0) return false
    this.#isAlone = true
    const answer = this.#answers.open(this.#isSilent())
    const sink = new WordSink(answer, (reply) => {
      this.#isAlone = false
      then(reply)
      this.#answers.add(answer, reply, true)
    })
    link.send(new Order(requestText(words), sink, { confirmations }))
    return true
  }

  #leave(name: 'quit' | 'reset', words: readonly string[]): boolean {
    if (this.#answers.count > 0) return false
    if (name === 'quit') {
      this.#say('+OK\r\n')
      this.#end()
      return true
    }
    return this.#alone(words, (reply) => {
      if (reply[0] === '-') return
      this.#agree()
      this.#words.clear()
      this.#transaction.reset()
      this.#caching = ''
      this.#homeLink.isMonitor = false
      this.#session.isMonitor = false
      this.#session.replyMode = 'on'
      this.#homeLink.subscriptions.clear()
      this.#countSubscriptions()
      // What nobody waits for may be under way: the DISCARD of a broken transaction.
      for (const lane of this.#lanes.values()) lane.close()
      this.#lanes.clear()
      for (const link of this.#links.values()) link.close()
      this.#links.clear()
    })
  }

  /** Who may not run MULTI is told so by the node, and at once. */
  #begin(command: FoundCommand, words: readonly string[]): boolean {
    const { user } = this.#session
    const mayBegin = user !== undefined && user.denies(requestOf(command, words)) === undefined
    return mayBegin ? this.#transaction.begin() : this.#ask(command, words)
  }

  #monitor(words: readonly string[]): boolean {
    return this.#alone(words, (reply) => {
      if (reply[0] === '-') return
      this.#homeLink.isMonitor = true
      this.#session.isMonitor = true
    })
  }

  #replyMode(words: readonly string[]): boolean {
    const out = new ReplyWriter()
    setReplyMode({ session: this.#session, out }, words)
    if (this.#session.replyMode === 'skip-next') this.#session.replyMode = 'skip-this'
    else if (out.length > 0) this.#say(out.take())
    return true
  }

  /** It holds for the next command, wherever that goes; this node, which was asked, must forget it then. */
  #cache(words: readonly string[]): boolean {
    return this.#alone(words, (reply) => {
      if (reply[0] === '-') return
      this.#caching = requestText(words)
      this.#homeLink.send(new Order(PING, NOBODY))
    })
  }

  /** Channels and patterns are heard at any node; shard channels at those of their partition. */
  #listen(command: FoundCommand, words: readonly string[]): boolean {
    const { kind, isLeaving } = verbOf(command.name)!
    if (this.#answers.count > 0) return false
    const link = kind === 'shard' ? this.#shardLink(words) : this.#homeLink
    if (link === undefined) return false
    const isOfAll = isLeaving && words.length === 1
    const confirmations = isOfAll ? Math.max(1, link.subscriptions.countOf(kind)) : words.length - 1
    return this.#alone(words, () => this.#countSubscriptions(), confirmations, link)
  }

  /** Undefined: not yet. @throws CommandError channels of different partitions, or nobody serves theirs */
  #shardLink(words: readonly string[]): Link | undefined {
    const [first] = words.slice(1)
    if (first === undefined) return this.#allLinks.find((link) => listensTo(link, 'shard')) ?? this.#homeLink
    const { partitions } = this.#layout
    const places = new Set(words.slice(1).map((name) => partitionOf(slotOf(name), partitions)))
    if (places.size > 1) throw errors.crossSlot
    const partition = partitionOf(slotOf(first), partitions)
    const isOwn = this.#parts.cluster.topology?.self.partition === partition
    return isOwn ? this.#homeLink : this.#linkFor(partition)
  }

  get #isListening(): boolean {
    return this.#session.subscriptions > 0
  }

  #countSubscriptions(): void {
    let count = 0
    for (const { subscriptions } of this.#allLinks) count += subscriptions.count
    this.#session.subscriptions = count
  }

  // Connections

  #lane(partition: number): Lane {
    const known = this.#lanes.get(partition)
    if (known !== undefined) return known
    const lane = new Lane({
      link: () => this.#primaryLink(partition),
      after: this.#parts.env.after,
      moved: () => this.#moved(),
    })
    this.#lanes.set(partition, lane)
    return lane
  }

  /** For what stays on one connection. Undefined: others are under way elsewhere. @throws CommandError there is none */
  #linkFor(target: Target): Link | undefined {
    if (target === 'here') return this.#homeLink
    if (this.#primaryLink(target) === undefined) throw errors.slotNotServed
    return this.#lane(target).open
  }

  #primaryLink(partition: number): Link | undefined {
    const { topology } = this.#parts.cluster
    if (topology === undefined) return this.#parts.partitions === 1 ? this.#homeLink : undefined
    const primary = primaryOf(topology, partition)
    if (primary === undefined) return undefined
    return primary.id === topology.self.id ? this.#homeLink : this.#linkTo(primary)
  }

  #linkTo(node: ClusterNode): Link {
    const name = `${node.id} ${node.host}:${node.port}:${node.tlsPort}`
    const known = this.#links.get(name)
    if (known !== undefined) return known
    const link = this.#link((events) => this.#parts.dial(node, events))
    this.#links.set(name, link)
    return link
  }

  #link(dial: (events: UpstreamEvents) => UpstreamSocket): Link {
    return new Link({
      dial,
      words: () => [...this.#words.values()],
      defer: this.#parts.env.defer,
      heard: (text) => {
        this.#answers.push(text)
        // A node may have dismissed a shard channel.
        if (this.#isListening) this.#countSubscriptions()
      },
      moved: () => this.#moved(),
      ended: (link) => this.#ended(link),
    })
  }

  /** A connection is gone. What was under way on it is lost, and answered so. */
  #ended(link: Link): void {
    if (this.#isGone) return
    this.#loaded.clear()
    for (const [name, one] of this.#links) if (one === link) this.#links.delete(name)
    const isMissed =
      link === this.#homeLink ||
      link.subscriptions.count > 0 ||
      this.#transaction.isOn(link) ||
      this.#homeSession.tracking !== undefined
    if (isMissed) this.#end()
    this.#moved()
  }

  /** The client is disconnected when it has what was written. */
  #end(why?: CommandError): void {
    if (why !== undefined) this.#session.out.error(why.line)
    this.#session.closing = true
    this.#session.resume()
  }

  // Flow

  #hold(words: readonly string[]): void {
    this.#session.postponed = words
    this.#session.blocked = this.#held
  }

  /** Something was answered, or there is room: what was held is tried again, and what was written is sent. */
  #moved(): void {
    if (this.#isGone) return
    const session = this.#session
    if (session.blocked === this.#held) session.blocked = undefined
    session.resume()
    this.#steer()
  }

  /** Whoever is not read from keeps what he has: the network's own flow control. */
  #steer(): void {
    const isKept = this.#answers.keptBytes > KEPT_BYTES_MAX
    if (!isKept && !this.#isFull && !this.#isSteered) return
    this.#isSteered = isKept || this.#isFull
    const due = this.#answers.first
    for (const link of this.#allLinks) {
      const answer = link.first?.to.answer
      link.isReading = !this.#isFull && (!isKept || answer === undefined || answer === due)
    }
  }
}

function listensTo({ subscriptions }: Link, kind: ListenKind): boolean {
  return subscriptions.countOf(kind) > 0
}

const PING = requestText(['PING'])
const REPEATABLE = { isRepeatable: true }

/** For replies that nobody wants. */
const NOBODY: ReplySink = { answer: undefined, add: () => {}, lost: () => {} }

/** A node that takes no more clients. */
const NOWHERE: UpstreamSocket = {
  write: () => {},
  pause: () => {},
  resume: () => {},
  destroy: () => {},
}
