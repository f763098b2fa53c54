/**
 * ioredis.test.ts: a client library that people use, against a live node, over RESP2 and RESP3.
 *
 * The scripts below call the typed methods and state the answers. A last test compares the commands they
 * used with the command table, so that a data command which no script calls is noticed.
 */
import { Redis, type RedisOptions } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { commandTable } from '../../region-node/commands/families.ts'
import { RegionProcess } from '../harness/region-process.ts'

const DATA_GROUPS: readonly string[] = ['string', 'hash', 'set', 'generic', 'transactions']
const BIG_BYTES = 32 * 1024 * 1024
const FAR_SECONDS = 4_102_444_800

const used = new Set<string>()
let node: RegionProcess

beforeAll(async () => {
  node = await RegionProcess.prepare({ name: 'A', id: 1 })
  await node.start()
})

afterAll(async () => {
  await node.dispose()
})

function connect(options: RedisOptions = {}): Redis {
  // Replies in the shapes of RESP2 over both protocols, as the library does by default.
  const redis = new Redis({ ...options, port: node.ports.port, replyMapping: 'legacy' })
  redis.on('error', () => {})
  return redis
}

/** A key's time to live is what it was set to, but for the moments since. */
function expectAbout(left: number, set: number): void {
  expect(left).toBeLessThanOrEqual(set)
  expect(left).toBeGreaterThan(set - 30_000)
}

