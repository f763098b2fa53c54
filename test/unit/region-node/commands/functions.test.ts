/**
 * functions.test.ts: libraries are data of the database: they reach other regions, survive a restart, and
 * merge by the rules of strings.
 */
import { describe, expect, it } from 'vitest'
import { openRecord } from '../../../../crdt/codec/batch.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

function library(name: string, functionName: string, answer: string): string {
  return `#!lua name=${name}\nredis.register_function('${functionName}', function() return '${answer}' end)`
}

function load(engine: TestEngine, ...names: [string, string, string]): unknown {
  return engine.run('function', 'load', 'replace', library(...names))
}

function sync(...engines: TestEngine[]): void {
  for (const one of engines) for (const other of engines) if (one !== other) one.pullFrom(other)
}

function names(engine: TestEngine): unknown[] {
  return (engine.run('function', 'list') as unknown[][]).map((fields) => fields[1])
}

describe('a library', () => {
  it('reaches another region, and goes from it', () => {
    const [a, b] = [new TestEngine(1), new TestEngine(2)]
    load(a, 'lib', 'f', 'one')
    b.pullFrom(a)
    expect(b.run('fcall', 'f', '0')).toBe('one')
    load(a, 'lib', 'f', 'two')
    b.pullFrom(a)
    expect(b.run('fcall', 'f', '0')).toBe('two')
    a.run('function', 'delete', 'lib')
    b.pullFrom(a)
    expect(b.run('fcall', 'f', '0')).toMatchObject({ line: 'ERR Function not found' })
  })

  it('is there again after a restart', () => {
    const before = new TestEngine(1)
    load(before, 'lib', 'f', 'kept')
    before.engine.endBatch()
    const after = new TestEngine(1)
    for (const { record } of before.journal.records) after.engine.replay(openRecord(record, after.origins))
    expect(after.run('fcall', 'f', '0')).toBe('kept')
  })

  it('loaded later wins over one that it had not seen', () => {
    const [a, b] = [new TestEngine(1), new TestEngine(2)]
    load(a, 'lib', 'f', 'earlier')
    b.wallMs += 10
    load(b, 'lib', 'f', 'later')
    sync(a, b)
    expect([a, b].map((engine) => engine.run('fcall', 'f', '0'))).toEqual(['later', 'later'])
    expect(a.engine.keyspace.digest()).toBe(b.engine.keyspace.digest())
  })

  it('that FUNCTION FLUSH had not seen stays', () => {
    const [a, b] = [new TestEngine(1), new TestEngine(2)]
    load(a, 'old', 'f', 'old')
    sync(a, b)
    a.run('function', 'flush')
    load(b, 'new', 'g', 'new')
    sync(a, b)
    expect([names(a), names(b)]).toEqual([['new'], ['new']])
  })

  it('is no key: FLUSHALL leaves it, and nothing counts or shows it', () => {
    const engine = new TestEngine()
    load(engine, 'lib', 'f', 'here')
    engine.run('set', 'k', 'v')
    expect(engine.run('dbsize')).toBe(1)
    engine.run('flushall')
    expect(engine.run('fcall', 'f', '0')).toBe('here')
    expect(engine.run('keys', '*')).toEqual([])
    expect(engine.run('select', '1024')).toMatchObject({ line: 'ERR DB index is out of range' })
  })

  it('is left alone by a FLUSHALL of another region', () => {
    const [a, b] = [new TestEngine(1), new TestEngine(2)]
    load(a, 'lib', 'f', 'here')
    sync(a, b)
    b.run('flushall')
    sync(a, b)
    expect([a, b].map((engine) => engine.run('fcall', 'f', '0'))).toEqual(['here', 'here'])
  })
})

describe('a function that two regions registered apart', () => {
  it('is that of the library whose name comes first, in both', () => {
    const [a, b] = [new TestEngine(1), new TestEngine(2)]
    load(a, 'alpha', 'f', 'of alpha')
    load(b, 'beta', 'f', 'of beta')
    sync(a, b)
    expect([a, b].map((engine) => engine.run('fcall', 'f', '0'))).toEqual(['of alpha', 'of alpha'])
    a.run('function', 'delete', 'alpha')
    sync(a, b)
    expect([a, b].map((engine) => engine.run('fcall', 'f', '0'))).toEqual(['of beta', 'of beta'])
  })
})

describe('FUNCTION RESTORE', () => {
  function dumpOf(...libraries: [string, string, string][]): string {
    const engine = new TestEngine()
    for (const one of libraries) load(engine, ...one)
    return engine.run('function', 'dump') as string
  }

  it('adds, replaces, or takes the place of everything', () => {
    const engine = new TestEngine()
    load(engine, 'lib', 'f', 'mine')
    load(engine, 'other', 'g', 'other')
    const dump = dumpOf(['lib', 'f', 'restored'])
    expect(engine.run('function', 'restore', dump)).toMatchObject({
      line: "ERR Library 'lib' already exists",
    })
    expect(engine.run('fcall', 'f', '0')).toBe('mine')
    expect(engine.run('function', 'restore', dump, 'replace')).toBe('OK')
    expect(engine.run('fcall', 'f', '0')).toBe('restored')
    expect(names(engine)).toEqual(['lib', 'other'])
    expect(engine.run('function', 'restore', dump, 'FLUSH')).toBe('OK')
    expect(names(engine)).toEqual(['lib'])
  })

  it('stores nothing when one of the libraries cannot be', () => {
    const engine = new TestEngine()
    load(engine, 'mine', 'g', 'mine')
    const dump = dumpOf(['a', 'f', 'a'], ['b', 'g', 'b'])
    expect(engine.run('function', 'restore', dump)).toMatchObject({ line: 'ERR Function g already exists' })
    expect(names(engine)).toEqual(['mine'])
  })

  it('refuses what is damaged', () => {
    const engine = new TestEngine()
    const dump = dumpOf(['a', 'f', 'a'])
    for (const payload of [dump.slice(1), `${dump}x`, 'x', dump.replace('lua', 'lub')]) {
      expect(engine.run('function', 'restore', payload)).toMatchObject({
        line: 'ERR DUMP payload version or checksum are wrong',
      })
    }
  })
})
