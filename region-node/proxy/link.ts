/**
 * link.ts: one client's connection to one node: commands out, replies back, in order.
 *
 *   dialing ──connected──> greeting ──session words answered──> open ──> gone
 *      └───────────────────── closed ──────────────────────────────────────┘
 *
 * The words that say who the client is come first, and nothing is sent before the node has taken them all: a command
 * must not run as somebody else. A node that refuses one refuses everything.
 *
 * What nobody asked for (messages, invalidations, what MONITOR shows) is told apart from replies and given to
 * `heard`, whole.
 *
 * Invariants: (1) each order ends once: answered to its last piece, or lost. (2) An order that is lost with
 * `wasSent` false was certainly not executed.
 */
import { NotResp, type ReplyPiece, ReplySplitter } from '../resp/reply-splitter.ts'
import { requestText } from '../resp/request.ts'
import type { Answer } from './answers.ts'
import { confirmationIn, isMessage, isMonitorLine, Subscriptions } from './subscriptions.ts'
import type { UpstreamEvents, UpstreamSocket } from './upstream.ts'

/** Who waits for the reply to an order. */
export interface ReplySink {
  /** The reply of the client that it is part of. Undefined: it is none of the client's. */
  readonly answer: Answer | undefined
  /** A part of the reply, in order. */
  add(piece: ReplyPiece): void
  /** There will be no reply, or no more of it. @param wasSent  the node may have executed it */
  lost(wasSent: boolean): void
}

/** Who looks at what becomes of an order before its sink hears of it. */
export interface OrderOwner {
  answered(order: Order, piece: ReplyPiece): void
  lost(order: Order, wasSent: boolean): void
}

/** Nobody does. */
export const NO_OWNER: OrderOwner = {
  answered: ({ to }, piece) => to.add(piece),
  lost: ({ to }, wasSent) => to.lost(wasSent),
}

/** A command on its way to a node. */
export class Order {
  readonly request: string
  readonly to: ReplySink
  readonly owner: OrderOwner
  /** Replies that come before its own: to what had to be said first. Nobody wants them. */
  readonly skips: number
  /** For a command that listens: how many confirmations are its reply; 0: it is no such command. */
  readonly confirmations: number

  /** Another node may be asked when this one did not do it. */
  readonly isRepeatable: boolean

  constructor(
    request: string,
    to: ReplySink,
    { owner = NO_OWNER, skips = 0, confirmations = 0, isRepeatable = false }: OrderOptions = {},
  ) {
    this.request = request
    this.to = to
    this.owner = owner
    this.isRepeatable = isRepeatable
    this.skips = skips
    this.confirmations = confirmations
  }
}

type OrderOptions = Partial<Pick<Order, 'owner' | 'skips' | 'confirmations' | 'isRepeatable'>>

export interface LinkParts {
  readonly dial: (events: UpstreamEvents) => UpstreamSocket
  /** What the node is told first: asked for when it is connected. */
  readonly words: () => readonly (readonly string[])[]
  readonly defer: (task: () => void) => void
  /** Something that nobody asked for. */
  readonly heard: (text: string) => void
  /** Replies were handed out: whoever waited for that may go on. */
  readonly moved: () => void
  /** It is gone, and its orders are lost already. */
  readonly ended: (link: Link) => void
}

export class Link {
  readonly subscriptions = new Subscriptions()
  /** MONITOR is on. */
  isMonitor = false
  readonly #parts: LinkParts
  readonly #socket: UpstreamSocket
  readonly #splitter = new ReplySplitter()
  #state: 'dialing' | 'greeting' | 'open' | 'gone' = 'dialing'
  /** Orders not sent yet; those with a reply to come. */
  #waiting: Order[] = []
  #sent: Order[] = []
  #sentFrom = 0
  /** Replies, or confirmations, that the oldest order has had. */
  #repliesOfFirst = 0
  #greetings = 0
  /** Why the node takes no commands: its own words. */
  #refusal: string | undefined = undefined
  #outgoing = ''
  /** What came of something that is only looked at whole. */
  #whole = ''
  #isReading = true

