/**
 * sessions.test.ts: handshakes as dialogues: accepted, refused by name, replayed, altered.
 */
import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { judgeNeighbour, judgePeer, sameProof } from '../../../sync/handshake.ts'
import {
  type ControlMessage,
  decodeMessage,
  encodeMessage,
  encodeOps,
  encodeSnapshotPart,
} from '../../../sync/messages.ts'
import type { Identity } from '../../../sync/ports.ts'
import { encodeSpread } from '../../../sync/publication.ts'
import { type Greet, PullSession } from '../../../sync/pull-session.ts'
import { type Reason, reason } from '../../../sync/reason.ts'
import { ServeSession } from '../../../sync/serve-session.ts'
import type { Action, SessionHost } from '../../../sync/session.ts'

function identity(region: string, regionId: number, change: Partial<Identity> = {}): Identity {
  const configuration = { databases: '16' }
  return {
    region,
    regionId,
    nodeId: `node-${region}`,
    partitions: 1,
    partition: 0,
    configuration,
    version: '0',
    epoch: 0,
    role: 'primary',
    term: 0,
    host: '',
    port: 0,
    ...change,
  }
}

function hostOf(who: Identity): SessionHost {
  let nonces = 0
  return {
    identity: who,
    hmac: (secret, message) => createHmac('sha256', secret).update(message).digest('hex'),
    nonce: () => `${who.nodeId}-${++nonces}`,
  }
}

const accept = (): Reason | undefined => undefined
const PULLER: Greet = {
  role: 'puller',
  greeting: (hail) => ({ type: 'hello', ...hail, frameBytesMax: 1000, vector: [], relay: [], nodes: [] }),
}
const hears = (nodeId: string): Greet => ({
  role: 'hearer',
  greeting: (hail) => ({ type: 'hear', ...hail, nodeId }),
})

function puller(secret = 's', judge: (peer: Identity) => Reason | undefined = accept): PullSession {
  return new PullSession(hostOf(identity('B', 2)), { region: 'A', secret, judge, greet: PULLER })
}

function server(
  secret = 's',
  judge: (peer: Identity) => Reason | undefined = accept,
  nodes: readonly string[] = [],
  who = identity('A', 1),
): ServeSession {
  const terms = {
    secret,
    judge,
    judgeHearer: judge,
    elsewhere: () => nodes,
    applied: () => [],
    joined: () => [],
    isBehind: () => false,
  }
  return new ServeSession(hostOf(who), terms)
}

function sent(actions: readonly Action[]): ControlMessage[] {
  return actions.flatMap((action) => (action.do === 'send' ? [action.message] : []))
}

function kinds(actions: readonly Action[]): string[] {
  return actions.map((action) => (action.do === 'send' ? `send ${action.message.type}` : action.do))
}

function ended(actions: readonly Action[]): string | undefined {
  const end = actions.find((action) => action.do === 'end')
  return end?.do === 'end' ? end.reason.code : undefined
}

/** The handshake; returns what both did last. */
function shake(
  pull: PullSession,
  serve: ServeSession,
): { pulled: readonly Action[]; served: readonly Action[] } {
  const [challenge] = sent(serve.open())
  const [hello] = sent(pull.receive(encodeMessage(challenge!)))
  const served = serve.receive(encodeMessage(hello!))
  let pulled: readonly Action[] = []
  for (const answer of sent(served)) pulled = pull.receive(encodeMessage(answer))
  return { pulled, served }
}