describe.each([2, 3] as const)('ioredis over RESP%i', (protocol) => {
  let redis: Redis

  beforeAll(() => {
    redis = connect({ protocol })
    const send = redis.sendCommand.bind(redis)
    redis.sendCommand = (command, ...rest) => {
      used.add(command.name.toLowerCase())
      return send(command, ...rest)
    }
  })
  afterAll(() => redis.disconnect())
  beforeEach(() => redis.flushall())

  it('speaks the protocol that was asked for', async () => {
    expect(await redis.call('HELLO')).toEqual(expect.arrayContaining(['server', 'redis', 'proto', protocol]))
    expect(await redis.ping()).toBe('PONG')
    expect(await redis.echo('hello')).toBe('hello')
    expect(await redis.client('GETNAME')).toBeNull()
    expect(await redis.client('SETNAME', 'tester')).toBe('OK')
    expect(await redis.client('GETNAME')).toBe('tester')
    expect(await redis.info('server')).toContain('redis_version:')
    expect(await redis.config('GET', 'appendfsync')).toBeTruthy()
    expect(await redis.dbsize()).toBe(0)
  })

  it('strings', async () => {
    expect(await redis.set('k', 'v')).toBe('OK')
    expect(await redis.get('k')).toBe('v')
    expect(await redis.get('none')).toBeNull()
    expect(await redis.set('k', 'w', 'NX')).toBeNull()
    expect(await redis.set('k', 'w', 'XX', 'GET')).toBe('v')
    expect(await redis.set('k', 'x', 'EX', 100)).toBe('OK')
    expect(await redis.set('k', 'y', 'KEEPTTL')).toBe('OK')
    expectAbout((await redis.ttl('k')) * 1000, 100_000)
    expect(await redis.setnx('k', 'z')).toBe(0)
    expect(await redis.setex('s', 100, 'v')).toBe('OK')
    expect(await redis.psetex('s', 100_000, 'v')).toBe('OK')
    expect(await redis.getset('s', 'w')).toBe('v')
    expect(await redis.getdel('s')).toBe('w')
    expect(await redis.getex('k', 'PERSIST')).toBe('y')
    expect(await redis.ttl('k')).toBe(-1)
    expect(await redis.mset('a', '1', 'b', '2')).toBe('OK')
    expect(await redis.mset({ c: '3' })).toBe('OK')
    expect(await redis.msetnx('a', '9', 'd', '9')).toBe(0)
    expect(await redis.mget('a', 'b', 'c', 'd')).toEqual(['1', '2', '3', null])
    expect(await redis.append('k', 'zz')).toBe(3)
    expect(await redis.strlen('k')).toBe(3)
    expect(await redis.getrange('k', 1, -1)).toBe('zz')
    expect(await redis.substr('k', 0, 0)).toBe('y')
    expect(await redis.setrange('k', 1, 'ab')).toBe(3)
    expect(await redis.get('k')).toBe('yab')
    expect(await redis.lcs('k', 'a')).toBe('')
  })

  it('counters', async () => {
    expect(await redis.incr('n')).toBe(1)
    expect(await redis.incrby('n', 41)).toBe(42)
    expect(await redis.decr('n')).toBe(41)
    expect(await redis.decrby('n', 40)).toBe(1)
    expect(await redis.incrbyfloat('n', 0.5)).toBe('1.5')
    await redis.set('text', 'abc')
    await expect(redis.incr('text')).rejects.toThrow('ERR value is not an integer or out of range')
    await redis.sadd('set', 'm')
    await expect(redis.incr('set')).rejects.toThrow('WRONGTYPE')
  })

  it('hashes', async () => {
    expect(await redis.hset('h', 'a', '1', 'b', '2')).toBe(2)
    expect(await redis.hset('h', { c: '3' })).toBe(1)
    expect(await redis.hmset('h', 'd', '4')).toBe('OK')
    expect(await redis.hsetnx('h', 'a', '9')).toBe(0)
    expect(await redis.hget('h', 'a')).toBe('1')
    expect(await redis.hmget('h', 'a', 'none')).toEqual(['1', null])
    expect(await redis.hgetall('h')).toEqual({ a: '1', b: '2', c: '3', d: '4' })
    expect((await redis.hkeys('h')).sort()).toEqual(['a', 'b', 'c', 'd'])
    expect((await redis.hvals('h')).sort()).toEqual(['1', '2', '3', '4'])
    expect(await redis.hdel('h', 'd', 'none')).toBe(1)
    expect(await redis.hlen('h')).toBe(3)
    expect(await redis.hexists('h', 'a')).toBe(1)
    expect(await redis.hstrlen('h', 'a')).toBe(1)
    expect(await redis.hincrby('h', 'a', 5)).toBe(6)
    expect(await redis.hincrbyfloat('h', 'a', 0.25)).toBe('6.25')
    expect(['a', 'b', 'c']).toContain(await redis.hrandfield('h'))
    expect(await redis.hrandfield('h', 10)).toHaveLength(3)
    const [cursor, elements] = await redis.hscan('h', 0)
    expect([cursor, elements.length]).toEqual(['0', 6])
  })

  it('sets', async () => {
    expect(await redis.sadd('s', 'a', 'b', 'c')).toBe(3)
    expect(await redis.sadd('t', 'b', 'c', 'd')).toBe(3)
    expect(await redis.srem('s', 'none')).toBe(0)
    expect(await redis.sismember('s', 'a')).toBe(1)
    expect(await redis.smismember('s', 'a', 'z')).toEqual([1, 0])
    expect((await redis.smembers('s')).sort()).toEqual(['a', 'b', 'c'])
    expect(await redis.scard('s')).toBe(3)
    expect((await redis.sinter('s', 't')).sort()).toEqual(['b', 'c'])
    expect(await redis.sintercard(2, 's', 't')).toBe(2)
    expect((await redis.sunion('s', 't')).sort()).toEqual(['a', 'b', 'c', 'd'])
    expect(await redis.sdiff('s', 't')).toEqual(['a'])
    expect(await redis.sinterstore('i', 's', 't')).toBe(2)
    expect(await redis.sunionstore('u', 's', 't')).toBe(4)
    expect(await redis.sdiffstore('d', 's', 't')).toBe(1)
    expect(await redis.smove('s', 't', 'a')).toBe(1)
    expect(['b', 'c']).toContain(await redis.srandmember('s'))
    expect(await redis.srandmember('s', -5)).toHaveLength(5)
    expect(['b', 'c']).toContain(await redis.spop('s'))
    expect(await redis.spop('t', 10)).toHaveLength(4)
    expect(await redis.exists('t')).toBe(0)
    const [cursor, members] = await redis.sscan('u', 0, 'MATCH', '[ab]')
    expect([cursor, members.sort()]).toEqual(['0', ['a', 'b']])
  })

  it('keys and deadlines', async () => {
    await redis.mset('a', '1', 'b', '2')
    expect(await redis.type('a')).toBe('string')
    expect(await redis.touch('a', 'b', 'none')).toBe(2)
    expect((await redis.keys('*')).sort()).toEqual(['a', 'b'])
    expect(['a', 'b']).toContain(await redis.randomkey())
    expect(await redis.rename('a', 'c')).toBe('OK')
    expect(await redis.renamenx('c', 'b')).toBe(0)
    expect(await redis.copy('c', 'd')).toBe(1)
    expect(await redis.object('ENCODING', 'd')).toBe('int')
    expect(await redis.move('d', 1)).toBe(1)
    expect(await redis.copy('c', 'd')).toBe(1)
    expect(await redis.expire('c', 100)).toBe(1)
    expect(await redis.pexpire('c', 200_000, 'GT')).toBe(1)
    expectAbout(await redis.pttl('c'), 200_000)
    expect(await redis.expireat('c', FAR_SECONDS)).toBe(1)
    expect(await redis.expiretime('c')).toBe(FAR_SECONDS)
    expect(await redis.pexpireat('c', FAR_SECONDS * 1000 + 5)).toBe(1)
    expect(await redis.pexpiretime('c')).toBe(FAR_SECONDS * 1000 + 5)
    expect(await redis.persist('c')).toBe(1)
    expect(await redis.ttl('c')).toBe(-1)
    expect(await redis.ttl('none')).toBe(-2)
    expect(await redis.del('b', 'none')).toBe(1)
    expect(await redis.unlink('c', 'd')).toBe(2)
    expect(await redis.exists('c', 'd')).toBe(0)
    expect(await redis.wait(0, 10)).toBe(0)
    expect(await redis.call('waitaof', 1, 0, 0)).toEqual([1, 0])
    await redis.sadd('s', '10', '9', '8')
    expect(await redis.sort('s', 'DESC')).toEqual(['10', '9', '8'])
    expect(await redis.sort_ro('s')).toEqual(['8', '9', '10'])
  })

  it('deadlines of fields', async () => {
    await redis.hset('h', { a: '1', b: '2', c: '3' })
    expect(await redis.hexpire('h', 100, 'FIELDS', 2, 'a', 'none')).toEqual([1, -2])
    expect(await redis.hpexpire('h', 200_000, 'GT', 'FIELDS', 1, 'a')).toEqual([1])
    expectAbout((await redis.hpttl('h', 'FIELDS', 1, 'a'))[0]!, 200_000)
    expectAbout((await redis.httl('h', 'FIELDS', 1, 'a'))[0]! * 1000, 200_000)
    expect(await redis.hexpireat('h', FAR_SECONDS, 'FIELDS', 1, 'b')).toEqual([1])
    expect(await redis.hexpiretime('h', 'FIELDS', 2, 'b', 'c')).toEqual([FAR_SECONDS, -1])
    expect(await redis.hpexpireat('h', FAR_SECONDS * 1000 + 5, 'FIELDS', 1, 'b')).toEqual([1])
    expect(await redis.hpexpiretime('h', 'FIELDS', 1, 'b')).toEqual([FAR_SECONDS * 1000 + 5])
    expect(await redis.hpersist('h', 'FIELDS', 1, 'b')).toEqual([1])
    expect(await redis.hexpire('h', 0, 'FIELDS', 1, 'a')).toEqual([2])
    expect(await redis.hgetall('h')).toEqual({ b: '2', c: '3' })
  })

  it('dumps and restores', async () => {
    await redis.hset('h', { a: '1', b: '2' })
    const dump = await redis.dumpBuffer('h')
    expect(await redis.restore('copy', 100_000, dump)).toBe('OK')
    expect(await redis.hgetall('copy')).toEqual({ a: '1', b: '2' })
    expectAbout(await redis.pttl('copy'), 100_000)
    await expect(redis.restore('copy', 0, dump)).rejects.toThrow(/^BUSYKEY/)
  })

  it('lists', async () => {
    expect(await redis.rpush('l', 'b', 'c')).toBe(2)
    expect(await redis.lpush('l', 'a')).toBe(3)
    expect(await redis.lrange('l', 0, -1)).toEqual(['a', 'b', 'c'])
    expect(await redis.linsert('l', 'BEFORE', 'c', 'between')).toBe(4)
    expect(await redis.lset('l', 1, 'B')).toBe('OK')
    expect(await redis.lmove('l', 'm', 'LEFT', 'RIGHT')).toBe('a')
    expect(await redis.blmpop(1, 2, 'none', 'm', 'LEFT')).toEqual(['m', ['a']])
    expect(await redis.blpop('none', 'l', 1)).toEqual(['l', 'B'])
    expect(await redis.lpop('l', 5)).toEqual(['between', 'c'])
    expect(await redis.exists('l', 'm')).toBe(0)
  })

  it('sorted sets, and places on the earth', async () => {
    expect(await redis.zadd('z', 1, 'a', 2.5, 'b', 3, 'c')).toBe(3)
    expect(await redis.zincrby('z', 0.25, 'a')).toBe('1.25')
    expect(await redis.zrange('z', '0', '-1')).toEqual(['a', 'b', 'c'])
    expect(await redis.zscore('z', 'b')).toBe('2.5')
    expect(await redis.zrangebyscore('z', '(1.25', '+inf', 'LIMIT', 0, 1)).toEqual(['b'])
    expect(await redis.zpopmax('z')).toEqual(['c', '3'])
    expect(await redis.bzpopmin('none', 'z', 1)).toEqual(['z', 'a', '1.25'])
    await redis.geoadd('cities', 10.75, 59.91, 'oslo', 13.4, 52.52, 'berlin')
    expect(await redis.geosearch('cities', 'FROMMEMBER', 'oslo', 'BYRADIUS', 100, 'km')).toEqual(['oslo'])
    expect(Number(await redis.geodist('cities', 'oslo', 'berlin')) / 1000).toBeCloseTo(838, -1)
  })

  it('streams and their groups', async () => {
    const first = (await redis.xadd('x', '*', 'field', 'one'))!
    await redis.xadd('x', '*', 'field', 'two')
    expect(await redis.xlen('x')).toBe(2)
    expect(await redis.xgroup('CREATE', 'x', 'readers', '0')).toBe('OK')
    const read = await redis.xreadgroup('GROUP', 'readers', 'me', 'COUNT', 1, 'STREAMS', 'x', '>')
    expect(read).toEqual([['x', [[first, ['field', 'one']]]]])
    expect(await redis.xack('x', 'readers', first)).toBe(1)
    expect(await redis.xrange('x', `(${first}`, '+')).toHaveLength(1)
  })

  it('HyperLogLog', async () => {
    expect(await redis.pfadd('p', 'a', 'b')).toBe(1)
    expect(await redis.pfadd('q', 'b', 'c')).toBe(1)
    expect(await redis.pfcount('p', 'q')).toBe(3)
    expect(await redis.pfmerge('p', 'q')).toBe('OK')
    expect(await redis.pfcount('p')).toBe(3)
  })

  it('scripts', async () => {
    redis.defineCommand('swap', {
      numberOfKeys: 2,
      lua: `local was = redis.call('GET', KEYS[1])
            redis.call('SET', KEYS[1], redis.call('GET', KEYS[2]))
            redis.call('SET', KEYS[2], was)
            return {KEYS[1], was}`,
    })
    await redis.mset('one', '1', 'two', '2')
    const swap = Reflect.get(redis, 'swap') as (...keys: string[]) => Promise<unknown>
    expect(await swap.call(redis, 'one', 'two')).toEqual(['one', '1'])
    expect(await redis.mget('one', 'two')).toEqual(['2', '1'])
  })

  it('logical databases', async () => {
    await redis.set('k', 'zero')
    expect(await redis.select(3)).toBe('OK')
    expect(await redis.get('k')).toBeNull()
    await redis.set('k', 'three')
    expect(await redis.flushdb()).toBe('OK')
    expect(await redis.select(0)).toBe('OK')
    expect(await redis.get('k')).toBe('zero')
  })

  it('pipelines', async () => {
    const count = 10_000
    const pipeline = redis.pipeline()
    for (let i = 0; i < count; i++) pipeline.incr('n')
    pipeline.sadd('n', 'wrong type')
    const results = (await pipeline.exec())!
    expect(results.slice(0, count).map(([, reply]) => reply)).toEqual(
      Array.from({ length: count }, (_, i) => i + 1),
    )
    expect(results[count]![0]?.message).toContain('WRONGTYPE')
  })

  it('transactions', async () => {
    const results = await redis.multi().set('a', '1').incr('a').sadd('a', 'x').hgetall('none').exec()
    expect(results!.map(([, reply]) => reply).slice(0, 2)).toEqual(['OK', 2])
    expect(results![2]![0]?.message).toContain('WRONGTYPE')
    expect(await redis.get('a')).toBe('2')

    const other = connect({ protocol })
    await redis.watch('a')
    await other.set('a', 'changed')
    expect(await redis.multi().set('a', 'lost').exec()).toBeNull()
    await redis.watch('a')
    await redis.unwatch()
    await other.set('a', 'again')
    other.disconnect()
    expect(await redis.multi().get('a').exec()).toEqual([[null, 'again']])

    await redis.multi({ pipeline: false })
    await redis.set('a', 'never')
    expect(await redis.discard()).toBe('OK')
    expect(await redis.get('a')).toBe('again')
  })

  it('scan streams', async () => {
    const count = 5000
    const pipeline = redis.pipeline()
    for (let i = 0; i < count; i++) {
      pipeline.set(`key:${i}`, 'v')
      pipeline.sadd('members', `member:${i}`)
      pipeline.hset('fields', `field:${i}`, 'v')
    }
    await pipeline.exec()
    expect((await collected(redis.scanStream({ match: 'key:*', count: 100 }))).size).toBe(count)
    expect((await collected(redis.sscanStream('members', { count: 100 }))).size).toBe(count)
    const fields = await collected(redis.hscanStream('fields', { match: '*9', count: 100 }))
    fields.delete('v')
    expect(fields.size).toBe(count / 10)
  })

  it('binary keys and values', async () => {
    const bytes = Buffer.from(Array.from({ length: 512 }, (_, i) => i & 255))
    await redis.set(bytes, bytes)
    expect(await redis.getBuffer(bytes)).toEqual(bytes)
    await redis.hset('h', bytes, bytes)
    expect(await redis.hgetBuffer('h', bytes)).toEqual(bytes)
    await redis.sadd('s', bytes)
    expect(await redis.smembersBuffer('s')).toEqual([bytes])
    expect((await redis.pipeline().getBuffer(bytes).exec())![0]![1]).toEqual(bytes)
    await redis.set('text', 'grüße 🌍')
    expect(await redis.get('text')).toBe('grüße 🌍')
    expect(await redis.strlen('text')).toBe(Buffer.byteLength('grüße 🌍'))
  })

  it('big values', async () => {
    const big = Buffer.alloc(BIG_BYTES, 'causeway')
    expect(await redis.set('big', big)).toBe('OK')
    expect(await redis.strlen('big')).toBe(BIG_BYTES)
    expect((await redis.getBuffer('big'))!.equals(big)).toBe(true)
    expect(await redis.getrange('big', -8, -1)).toBe('causeway')
  })
})

