/**
 * admission.test.ts: what clients may do while memory or disk are used up or the log is being read; for
 * memory byte for byte as redis-server, where it is installed.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commandTable } from '../../../../region-node/commands/families.ts'
import { errors } from '../../../../region-node/errors.ts'
import { RedisReference, redisIsInstalled } from '../../../harness/redis-reference.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

const OOM = "OOM command not allowed when used memory > 'maxmemory'."

/** An engine with a key, and the text of each reply. */
function engineWithKey() {
  const engine = new TestEngine()
  engine.run('SET', 'k', 'v')
  const lines = (...commands: string[]): unknown[] =>
    commands.map((command) => {
      const reply = engine.run(...command.split(' '))
      return reply !== null && typeof reply === 'object' && 'line' in reply ? reply.line : reply
    })
  return { engine, lines, admission: engine.engine.commands.admission }
}

describe('when memory is used up', () => {
  it('what needs more is refused, and what frees some is not', () => {
    const { lines, admission } = engineWithKey()
    admission.begin('memory')
    expect(lines('SET k w', 'APPEND k x', 'SADD s m', 'HSET h f v')).toEqual([OOM, OOM, OOM, OOM])
    expect(lines('GET k', 'PING', 'EXPIRE k 100', 'DEL k')).toEqual(['v', 'PONG', 1, 1])
    admission.end('memory')
    expect(lines('SET k w')).toEqual(['OK'])
  })

  it('ops of other regions are applied', () => {
    const { engine, lines, admission } = engineWithKey()
    const other = new TestEngine(2)
    other.run('SET', 'theirs', 'v')
    admission.begin('memory')
    engine.pullFrom(other)
    expect(lines('GET theirs')).toEqual(['v'])
  })
})

describe.skipIf(!redisIsInstalled)('when memory is used up, against redis-server', () => {
  let redis: RedisReference
  beforeAll(async () => {
    redis = await RedisReference.start()
  })
  afterAll(() => redis.stop())

  /** `FULL` and `FREE` stand for the change of state. */
  const DIALOGUES: Readonly<Record<string, readonly string[]>> = {
    'single commands': ['SET k v', 'FULL', 'SET k w', 'GET k', 'DEL k', 'PING', 'NOSUCH', 'SET k', 'FREE'],
    'a transaction that begins full': ['FULL', 'MULTI', 'GET k', 'EXEC', 'MULTI', 'DISCARD', 'MULTI', 'EXEC'],
    'a transaction that becomes full before EXEC': ['MULTI', 'SET k v', 'FULL', 'EXEC', 'DISCARD', 'EXEC'],
    'one of reads that becomes full': ['MULTI', 'GET k', 'FULL', 'EXEC', 'DISCARD'],
    'one that is full meanwhile': ['MULTI', 'SET k v', 'FULL', 'DEL k', 'FREE', 'SET k v', 'EXEC', 'GET k'],
    'WATCH, MULTI and RESET between': ['MULTI', 'FULL', 'WATCH k', 'MULTI', 'UNWATCH', 'RESET', 'EXEC'],
  }

  for (const [name, commands] of Object.entries(DIALOGUES)) {
    it(`answers ${name} with the same bytes`, async () => {
      const engine = new TestEngine()
      const session = engine.session()
      await redis.exchange(['RESET'])
      await redis.exchange(['CONFIG', 'SET', 'maxmemory', '0'])
      await redis.exchange(['FLUSHALL'])
      for (const command of commands) {
        const words = command.split(' ')
        if (words[0] === 'FULL' || words[0] === 'FREE') {
          await redis.aside(['CONFIG', 'SET', 'maxmemory', words[0] === 'FULL' ? '1' : '0'])
          if (words[0] === 'FULL') engine.engine.commands.admission.begin('memory')
          else engine.engine.commands.admission.end('memory')
          continue
        }
        engine.engine.execute(session, words)
        expect(`${command} → ${session.out.take()}`).toBe(`${command} → ${await redis.exchange(words)}`)
      }
    })
  }
})

