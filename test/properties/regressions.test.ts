/**
 * regressions.test.ts: what the properties, or reading for them, once found, each by its smallest example.
 */
import { describe, expect, it } from 'vitest'
import { ByteReader, ByteWriter, DecodeError } from '../../crdt/codec/bytes.ts'
import type { Database } from '../../region-node/engine/database.ts'
import { DueKeys } from '../../region-node/engine/due-keys.ts'
import { START_MS, TestEngine } from '../harness/test-engine.ts'

describe('once wrong', () => {
  it('a conflict on a string was reported with the hash field written before it in the same op', () => {
    const a = new TestEngine(1)
    const b = new TestEngine(2)
    a.run('SET', 'text', 'from a')
    b.run('MULTI')
    b.run('HSET', 'hash', 'field', 'v')
    b.run('SET', 'text', 'from b')
    b.run('EXEC')
    a.pullFrom(b)
    expect(a.conflicts.latest(1)).toMatchObject([{ rule: 'register', key: 'text', field: undefined }])
  })

  it('a conflict of types was reported with a hash field', () => {
    const a = new TestEngine(1)
    const b = new TestEngine(2)
    a.run('SADD', 'key', 'member')
    b.run('HSET', 'key', 'field', 'v')
    a.pullFrom(b)
    expect(a.conflicts.latest(1)).toMatchObject([{ rule: 'type', key: 'key', field: undefined }])
  })

  it('an amount with an absurd scale was decoded, and held the node up when it was added', () => {
    const out = new ByteWriter()
    out.byte(2)
    out.varint(10 ** 12)
    out.word('1')
    expect(() => new ByteReader(out.bytes, undefined, 0, out.at).amount()).toThrow(DecodeError)
  })

  it('a key whose deadline was put off again and again left an entry behind each time', () => {
    const due = new DueKeys()
    let deadlineMs = 0
    for (let i = 0; i < 10_000; i++) {
      deadlineMs = START_MS + i
      due.changed('session', deadlineMs)
      due.sweep(1, () => deadlineMs)
    }
    expect(due.waiting).toBeLessThanOrEqual(DueKeys.spareMax + 2)
    due.advance(deadlineMs + 1, () => deadlineMs)
    expect([...due.keys]).toEqual(['session'])
  })

  it('the same, seen from the outside: a key kept alive stays due once, at its last deadline', () => {
    const a = new TestEngine(1)
    a.run('SET', 'session', 's')
    for (let i = 0; i < 5000; i++) a.run('PEXPIREAT', 'session', String(START_MS + 1000 + i))
    const database: Database = a.engine.keyspace.db(0)
    expect([...database.dueKeys(START_MS + 5999)]).toEqual([])
    expect([...database.dueKeys(START_MS + 6000)]).toEqual(['session'])
    expect(a.run('EXISTS', 'session')).toBe(1)
  })
})
