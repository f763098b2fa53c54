/**
 * scripts.test.ts: a script as one command of the engine: one op, its checks, its own session.
 */
import { describe, expect, it } from 'vitest'
import { openRecord } from '../../../../crdt/codec/batch.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

const OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'."

function lua(engine: TestEngine, script: string, ...keys: string[]): unknown {
  return engine.run('eval', script, String(keys.length), ...keys)
}

/** Effects of each op that the engine has minted. */
function opsOf({ engine, journal, origins }: TestEngine): number[] {
  engine.endBatch()
  return journal.records.flatMap(({ record }) =>
    openRecord(record, origins)
      .ops()
      .map(({ effects }) => effects.length),
  )
}

function error(line: string): unknown {
  return expect.objectContaining({ line: expect.stringContaining(line) })
}

describe('a script', () => {
  it('is one op with all of its effects', () => {
    const engine = new TestEngine()
    lua(engine, "redis.call('set', 'a', 1) redis.call('incr', 'n') redis.call('sadd', 's', 'm')")
    lua(engine, "return redis.call('get', 'a')")
    expect(opsOf(engine)).toEqual([3])
  })

  it('is part of the op of its transaction', () => {
    const engine = new TestEngine()
    engine.run('multi')
    engine.run('set', 'a', '1')
    lua(engine, "return redis.call('incr', 'a')")
    expect(engine.run('exec')).toEqual(['OK', 2])
    expect(opsOf(engine)).toEqual([2])
  })

  it('that fails keeps what it wrote before', () => {
    const engine = new TestEngine()
    expect(lua(engine, "redis.call('set', 'a', 1) error('oh')")).toEqual(error('user_script:1: oh'))
    expect(engine.run('get', 'a')).toBe('1')
    expect(opsOf(engine)).toEqual([1])
  })

  it('reaches another region whole', () => {
    const [a, b] = [new TestEngine(1), new TestEngine(2)]
    lua(a, "redis.call('incrby', KEYS[1], 5) redis.call('sadd', KEYS[2], 'a')", 'n', 's')
    lua(b, "redis.call('incrby', KEYS[1], 2) redis.call('sadd', KEYS[2], 'b')", 'n', 's')
    a.pullFrom(b)
    b.pullFrom(a)
    for (const engine of [a, b]) {
      expect(engine.run('get', 'n')).toBe('7')
      expect((engine.run('smembers', 's') as string[]).sort()).toEqual(['a', 'b'])
    }
  })

  it('has a SELECT of its own', () => {
    const engine = new TestEngine()
    lua(engine, "redis.call('select', 5) redis.call('set', 'k', 'five')")
    expect(engine.run('get', 'k')).toBeNull()
    engine.run('select', '5')
    expect(engine.run('get', 'k')).toBe('five')
  })

  it('makes a WATCH fail that its client or another holds', () => {
    const engine = new TestEngine()
    engine.runAs(2, 'watch', 'k')
    lua(engine, "redis.call('set', 'k', 'v')")
    engine.runAs(2, 'multi')
    expect(engine.runAs(2, 'exec')).toBeNull()
  })

  it('never waits', () => {
    const engine = new TestEngine()
    expect(lua(engine, "return redis.call('xread', 'block', 0, 'streams', 'none', 0)")).toBeNull()
    expect(lua(engine, "return redis.call('bzpopmin', 'none', 0)")).toEqual(error('not allowed from script'))
  })
})

describe('while memory is short', () => {
  it('a script may read, and its first write is refused', () => {
    const engine = new TestEngine()
    engine.run('set', 'k', 'v')
    engine.engine.commands.admission.begin('memory')
    expect(lua(engine, "return redis.call('get', 'k')")).toBe('v')
    expect(lua(engine, "return redis.call('set', 'k', 'w')")).toEqual(error(OUT_OF_MEMORY))
    expect(lua(engine, "redis.call('del', 'k') return redis.call('set', 'k', 'w')")).toBe('OK')
  })

  it('a script with a shebang says whether it may run', () => {
    const engine = new TestEngine()
    engine.engine.commands.admission.begin('memory')
    expect(lua(engine, '#!lua\nreturn 1')).toEqual(error('OOM allow-oom flag is not set on the script'))
    expect(lua(engine, '#!lua flags=no-writes\nreturn 1')).toBe(1)
    expect(lua(engine, "#!lua flags=allow-oom\nreturn redis.call('set', 'k', 'v')")).toBe('OK')
  })

  it('of disk, it may not write either', () => {
    const engine = new TestEngine()
    engine.engine.commands.admission.begin('disk')
    expect(lua(engine, "return redis.call('get', 'k')")).toBeNull()
    expect(lua(engine, "return redis.call('set', 'k', 'v')")).toEqual(error('MISCONF'))
  })
})

describe('a script that runs too long', () => {
  /** Each ECHO takes a second. */
  function slowEngine(): TestEngine {
    const engine = new TestEngine(1, { scriptLimitMs: 5000 })
    const { values } = engine.scripts
    const bulk = values.bulk.bind(values)
    values.bulk = (word) => {
      engine.wallMs += 1000
      bulk(word)
    }
    return engine
  }

  it('and has written nothing is ended', () => {
    expect(lua(slowEngine(), "while true do redis.call('echo', 'x') end")).toEqual(error('ERR Script killed'))
  })

  it('and has written goes on', () => {
    const engine = slowEngine()
    const script = "redis.call('set', 'k', 'v') for i = 1, 1000 do redis.call('echo', 'x') end return 1"
    expect(lua(engine, script)).toBe(1)
  })
})

describe('who listens', () => {
  it('to MONITOR sees the script and what it calls', () => {
    const engine = new TestEngine()
    const seen: string[][] = []
    engine.engine.commands.observer = {
      began: () => 0,
      ended: (_session, _command, words) => seen.push([...words]),
      called: ({ address }, _command, words) => seen.push([address, ...words]),
      turnEnded: () => {},
    }
    lua(engine, "return redis.call('get', 'k')")
    expect(seen).toEqual([
      ['lua', 'get', 'k'],
      ['eval', "return redis.call('get', 'k')", '0'],
    ])
  })
})

describe('access control', () => {
  it('asks for the commands of a script too', () => {
    const engine = new TestEngine()
    engine.run('acl', 'setuser', 'reader', 'on', 'nopass', '+@read', '+eval', '+auth', '~open*')
    engine.runAs(2, 'auth', 'reader', 'any')
    const run = (script: string): unknown => engine.runAs(2, 'eval', script, '0')
    expect(run("return redis.call('get', 'open')")).toBeNull()
    expect(run("return redis.call('set', 'open', 1)")).toEqual(
      error("ERR ACL failure in script: User reader has no permissions to run the 'set' command"),
    )
    expect(run("return redis.call('get', 'closed')")).toEqual(error('ERR ACL failure in script: '))
    expect(run("return {redis.acl_check_cmd('get', 'open'), redis.acl_check_cmd('set', 'open', 1)}")).toEqual(
      [1, null],
    )
  })
})