describe('when the disk is full', () => {
  const MISCONF = expect.stringMatching(/^MISCONF .*disk is full/)

  it('writes and PING are refused, reads are not, and it ends by itself', () => {
    const { lines, admission } = engineWithKey()
    admission.begin('disk')
    expect(lines('SET k w', 'DEL k', 'PING', 'GET k', 'ECHO x')).toEqual([
      MISCONF,
      MISCONF,
      MISCONF,
      'v',
      'x',
    ])
    expect(lines('MULTI', 'GET k', 'SET k w', 'EXEC')).toEqual([
      'OK',
      'QUEUED',
      MISCONF,
      'EXECABORT Transaction discarded because of previous errors.',
    ])
    admission.end('disk')
    expect(lines('SET k w', 'PING')).toEqual(['OK', 'PONG'])
  })

  it('a transaction that was queued before says why it is discarded', () => {
    const { lines, admission } = engineWithKey()
    lines('MULTI', 'SET k w')
    admission.begin('disk')
    expect(lines('EXEC')).toEqual([expect.stringMatching(/^EXECABORT .* because of: MISCONF /)])
    expect(lines('GET k')).toEqual(['v'])
  })

  it('reads wait where replies promise durability, and other commands do not', () => {
    const { engine, lines, admission } = engineWithKey()
    admission.begin('disk', true)
    expect(lines('SET k w', 'ECHO x')).toEqual([MISCONF, 'x'])
    const session = engine.session()
    engine.engine.execute(session, ['GET', 'k'])
    expect(session.out.length).toBe(0)
    expect(session.postponed).toEqual(['GET', 'k'])
    expect(session.blocked).toBeDefined()
    let resumed = 0
    session.resume = () => resumed++
    admission.end('disk')
    expect(resumed).toBe(1)
    expect(session.blocked).toBeUndefined()
  })

  it('a read that is only queued does not wait, its EXEC does', () => {
    const { engine, lines, admission } = engineWithKey()
    admission.begin('disk', true)
    expect(lines('MULTI', 'GET k')).toEqual(['OK', 'QUEUED'])
    engine.engine.execute(engine.session(), ['EXEC'])
    expect(engine.session().postponed).toEqual(['EXEC'])
  })
})

describe('while the region is passive', () => {
  const PASSIVE = expect.stringMatching(/^READONLY This region is passive, .*'causeway region promote'/)

  it('clients may read, and not write', () => {
    const { lines, admission } = engineWithKey()
    admission.begin('passive')
    expect(
      lines('SET k w', 'DEL k', 'FLUSHALL', 'PFDEBUG ENCODING k', 'XREADGROUP GROUP g c STREAMS s >'),
    ).toEqual(Array(5).fill(PASSIVE))
    expect(lines('GET k', 'PING')).toEqual(['v', 'PONG'])
    admission.end('passive')
    expect(lines('SET k w')).toEqual(['OK'])
  })

  it('neither may transactions, also those queued before', () => {
    const { lines, admission } = engineWithKey()
    lines('MULTI', 'SET k w')
    admission.begin('passive')
    expect(lines('EXEC')).toEqual([expect.stringMatching(/^EXECABORT .* because of: READONLY /)])
    expect(lines('MULTI', 'SET k w', 'EXEC')).toEqual([
      'OK',
      PASSIVE,
      'EXECABORT Transaction discarded because of previous errors.',
    ])
    expect(lines('MULTI', 'GET k', 'EXEC')).toEqual(['OK', 'QUEUED', ['v']])
  })

  it('a script may read, and gets the error for a write, whether it would change something or not', () => {
    const { engine, lines, admission } = engineWithKey()
    admission.begin('passive')
    const script = (text: string): unknown => engine.run('EVAL', text, '0')
    expect(script("return redis.call('GET', 'k')")).toBe('v')
    expect(script("return redis.call('DEL', 'nothing')")).toMatchObject({
      line: expect.stringMatching(/^READONLY This region is passive/),
    })
    expect(script("return redis.pcall('SET', 'k', 'w')['err']")).toEqual(
      expect.stringContaining('This region is passive'),
    )
    expect(lines('GET k')).toEqual(['v'])
  })

  it('ops of other regions are applied, and nothing is evicted or removed for being due', () => {
    const { engine, lines, admission } = engineWithKey()
    const other = new TestEngine(2)
    other.run('SET', 'theirs', 'v', 'PX', '10')
    admission.begin('passive')
    engine.pullFrom(other)
    expect(lines('GET theirs')).toEqual(['v'])
    engine.wallMs += 60_000
    expect(lines('GET theirs')).toEqual([null])
    const minted = engine.engine.mintedCount
    expect(engine.engine.removeDue(Number.POSITIVE_INFINITY, () => true).keys).toBe(0)
    expect(engine.engine.evict(1e6)).toBe(0)
    expect(engine.engine.mintedCount).toBe(minted)
    admission.end('passive')
    expect(engine.engine.removeDue(Number.POSITIVE_INFINITY, () => true).keys).toBe(1)
  })

  it('whoever waits to write is told, and whoever waits to read waits on', () => {
    const { engine } = engineWithKey()
    expect(engine.runAs(2, 'BLPOP', 'list', '0')).toBeUndefined()
    expect(engine.runAs(3, 'XREAD', 'BLOCK', '0', 'STREAMS', 'stream', '$')).toBeUndefined()
    engine.engine.commands.endWritingWaits(errors.unblockedByRole)
    expect(engine.session(2).blocked).toBeUndefined()
    expect(engine.session(2).out.take()).toMatch(/^-UNBLOCKED /)
    expect(engine.session(3).blocked).toBeDefined()
  })
})