  constructor(parts: LinkParts) {
    this.#parts = parts
    this.#socket = parts.dial({
      connected: () => this.#connected(),
      received: (text) => this.#received(text),
      closed: () => this.#closed(),
    })
  }

  /** The order that is being answered. */
  get first(): Order | undefined {
    return this.#sent[this.#sentFrom]
  }

  send(order: Order): void {
    if (this.#refusal !== undefined) {
      order.owner.answered(order, { text: this.#refusal, isFirst: true, isLast: true })
    } else if (this.#state === 'open') {
      this.#sent.push(order)
      this.#write(order.request)
    } else {
      this.#waiting.push(order)
    }
  }

  /** The client has said something else of itself, which is among its words from now on. Nothing is underway. */
  tell(words: readonly string[]): void {
    if (this.#state === 'dialing' || this.#state === 'gone') return
    this.#refusal = undefined
    this.#greet(words)
  }

  /** Replies are taken, or left to the network's own flow control. */
  set isReading(wanted: boolean) {
    if (wanted === this.#isReading || this.#state === 'gone') return
    this.#isReading = wanted
    if (wanted) this.#socket.resume()
    else this.#socket.pause()
  }

  /** Its node is not waited for any more: what was sent there is lost. */
  cut(): void {
    this.#socket.destroy()
    this.#closed()
  }

  /** The client is gone, or has no use for it. Nobody hears of it any more. */
  close(): void {
    if (this.#state === 'gone') return
    this.#state = 'gone'
    this.#socket.destroy()
  }

  #connected(): void {
    if (this.#state === 'gone') return
    for (const words of this.#parts.words()) this.#greet(words)
    if (this.#greetings === 0) this.#open()
  }

  #greet(words: readonly string[]): void {
    const order = new Order(requestText(words), this.#greeter)
    this.#state = 'greeting'
    this.#greetings++
    this.#sent.push(order)
    this.#write(order.request)
  }

  readonly #greeter: ReplySink = {
    answer: undefined,
    add: ({ text, isFirst, isLast }) => {
      if (isFirst && text[0] === '-') this.#refusal = text
      if (isLast && --this.#greetings === 0) this.#open()
    },
    lost: () => {},
  }

  #open(): void {
    this.#state = 'open'
    const waiting = this.#waiting
    this.#waiting = []
    for (const order of waiting) this.send(order)
  }

  /** What one turn has for the node leaves in one piece. */
  #write(text: string): void {
    if (this.#outgoing === '') {
      this.#parts.defer(() => {
        const outgoing = this.#outgoing
        this.#outgoing = ''
        if (this.#state !== 'gone') this.#socket.write(outgoing)
      })
    }
    this.#outgoing += text
  }

  #received(text: string): void {
    this.#splitter.feed(text)
    try {
      // Whoever is answered may close it.
      while (this.#state !== 'gone') {
        const piece = this.#splitter.next()
        if (piece === undefined) break
        this.#take(piece)
      }
    } catch (error) {
      if (!(error instanceof NotResp || error instanceof RangeError)) throw error
      // Nonsense, or a reply beyond the longest string.
      this.cut()
      return
    }
    this.#parts.moved()
  }

  #take(piece: ReplyPiece): void {
    const order = this.first
    const mayBeUnasked = order === undefined || order.confirmations > 0 || this.isMonitor || this.#isListening
    if (!mayBeUnasked && this.#whole === '' && !(piece.isFirst && piece.text[0] === '>')) {
      this.#answer(order, piece)
      return
    }
    this.#whole += piece.text
    if (!piece.isLast) return
    const text = this.#whole
    this.#whole = ''
    this.#takeWhole(text, order)
  }

  get #isListening(): boolean {
    return this.subscriptions.count > 0
  }

  #takeWhole(text: string, order: Order | undefined): void {
    const confirmation = confirmationIn(text)
    if (confirmation !== undefined) this.subscriptions.heed(confirmation)
    if (confirmation !== undefined && order !== undefined && order.confirmations > 0) {
      this.#confirm(order, text)
      return
    }
    const isUnasked =
      order === undefined ||
      text[0] === '>' ||
      confirmation !== undefined ||
      (this.#isListening && isMessage(text)) ||
      (this.isMonitor && isMonitorLine(text))
    if (isUnasked) this.#parts.heard(text)
    else this.#answer(order, { text, isFirst: true, isLast: true })
  }

  #confirm(order: Order, text: string): void {
    const isFirst = this.#repliesOfFirst === 0
    this.#repliesOfFirst++
    const isLast = this.#repliesOfFirst === order.confirmations
    if (isLast) this.#firstIsDone()
    order.owner.answered(order, { text, isFirst, isLast })
  }

  #answer(order: Order, piece: ReplyPiece): void {
    if (this.#repliesOfFirst < order.skips) {
      if (piece.isLast) this.#repliesOfFirst++
      return
    }
    if (piece.isLast) this.#firstIsDone()
    order.owner.answered(order, piece)
  }

  #firstIsDone(): void {
    this.#repliesOfFirst = 0
    this.#sentFrom++
    if (this.#sentFrom < this.#sent.length) return
    this.#sent = []
    this.#sentFrom = 0
  }

  #closed(): void {
    if (this.#state === 'gone') return
    this.#state = 'gone'
    const sent = this.#sent.slice(this.#sentFrom)
    const waiting = this.#waiting
    this.#sent = []
    this.#sentFrom = 0
    this.#waiting = []
    for (const order of sent) order.owner.lost(order, true)
    for (const order of waiting) order.owner.lost(order, false)
    this.#parts.ended(this)
  }
}