describe('handshake', () => {
  it('opens both ends', () => {
    const [pull, serve] = [puller(), server()]
    const { pulled, served } = shake(pull, serve)
    expect(kinds(served)).toEqual(['send welcome', 'accepted', 'serve'])
    expect(kinds(pulled)).toEqual(['opened'])
    expect(pull.streaming && serve.isOpen).toBe(true)
  })

  it('refuses another secret, and says so at both ends', () => {
    const { pulled, served } = shake(puller('x'), server('y'))
    expect(kinds(served)).toEqual(['send refuse', 'end'])
    expect([ended(served), ended(pulled)]).toEqual(['wrong-secret', 'wrong-secret'])
  })

  it('does not trust a server without a proof', () => {
    const pull = puller()
    const [challenge] = sent(server().open())
    pull.receive(encodeMessage(challenge!))
    const actions = pull.receive(
      encodeMessage({ type: 'welcome', proof: 'guess', applied: [], joined: [], isBehind: false }),
    )
    expect(kinds(actions)).toEqual(['send refuse', 'end'])
    expect(ended(actions)).toBe('wrong-secret')
  })

  it('does not accept a hello recorded on another link', () => {
    const host = hostOf(identity('A', 1))
    const terms = {
      secret: 's',
      judge: accept,
      judgeHearer: accept,
      elsewhere: () => [],
      applied: () => [],
      joined: () => [],
      isBehind: () => false,
    }
    const first = new ServeSession(host, terms)
    const [challenge] = sent(first.open())
    const [hello] = sent(puller().receive(encodeMessage(challenge!)))
    const second = new ServeSession(host, terms)
    second.open()
    expect(ended(second.receive(encodeMessage(hello!)))).toBe('wrong-secret')
  })

  it('notices an identity that was changed on the way', () => {
    const [pull, serve] = [puller(), server()]
    const [challenge] = sent(serve.open())
    const [hello] = sent(pull.receive(encodeMessage(challenge!)))
    if (hello?.type !== 'hello') throw new Error('no hello')
    const changed = { ...hello, identity: { ...hello.identity, regionId: 9 } }
    expect(ended(serve.receive(encodeMessage(changed)))).toBe('wrong-secret')
  })

  it('asks the judge only about a peer whose proof is right', () => {
    const asked: string[] = []
    const judge = (peer: Identity): Reason => {
      asked.push(peer.region)
      return reason('link-down', 'cut')
    }
    shake(puller('x'), server('y', judge))
    expect(asked).toEqual([])
    const { pulled } = shake(puller(), server('s', judge))
    expect(asked).toEqual(['B'])
    expect(ended(pulled)).toBe('link-down')
  })

  describe('refused, with the names of others', () => {
    const isReplica = (): Reason => reason('not-primary', 'a replica')
    const nodes = ['ws://a2:1', 'ws://a3:1']
    const namedTo = (pulled: readonly Action[]) => pulled.find((action) => action.do === 'end')

    it('learns where to go', () => {
      const { pulled } = shake(puller(), server('s', isReplica, nodes))
      expect(namedTo(pulled)).toMatchObject({ reason: { code: 'not-primary' }, nodes })
    })

    it('does not listen to another region', () => {
      const { pulled } = shake(puller(), server('s', isReplica, nodes, identity('C', 3)))
      expect(namedTo(pulled)).toEqual({ do: 'end', reason: isReplica() })
    })

    it('does not listen to whoever does not know the secret, or has changed what was said', () => {
      const [pull, serve] = [puller(), server('s', isReplica, nodes)]
      const [challenge] = sent(serve.open())
      const [hello] = sent(pull.receive(encodeMessage(challenge!)))
      const [refusal] = sent(serve.receive(encodeMessage(hello!)))
      if (refusal?.type !== 'refuse' || refusal.named === undefined) throw new Error('nobody is named')
      const changed = { ...refusal, named: { ...refusal.named, nodes: ['ws://evil:1'] } }
      expect(namedTo(pull.receive(encodeMessage(changed)))).toEqual({ do: 'end', reason: isReplica() })
      const early = puller().receive(encodeMessage(refusal))
      expect(namedTo(early)).toEqual({ do: 'end', reason: isReplica() })
    })
  })

  it('refuses a protocol version it does not speak', () => {
    const challenge = {
      type: 'challenge',
      versionMin: 7,
      versionMax: 9,
      nonce: 'n',
      identity: identity('A', 1),
    } as const
    const actions = puller().receive(encodeMessage(challenge))
    expect(ended(actions)).toBe('protocol-version')
    const serve = server()
    const [greeting] = sent(serve.open())
    const [hello] = sent(puller().receive(encodeMessage(greeting!)))
    if (hello?.type !== 'hello') throw new Error('no hello')
    expect(ended(serve.receive(encodeMessage({ ...hello, version: 9 })))).toBe('protocol-version')
  })
})

describe('streaming', () => {
  it('hands on what belongs there', () => {
    const [pull, serve] = [puller(), server()]
    shake(pull, serve)
    expect(kinds(pull.receive(encodeOps([])))).toEqual(['take'])
    const status = {
      type: 'status',
      applied: [],
      clockMs: 1,
      atMs: 1,
      standings: [],
      unheard: [],
      cut: [],
      announced: [],
      nodes: [],
    } as const
    expect(kinds(pull.receive(encodeMessage(status)))).toEqual(['learn'])
    expect(kinds(pull.receive(encodeMessage({ type: 'hurry', until: [] })))).toEqual(['hurry'])
    expect(kinds(serve.receive(encodeMessage({ type: 'relay', vector: [], relay: [3] })))).toEqual(['serve'])
    expect(kinds(pull.receive(encodeMessage({ type: 'trimmed' })))).toEqual(['trimmed'])
    const fetch = { type: 'fetch', id: '', offset: 0, least: [] } as const
    expect(kinds(serve.receive(encodeMessage(fetch)))).toEqual(['fetch'])
    const begin = { type: 'snapshot-begin', id: 's', offset: 0, bytes: 3 } as const
    for (const bytes of [encodeMessage(begin), encodeSnapshotPart(Uint8Array.of(1))])
      expect(kinds(pull.receive(bytes))).toEqual(['snapshot'])
  })

  it('ends a link for a message at the wrong time, and answers nothing afterwards', () => {
    const serve = server()
    serve.open()
    const actions = serve.receive(encodeMessage({ type: 'relay', vector: [], relay: [] }))
    expect(kinds(actions)).toEqual(['send bye', 'end'])
    expect(ended(actions)).toBe('unexpected-message')
    expect(serve.receive(encodeMessage({ type: 'relay', vector: [], relay: [] }))).toEqual([])
    const pull = puller()
    expect(ended(pull.receive(encodeOps([])))).toBe('unexpected-message')
  })

  it('ends a link for bytes that are no message', () => {
    const serve = server()
    serve.open()
    const actions = serve.receive(Uint8Array.of(200, 1, 2))
    expect(ended(actions)).toBe('malformed-message')
    const [goodbye] = sent(actions)
    expect(decodeMessage(encodeMessage(goodbye!))).toMatchObject({ type: 'bye', code: 'malformed-message' })
  })
})

