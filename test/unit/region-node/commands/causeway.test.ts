/**
 * causeway.test.ts: the CRDT.* commands.
 */
import { describe, expect, it } from 'vitest'
import type { LinkState, Services } from '../../../../region-node/commands/services.ts'
import { START_MS, TestEngine } from '../../../harness/test-engine.ts'

const PARIS: LinkState = {
  region: 'paris',
  regionId: 2,
  pull: 'streaming',
  serve: 'absent',
  paused: false,
  lagOps: undefined,
  lagMs: 0,
  behindOps: 3,
  behindMs: 12.4,
  skewMs: -7,
  bytesIn: 100,
  bytesOut: 200,
  lastError: { code: 'closed', sentence: 'the peer went away' },
  snapshotIn: { phase: 'receiving', done: 12, total: 40 },
  snapshotOut: undefined,
}

function withServices(services: Partial<Services> = {}): TestEngine {
  const engine = new TestEngine(1, { region: 'oslo', regionId: 1, links: () => [PARIS], ...services })
  return engine
}

describe('CRDT.VECTOR and CRDT.DIGEST', () => {
  it('DIGEST is equal where the same ops are applied', () => {
    const a = new TestEngine(1)
    const b = new TestEngine(2)
    b.run('set', 'k', 'v')
    a.run('set', 'x', 'y')
    expect(a.run('crdt.digest')).not.toBe(b.run('crdt.digest'))
    a.pullFrom(b)
    b.pullFrom(a)
    expect(a.run('crdt.digest')).toBe(b.run('crdt.digest'))
  })

  it('DIGEST answers when it is made, and forgets about who has gone', () => {
    const asked: ((digest: string) => void)[] = []
    let forgotten = 0
    const engine = withServices({
      digest: (done) => {
        asked.push(done)
        return () => forgotten++
      },
    })
    expect(engine.run('crdt.digest')).toBeUndefined()
    asked[0]!('0123')
    expect(engine.reply()).toBe('0123')
    engine.run('crdt.digest')
    engine.session().blocked?.unblock?.(undefined)
    expect(engine.reply()).toBeNull()
    engine.run('crdt.digest')
    engine.engine.commands.release(engine.session())
    expect(forgotten).toBe(2)
  })

  it('DIGEST answers at once in a transaction', () => {
    const engine = withServices({
      digest: () => {
        throw new Error('it is not asked for later')
      },
    })
    engine.run('set', 'k', 'v')
    engine.run('multi')
    engine.run('crdt.digest')
    expect(engine.run('exec')).toEqual([engine.engine.keyspace.digest()])
  })

  it('VECTOR is sorted by origin', () => {
    const known = new TestEngine(1)
    known.run('set', 'a', '1')
    const other = new TestEngine(2)
    other.run('set', 'b', '1')
    known.pullFrom(other)
    const engine = withServices({ applied: known.engine.applied })
    expect(engine.run('crdt.vector')).toEqual(['1-000000000001', 1, '2-000000000002', 1])
    engine.run('hello', '3')
    expect(engine.run('crdt.vector')).toEqual(
      new Map([
        ['1-000000000001', 1],
        ['2-000000000002', 1],
      ]),
    )
  })
})

describe('CRDT.LINK', () => {
  it('cuts and mends', () => {
    const calls: unknown[] = []
    const engine = withServices({
      setLink: (region, up) => {
        calls.push([region, up])
        return true
      },
    })
    expect(engine.run('crdt.link', 'paris', 'down')).toBe('OK')
    expect(engine.run('crdt.link', 'all', 'UP')).toBe('OK')
    expect(calls).toEqual([
      ['paris', false],
      ['ALL', true],
    ])
  })

  it('rebuilds the node from one region, or says why not', () => {
    const asked: string[] = []
    let refusal: string | undefined
    const engine = withServices({
      resync: (region) => {
        asked.push(region)
        return refusal
      },
    })
    expect(engine.run('crdt.link', 'paris', 'resync')).toBe('OK')
    refusal = 'there is no link to region paris to fetch a snapshot by'
    expect(engine.run('crdt.link', 'paris', 'RESYNC')).toEqual({
      line: 'ERR No resync: there is no link to region paris to fetch a snapshot by',
    })
    expect(asked).toEqual(['paris', 'paris'])
    expect(engine.run('crdt.link', 'all', 'resync')).toEqual({
      line: 'ERR A node is rebuilt from one region: name it',
    })
    expect(engine.run('crdt.link', 'rome', 'resync')).toMatchObject({
      line: expect.stringContaining("ERR Region 'rome' is no peer"),
    })
    expect(asked).toHaveLength(2)
  })

  it('shows the state of each link', () => {
    const engine = withServices()
    engine.run('hello', '3')
    const [status] = engine.run('crdt.link', 'ALL', 'status') as Map<string, unknown>[]
    expect(Object.fromEntries(status!)).toEqual({
      region: 'paris',
      'region-id': 2,
      pull: 'streaming',
      serve: 'absent',
      paused: 'no',
      'lag-ops': null,
      'lag-ms': 0,
      'behind-ops': 3,
      'behind-ms': 12,
      'skew-ms': -7,
      'bytes-in': 100,
      'bytes-out': 200,
      'last-error': 'closed: the peer went away',
      'snapshot-in': 'receiving',
      'snapshot-in-done': 12,
      'snapshot-in-total': 40,
      'snapshot-out': null,
      'snapshot-out-done': null,
      'snapshot-out-total': null,
    })
  })

  it('names the regions there are', () => {
    expect(withServices().run('crdt.link', 'rome', 'down')).toEqual({
      line: "ERR Region 'rome' is no peer of region 'oslo': its peers are 'paris', or ALL",
    })
    expect(withServices({ links: () => [] }).run('crdt.link', 'rome', 'up')).toEqual({
      line: "ERR Region 'rome' is no peer of region 'oslo': this node has no peers",
    })
    expect(withServices().run('crdt.link', 'paris', 'off')).toEqual({
      line: "ERR Unknown action 'off' of CRDT.LINK: it is UP, DOWN, STATUS or RESYNC",
    })
  })
})

