/**
 * pull-session.ts: the end of a link that dials: it wants ops, or what is published. See session.ts.
 *
 *   greeting --challenge--> proving --welcome--> streaming --> ended
 *
 * Invariants: (1) the vector sent in the hello is read at that moment, not when dialing began. (2) The
 * server is trusted only after its own proof: a stranger at the peer's address gets ours, which fits
 * this one exchange, and can give nothing back.
 */

import {
  commonVersion,
  type Exchange,
  namingText,
  proofText,
  sameProof,
  wrongSecret,
  wrongVersion,
} from './handshake.ts'
import type { Challenge, Hear, Hello, Message, Refuse, Welcome } from './messages.ts'
import type { Identity } from './ports.ts'
import type { Reason } from './reason.ts'
import { type Action, bye, misplaced, receive, refuse, type SessionHost, send } from './session.ts'

type Phase =
  | { readonly name: 'greeting' }
  | { readonly name: 'proving'; readonly exchange: Exchange }
  | { readonly name: 'streaming' }
  | { readonly name: 'ended' }

export interface PullTerms {
  /** Whom this node looks for. */
  readonly region: string
  readonly secret: string
  /**
   * What forbids a link with that server, whose proof was right.
   * @param areBehind  it says that our region was suspended there, or called back, and has not heard so
   */
  judge(server: Identity, areBehind: boolean): Reason | undefined
  /** What this end is there for. */
  readonly greet: Greet
}

/** How a dialer says what it wants. */
export interface Greet {
  readonly role: 'puller' | 'hearer'
  /** The greeting as of now, around what proves who says it. */
  greeting(hail: Hail): Hello | Hear
}

/** What every greeting begins with. */
export type Hail = Pick<Hello, 'version' | 'nonce' | 'proof' | 'identity'>

export class PullSession {
  readonly #host: SessionHost
  readonly #terms: PullTerms
  #phase: Phase = { name: 'greeting' }

  constructor(host: SessionHost, terms: PullTerms) {
    this.#host = host
    this.#terms = terms
  }

  get streaming(): boolean {
    return this.#phase.name === 'streaming'
  }

  receive(bytes: Uint8Array): readonly Action[] {
    if (this.#phase.name === 'ended') return []
    const actions = receive(bytes, (message) => this.#answer(message))
    if (actions.some((action) => action.do === 'end')) this.#phase = { name: 'ended' }
    return actions
  }

  #answer(message: Message): readonly Action[] {
    if (message.type === 'refuse') return this.#refused(message)
    if (message.type === 'bye')
      return [{ do: 'end', reason: { code: message.code, sentence: message.sentence } }]
    switch (this.#phase.name) {
      case 'greeting':
        if (message.type === 'challenge') return this.#prove(message)
        break
      case 'proving':
        if (message.type === 'welcome') return this.#open(message, this.#phase.exchange)
        break
      case 'streaming':
        return this.#hear(message)
    }
    throw misplaced(message)
  }

  #hear(message: Message): readonly Action[] {
    if (this.#terms.greet.role === 'hearer') return hearSpread(message)
    switch (message.type) {
      case 'ops':
        return [{ do: 'take', bytes: message.bytes }]
      case 'status':
        return [{ do: 'learn', status: message }]
      case 'publish':
        return [{ do: 'tell', bytes: message.bytes }]
      case 'hurry':
        return [{ do: 'hurry', hurry: message }]
      case 'trimmed':
        return [{ do: 'trimmed' }]
      case 'lead':
        return [{ do: 'lead', term: message.term }]
      case 'snapshot-wait':
      case 'snapshot-begin':
      case 'snapshot-part':
      case 'snapshot-none':
        return [{ do: 'snapshot', message }]
      default:
        throw misplaced(message)
    }
  }

  #prove({ versionMin, versionMax, nonce: serverNonce, identity: server }: Challenge): readonly Action[] {
    const version = commonVersion(versionMin, versionMax)
    if (version === undefined) {
      return refuse(wrongVersion(server.region, `versions ${versionMin} to ${versionMax}`))
    }
    const { identity: puller } = this.#host
    const exchange: Exchange = { version, serverNonce, pullerNonce: this.#host.nonce(), server, puller }
    const { secret, greet } = this.#terms
    this.#phase = { name: 'proving', exchange }
    const proof = this.#host.hmac(secret, proofText(greet.role, exchange))
    return [send(greet.greeting({ version, nonce: exchange.pullerNonce, proof, identity: puller }))]
  }

  /** What a stranger names is not looked at, nor what a node of some other region does. */
  #refused({ code, sentence, named }: Refuse): readonly Action[] {
    const reason = { code, sentence }
    if (named === undefined || this.#phase.name !== 'proving') return [{ do: 'end', reason }]
    const { exchange } = this.#phase
    const expected = this.#host.hmac(this.#terms.secret, namingText(exchange, named.nodes))
    const isHeard = exchange.server.region === this.#terms.region && sameProof(named.proof, expected)
    return [isHeard ? { do: 'end', reason, nodes: named.nodes } : { do: 'end', reason }]
  }

  #open(welcome: Welcome, exchange: Exchange): readonly Action[] {
    const peer: Identity = exchange.server
    const expected = this.#host.hmac(this.#terms.secret, proofText('server', exchange))
    if (!sameProof(welcome.proof, expected)) return refuse(wrongSecret(this.#host.identity, peer))
    const objection = this.#terms.judge(peer, welcome.isBehind)
    if (objection !== undefined) return bye(objection)
    this.#phase = { name: 'streaming' }
    return [{ do: 'opened', peer, welcome }]
  }
}

function hearSpread(message: Message): readonly Action[] {
  if (message.type === 'spread') return [{ do: 'spread', bytes: message.bytes }]
  if (message.type === 'pulse') return []
  throw misplaced(message)
}
