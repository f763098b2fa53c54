/**
 * serve-session.ts: the end of a link that accepts: it gives ops, or what is published. See session.ts.
 *
 *   challenging --hello--> streaming --> ended
 *               --hear---> speaking ---> ended
 *
 * Invariant: the server speaks first, with a nonce of its own, so that a recorded hello opens nothing.
 */

import type { WireVector } from '../crdt/version-vector.ts'
import {
  commonVersion,
  type Exchange,
  namingText,
  type ProofRole,
  proofText,
  sameProof,
  wrongSecret,
  wrongVersion,
} from './handshake.ts'
import {
  type Hear,
  type Hello,
  type Message,
  PROTOCOL_VERSION,
  PROTOCOL_VERSION_MIN,
  type Welcome,
} from './messages.ts'
import type { Identity } from './ports.ts'
import type { Hail } from './pull-session.ts'
import { type Reason, reason } from './reason.ts'
import { type Action, type Judge, misplaced, receive, refuse, type SessionHost, send } from './session.ts'

export interface ServeTerms {
  readonly secret: string
  readonly judge: Judge
  /** The same for a node that wants to hear what is published here. */
  readonly judgeHearer: Judge
  /** Sync addresses of those that have what the puller looks for, when that is why it is refused. */
  elsewhere(why: Reason, puller: Identity): readonly string[]
  /** What this node has applied, as of now. */
  applied(): WireVector
  /** The op by which that region joined or came back. */
  joined(regionId: number): WireVector
  /** That region was suspended here, or called back, and has not heard so. */
  isBehind(puller: Identity): boolean
}

export class ServeSession {
  readonly #host: SessionHost
  readonly #terms: ServeTerms
  readonly #nonce: string
  #phase: 'challenging' | 'streaming' | 'speaking' | 'ended' = 'challenging'
  /** The puller is a node of this region. */
  #isReplica = false

  constructor(host: SessionHost, terms: ServeTerms) {
    this.#host = host
    this.#terms = terms
    this.#nonce = host.nonce()
  }

  /** The handshake is done, and the link is not over. */
  get isOpen(): boolean {
    return this.#phase === 'streaming' || this.#phase === 'speaking'
  }

  /** The link is open: what to say first. */
  open(): readonly Action[] {
    return [
      send({
        type: 'challenge',
        versionMin: PROTOCOL_VERSION_MIN,
        versionMax: PROTOCOL_VERSION,
        nonce: this.#nonce,
        identity: this.#host.identity,
      }),
    ]
  }

  receive(bytes: Uint8Array): readonly Action[] {
    if (this.#phase === 'ended') return []
    const actions = receive(bytes, (message) => this.#answer(message))
    if (actions.some((action) => action.do === 'end')) this.#phase = 'ended'
    return actions
  }

  #answer(message: Message): readonly Action[] {
    if (message.type === 'refuse' || message.type === 'bye') {
      return [{ do: 'end', reason: { code: message.code, sentence: message.sentence } }]
    }
    if (this.#phase === 'challenging') {
      if (message.type === 'hello') return this.#welcome(message)
      if (message.type === 'hear') return this.#welcomeHearer(message)
    } else if (this.#phase === 'speaking') {
      if (message.type === 'pulse') return []
    } else {
      if (message.type === 'ack') return [{ do: 'credit', ack: message }]
      if (message.type === 'relay') return [{ do: 'serve', wanted: message }]
      if (message.type === 'fetch') return [{ do: 'fetch', fetch: message }]
      if (message.type === 'wish' && this.#isReplica) return [{ do: 'wish' }]
      if (message.type === 'tail' && this.#isReplica) return [{ do: 'rescue', bytes: message.bytes }]
    }
    throw misplaced(message)
  }

  #welcome(hello: Hello): readonly Action[] {
    const exchange = this.#exchangeWith(hello)
    const { identity: puller, frameBytesMax, nodes } = hello
    const stranger = this.#judgeProof(hello, 'puller', exchange)
    if (stranger !== undefined) return refuse(stranger)
    const objection = this.#terms.judge(puller)
    if (objection !== undefined) return this.#turnAway(objection, exchange)
    this.#phase = 'streaming'
    this.#isReplica = puller.regionId === exchange.server.regionId
    return [
      this.#letIn(exchange, {
        applied: this.#terms.applied(),
        joined: this.#terms.joined(puller.regionId),
        isBehind: this.#terms.isBehind(puller),
      }),
      { do: 'accepted', peer: puller, frameBytesMax, nodes },
      { do: 'serve', wanted: hello },
    ]
  }

  #welcomeHearer(hear: Hear): readonly Action[] {
    const exchange = this.#exchangeWith(hear)
    const { identity: peer } = hear
    const objection =
      this.#judgeProof(hear, 'hearer', exchange) ?? this.#terms.judgeHearer(peer) ?? this.#judgeName(hear)
    if (objection !== undefined) return refuse(objection)
    this.#phase = 'speaking'
    return [this.#letIn(exchange, { applied: [], joined: [], isBehind: false }), { do: 'heard', peer }]
  }

  #exchangeWith({ version, nonce: pullerNonce, identity: puller }: Hail): Exchange {
    return { version, serverNonce: this.#nonce, pullerNonce, server: this.#host.identity, puller }
  }

  /** What is wrong with the version or the proof of whoever dialed. */
  #judgeProof({ version, proof }: Hail, role: ProofRole, exchange: Exchange): Reason | undefined {
    const { puller, server } = exchange
    if (commonVersion(version, version) === undefined)
      return wrongVersion(puller.region, `version ${version}`)
    const expected = this.#host.hmac(this.#terms.secret, proofText(role, exchange))
    return sameProof(proof, expected) ? undefined : wrongSecret(server, puller)
  }

  /** A link in another node's name would take the place of the one in this node's own. */
  #judgeName({ nodeId }: Hear): Reason | undefined {
    const { identity: me } = this.#host
    if (nodeId === me.nodeId) return undefined
    return reason('superseded', `at the address of node ${nodeId} node ${me.nodeId} answers`)
  }

  #letIn(exchange: Exchange, said: Pick<Welcome, 'applied' | 'joined' | 'isBehind'>): Action {
    const proof = this.#host.hmac(this.#terms.secret, proofText('server', exchange))
    return send({ type: 'welcome', proof, ...said })
  }

  #turnAway(objection: Reason, exchange: Exchange): readonly Action[] {
    const nodes = this.#terms.elsewhere(objection, exchange.puller)
    if (nodes.length === 0) return refuse(objection)
    return refuse(objection, {
      nodes,
      proof: this.#host.hmac(this.#terms.secret, namingText(exchange, nodes)),
    })
  }
}