describe('CRDT.WAIT', () => {
  it('waits for all that is applied now, and replies how many peers have it', () => {
    const source = new TestEngine(1)
    source.run('set', 'k', 'v')
    const asked: { target: unknown; timeoutMs: number; done: (peers: number) => void }[] = []
    let forgotten = 0
    const engine = withServices({
      applied: source.engine.applied,
      awaitDurable: (target, timeoutMs, done) => {
        asked.push({ target: target.toWire(), timeoutMs, done })
        return () => forgotten++
      },
    })
    expect(engine.run('crdt.wait', '500')).toBeUndefined()
    expect(asked).toMatchObject([{ target: [['1-000000000001', 1]], timeoutMs: 500 }])
    asked[0]!.done(2)
    expect(engine.reply()).toBe(2)
    engine.run('crdt.wait', '0')
    engine.engine.commands.release(engine.session())
    expect(forgotten).toBe(1)
    expect(engine.session().blocked).toBeUndefined()
  })

  it('replies at once to an answer that is there at once, and inside a transaction', () => {
    const { applied } = new TestEngine(1).engine
    const engine = withServices({
      applied,
      awaitDurable: (_target, _timeoutMs, done) => {
        done(1)
        return () => {}
      },
    })
    expect(engine.run('crdt.wait', '0')).toBe(1)
    expect(engine.session().blocked).toBeUndefined()
    engine.run('multi')
    engine.run('crdt.wait', '0')
    expect(engine.run('exec')).toEqual([0])
  })

  it('refuses what is no timeout', () => {
    expect(withServices().run('crdt.wait', 'x')).toEqual({
      line: 'ERR timeout is not an integer or out of range',
    })
    expect(withServices().run('crdt.wait', '-1')).toEqual({ line: 'ERR timeout is negative' })
  })
})

describe('CRDT.INSPECT and CRDT.CONFLICTS', () => {
  function conflicting(): TestEngine {
    const a = withServices()
    const b = new TestEngine(2)
    a.run('set', 'k', 'from oslo')
    b.wallMs += 5
    b.run('set', 'k', 'from paris')
    a.pullFrom(b)
    return a
  }

  it('show what waits behind the winner', () => {
    const engine = conflicting()
    const state = JSON.parse(String(engine.run('crdt.inspect', 'k')))
    expect(state).toMatchObject({
      type: 'string',
      state: { registers: [{ value: 'from paris' }, { value: 'from oslo' }], counter: [] },
    })
    expect(engine.run('crdt.inspect', 'none')).toBeNull()
  })

  it('count and show conflicts, newest first', () => {
    const engine = conflicting()
    engine.run('hello', '3')
    const reply = engine.run('crdt.conflicts') as Map<string, unknown>
    expect(reply.get('total')).toBe(1)
    expect(reply.get('by-rule')).toEqual(
      new Map([
        ['register', 1],
        ['type', 0],
        ['deadline', 0],
        ['hidden-increment', 0],
        ['saturation', 0],
        ['lost-set', 0],
      ]),
    )
    expect(reply.get('latest')).toEqual([
      new Map<string, unknown>([
        ['rule', 'register'],
        ['db', 0],
        ['key', 'k'],
        ['field', null],
        [
          'winner',
          new Map<string, unknown>([
            ['region', 'paris'],
            ['at-ms', START_MS + 5],
            ['what', 'from paris'],
          ]),
        ],
        [
          'hidden',
          new Map<string, unknown>([
            ['region', 'oslo'],
            ['at-ms', START_MS],
            ['what', 'from oslo'],
          ]),
        ],
      ]),
    ])
    expect((engine.run('crdt.conflicts', 'count', '0') as Map<string, unknown>).get('latest')).toEqual([])
    expect(engine.run('crdt.conflicts', 'count', '-1')).toEqual({ line: "ERR COUNT can't be negative" })
    expect(engine.run('crdt.conflicts', 'foo')).toEqual({ line: 'ERR syntax error' })
  })

  it('explain every rule', () => {
    const help = withServices().run('crdt.conflicts', 'help') as string[]
    for (const rule of ['register', 'type', 'deadline', 'hidden-increment', 'saturation'])
      expect(help).toContain(rule)
  })
})
