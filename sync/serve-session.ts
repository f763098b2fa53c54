/**
 * serve-session.ts: the end of a link that gives ops. See session.ts.
 *
 *   challenging --hello--> streaming --> ended
 *
 * Invariant: the server speaks first, with a nonce of its own, so that a recorded hello opens nothing.
 */

import type { WireVector } from '../crdt/version-vector.ts'
import {
  commonVersion,
  type Exchange,
  namingText,
  proofText,
  sameProof,
  wrongSecret,
  wrongVersion,
} from './handshake.ts'
import { type Hello, type Message, PROTOCOL_VERSION, PROTOCOL_VERSION_MIN } from './messages.ts'
import type { Identity } from './ports.ts'
import type { Reason } from './reason.ts'
import { type Action, type Judge, misplaced, receive, refuse, type SessionHost, send } from './session.ts'

export interface ServeTerms {
  readonly secret: string
  readonly judge: Judge
  /** Sync addresses of those that have what the puller looks for, when that is why it is refused. */
  elsewhere(why: Reason, puller: Identity): readonly string[]
  /** What this node has applied, as of now. */
  applied(): WireVector
  /** The op by which that region joined or came back. */
  joined(regionId: number): WireVector
}

export class ServeSession {
  readonly #host: SessionHost
  readonly #terms: ServeTerms
  readonly #nonce: string
  #phase: 'challenging' | 'streaming' | 'ended' = 'challenging'
  /** The puller is a node of this region. */
  #isReplica = false

  constructor(host: SessionHost, terms: ServeTerms) {
    this.#host = host
    this.#terms = terms
    this.#nonce = host.nonce()
  }

  get streaming(): boolean {
    return this.#phase === 'streaming'
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
    const { version, nonce: pullerNonce, identity: puller, frameBytesMax, nodes } = hello
    if (commonVersion(version, version) === undefined) {
      return refuse(wrongVersion(puller.region, `version ${version}`))
    }
    const { identity: server } = this.#host
    const exchange: Exchange = { version, serverNonce: this.#nonce, pullerNonce, server, puller }
    const { secret } = this.#terms
    if (!sameProof(hello.proof, this.#host.hmac(secret, proofText('puller', exchange)))) {
      return refuse(wrongSecret(server, puller))
    }
    const objection = this.#terms.judge(puller)
    if (objection !== undefined) return this.#turnAway(objection, exchange)
    this.#phase = 'streaming'
    this.#isReplica = puller.regionId === server.regionId
    const proof = this.#host.hmac(secret, proofText('server', exchange))
    return [
      send({
        type: 'welcome',
        proof,
        applied: this.#terms.applied(),
        joined: this.#terms.joined(puller.regionId),
      }),
      { do: 'accepted', peer: puller, frameBytesMax, nodes },
      { do: 'serve', wanted: hello },
    ]
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