describe('while the log is being read', () => {
  const LOADING = 'LOADING Causeway is loading the dataset in memory'

  it('only what Redis allows then is let in', () => {
    const { lines, admission } = engineWithKey()
    admission.begin('loading')
    expect(lines('GET k', 'SET k w', 'PING', 'DBSIZE')).toEqual([LOADING, LOADING, LOADING, LOADING])
    expect(lines('SELECT 0', 'ECHO x', 'MULTI', 'GET k', 'EXEC')).toEqual([
      'OK',
      'x',
      'OK',
      LOADING,
      'EXECABORT Transaction discarded because of previous errors.',
    ])
    admission.end('loading')
    expect(lines('GET k')).toEqual(['v'])
  })

  it('several shortages end one by one', () => {
    const { lines, admission } = engineWithKey()
    admission.begin('loading')
    admission.begin('memory')
    expect(lines('SET k w')).toEqual([OOM])
    admission.end('memory')
    expect(lines('SET k w')).toEqual([LOADING])
    admission.end('loading')
    expect(admission.isOpen).toBe(true)
  })
})

describe('the flags of the command table', () => {
  const rows = commandTable.commands.flatMap((command) => [command, ...(command.subcommands ?? [])])

  // Redis's own rows are compared with redis-server in against-redis.test.ts.
  it('let no write through while the log is being read', () => {
    const wrong = rows.filter(({ flags }) => flags.includes('write') && flags.includes('loading'))
    expect(wrong.map(({ name }) => name)).toEqual([])
  })

  it('stop every write that can grow a value when memory is used up', () => {
    const GIVES_OR_KEEPS: readonly string[] = [
      'blmpop',
      'blpop',
      'brpop',
      'bzmpop',
      'bzpopmax',
      'bzpopmin',
      'crdt.region|add',
      'crdt.region|demote',
      'crdt.region|promote',
      'crdt.region|remove',
      'del',
      'expire',
      'expireat',
      'flushall',
      'flushdb',
      'function|delete',
      'function|flush',
      'getdel',
      'getex',
      'hdel',
      'hpersist',
      'lmpop',
      'lpop',
      'lrem',
      'ltrim',
      'move',
      'persist',
      'pexpire',
      'pexpireat',
      'rename',
      'renamenx',
      'rpop',
      'smove',
      'spop',
      'srem',
      'swapdb',
      'unlink',
      'xack',
      'xautoclaim',
      'xclaim',
      'xdel',
      'xgroup|delconsumer',
      'xgroup|destroy',
      'xgroup|setid',
      'xreadgroup',
      'xtrim',
      'zmpop',
      'zpopmax',
      'zpopmin',
      'zrem',
      'zremrangebylex',
      'zremrangebyrank',
      'zremrangebyscore',
    ]
    const others = rows.filter(({ flags }) => flags.includes('write') && !flags.includes('denyoom'))
    expect(others.map(({ name }) => name).sort()).toEqual(GIVES_OR_KEEPS)
  })
})