describe('ioredis', () => {
  it('finds its data again when the node is killed and comes back', async () => {
    const redis = connect({ retryStrategy: () => 50, maxRetriesPerRequest: null })
    await redis.set('kept', 'yes')
    await node.kill()
    // Sent while nobody listens: the client keeps it until it is connected again.
    const later = redis.get('kept')
    await node.start()
    expect(await later).toBe('yes')
    redis.disconnect()
  })

  it('is told in words that a password is wanted', async () => {
    const redis = connect()
    await redis.config('SET', 'requirepass', 'secret')
    const stranger = connect({ retryStrategy: () => null })
    const refusal = new Promise<Error>((resolve) => stranger.once('error', resolve))
    expect((await refusal).message).toMatch(/^NOAUTH /)
    const known = connect({ password: 'secret' })
    expect(await known.ping()).toBe('PONG')
    await known.config('SET', 'requirepass', '')
    for (const client of [redis, stranger, known]) client.disconnect()
  })

  it('was asked for every data command that the command table has', () => {
    const commands = commandTable.commands.filter(({ group }) => DATA_GROUPS.includes(group))
    // MULTI and EXEC are sent by the pipeline itself.
    const unused = commands
      .map(({ name }) => name)
      .filter((name) => !used.has(name) && name !== 'exec' && name !== 'scan')
    expect(unused).toEqual([])
  })
})

async function collected(stream: AsyncIterable<string[]>): Promise<Set<string>> {
  const all = new Set<string>()
  for await (const page of stream) for (const element of page) all.add(element)
  return all
}