describe('a node that hears another one of its region', () => {
  function hearer(nodeId = 'node-A'): PullSession {
    return new PullSession(hostOf(identity('A', 1, { nodeId: 'n2' })), {
      region: 'A',
      secret: 's',
      judge: accept,
      greet: hears(nodeId),
    })
  }

  it('is let in by a proof of its own, and told what is published', () => {
    const [hear, serve] = [hearer(), server()]
    const { pulled, served } = shake(hear, serve)
    expect(kinds(served)).toEqual(['send welcome', 'heard'])
    expect(kinds(pulled)).toEqual(['opened'])
    const spread = encodeSpread({ publications: [], deps: [], isForRegions: false })
    expect(kinds(hear.receive(spread))).toEqual(['spread'])
    expect(kinds(hear.receive(encodeMessage({ type: 'pulse' })))).toEqual([])
    expect(kinds(serve.receive(encodeMessage({ type: 'pulse' })))).toEqual([])
    // It is no puller.
    expect(ended(serve.receive(encodeMessage({ type: 'relay', vector: [], relay: [] })))).toBe(
      'unexpected-message',
    )
    expect(ended(hear.receive(encodeOps([])))).toBe('unexpected-message')
  })

  it('is refused without the secret, by the judge, and with the proof of a puller', () => {
    expect(ended(shake(hearer(), server('other')).served)).toBe('wrong-secret')
    const judge = (): Reason => reason('wrong-region', 'another one')
    expect(ended(shake(hearer(), server('s', judge)).pulled)).toBe('wrong-region')
    expect(ended(shake(hearer('another one'), server()).pulled)).toBe('superseded')
    const serve = server()
    const [challenge] = sent(serve.open())
    const [hello] = sent(puller().receive(encodeMessage(challenge!)))
    if (hello?.type !== 'hello') throw new Error('no hello')
    const { version, nonce, proof, identity: who } = hello
    const changed = { type: 'hear', version, nonce, proof, identity: who, nodeId: 'node-A' } as const
    expect(ended(serve.receive(encodeMessage(changed)))).toBe('wrong-secret')
  })

  it.each([
    [identity('A', 1, { nodeId: 'n2', partition: 3, role: 'replica' }), undefined],
    [identity('A', 1), 'same-node'],
    [identity('B', 2), 'wrong-region'],
    [identity('A', 1, { nodeId: 'n2', partitions: 8 }), 'partition-count'],
    [identity('A', 1, { nodeId: 'n2', configuration: {} }), 'configuration'],
  ])('is judged: %o is %s', (peer, code) => {
    expect(judgeNeighbour(identity('A', 1), peer)?.code).toBe(code)
  })
})

describe('judgePeer', () => {
  const me = identity('A', 1)
  it.each([
    [identity('A', 1, { nodeId: 'node-A' }), 'same-node'],
    [identity('B', 2, { nodeId: 'node-A' }), 'same-node'],
    [identity('B', 1), 'duplicate-region-id'],
    [identity('A', 1, { nodeId: 'x' }), 'same-region'],
    [identity('A', 2, { nodeId: 'x' }), 'same-region'],
    [identity('D', 3), 'duplicate-region-id'],
    [identity('B', 2, { partitions: 2 }), 'partition-count'],
    [identity('B', 2, { partition: 1 }), 'other-partition'],
    [identity('B', 2, { configuration: { databases: '4' } }), 'configuration'],
    [identity('B', 2, { configuration: {} }), 'configuration'],
    [identity('B', 2), undefined],
    [identity('C', 3), undefined],
  ])('%o is %s', (peer, code) => {
    expect(judgePeer(me, peer, [identity('C', 3)])?.code).toBe(code)
  })
})

it('compares proofs of any length', () => {
  expect(sameProof('abc', 'abc')).toBe(true)
  expect(sameProof('abc', 'abd')).toBe(false)
  expect(sameProof('abc', 'abcabc')).toBe(false)
  expect(sameProof('abc', '')).toBe(false)
  expect(sameProof('', '')).toBe(true)
})
