/**
 * workload.ts: what clients ask for: real commands on a few keys, so that regions meet on all of them.
 *
 * Keys are named by what mostly lives under them; `mixed` writes any type anywhere, which is how a key
 * comes to have several types. Counters under `sum:` are only ever incremented, so that their sum can be
 * worked out from the replies alone.
 */
import type { Prng } from '../harness/prng.ts'
import type { Words } from '../harness/redis-model/plain-data.ts'
import { Draws } from './draws.ts'
import { FURTHER_FAMILIES } from './further-families.ts'
import { FAMILIES, type Family, type SimOptions } from './options.ts'
import { call, evalOf } from './script-words.ts'

export const SUM_PREFIX = 'sum:'

/** What cannot be a command among others. */
const RUNNING_OTHERS: ReadonlySet<Family> = new Set(['transactions', 'scripts', 'libraries'])

export class Workload {
  readonly #prng: Prng
  readonly #options: SimOptions
  readonly #draws: Draws

  constructor(prng: Prng, options: SimOptions) {
    this.#prng = prng
    this.#options = options
    this.#draws = new Draws(prng, options)
  }

  /** What a client sends at once: one command, a few, or a transaction. @param nowMs  its idea of the time */
  next(nowMs: number): Words[] {
    const prng = this.#prng
    const family = this.#family()
    if (family === 'transactions') return this.#transaction(nowMs)
    if (family === 'scripts') return [this.#script(nowMs)]
    if (family === 'libraries') return [this.#library(nowMs)]
    const count = prng.chance(0.2) ? prng.between(2, 5) : 1
    return Array.from({ length: count }, () => this.#command(family, nowMs))
  }

  #family(): Family {
    return this.#prng.weighted(FAMILIES.map((family) => [this.#options.families[family], family] as const))
  }

  #transaction(nowMs: number): Words[] {
    const prng = this.#prng
    const body = Array.from({ length: prng.between(1, 4) }, () => {
      const family = this.#family()
      return this.#command(RUNNING_OTHERS.has(family) ? 'strings' : family, nowMs)
    })
    const watch = prng.chance(0.2) ? [['WATCH', this.#draws.key('string')]] : []
    return [...watch, ['MULTI'], ...body, ['EXEC']]
  }

  /** A few commands as one EVAL, which goes on when one of them fails; or dies behind the last. */
  #script(nowMs: number): Words {
    const prng = this.#prng
    const families = [
      'strings',
      'floats',
      'hashes',
      'sets',
      'lists',
      'zsets',
      'hyperloglogs',
      'mixed',
    ] as const
    const body = Array.from({ length: prng.between(1, 4) }, () => this.#command(prng.pick(families), nowMs))
    return evalOf(body, prng.chance(0.2))
  }

  /** A library comes, goes, or runs a few commands; or a script is run by its digest. */
  #library(nowMs: number): Words {
    const prng = this.#prng
    if (prng.chance(0.5)) return FURTHER_FAMILIES.libraries(this.#draws, nowMs)
    const families = ['strings', 'hashes', 'zsets', 'streams', 'bits', 'deadlines', 'moves'] as const
    const body = Array.from({ length: prng.between(1, 4) }, () => this.#command(prng.pick(families), nowMs))
    return call(prng.pick(['FCALL', 'FCALL', 'EVALSHA']), body)
  }

  #zset(delta: string): Words {
    const key = () => this.#draws.key('zset')
    const lonLat = () => [String(this.#prng.between(-179, 179)), String(this.#prng.between(-80, 80))]
    return this.#prng.pick<() => Words>([
      () => ['ZADD', key(), this.#draws.score(), this.#draws.member()],
      () => ['ZADD', key(), this.#draws.score(), this.#draws.member(), delta, this.#draws.member()],
      () => ['ZADD', key(), this.#prng.pick(['NX', 'XX', 'GT', 'LT']), 'CH', delta, this.#draws.member()],
      () => ['ZADD', key(), 'INCR', this.#draws.score(), this.#draws.member()],
      () => ['ZINCRBY', key(), this.#prng.pick(['0.1', '0.2', '-0.3', delta]), this.#draws.member()],
      () => ['ZINCRBY', key(), this.#draws.score(), this.#draws.member()],
      () => ['ZREM', key(), this.#draws.member(), this.#draws.member()],
      () => [this.#prng.pick(['ZPOPMIN', 'ZPOPMAX']), key(), String(this.#prng.between(1, 2))],
      () => ['ZMPOP', '2', key(), key(), this.#prng.pick(['MIN', 'MAX'])],
      () => [this.#prng.pick(['BZPOPMIN', 'BZPOPMAX']), key(), key(), '0.05'],
      () => ['BZMPOP', '0.05', '2', key(), key(), this.#prng.pick(['MIN', 'MAX']), 'COUNT', '2'],
      () => ['ZREMRANGEBYRANK', key(), '0', '0'],
      () => ['ZREMRANGEBYSCORE', key(), '(0', delta],
      () => ['ZREMRANGEBYLEX', key(), '[b', '(d'],
      () => ['GEOADD', key(), ...lonLat(), this.#draws.member()],
    ])()
  }

  #list(): Words {
    const prng = this.#prng
    const key = () => this.#draws.key('list')
    const end = () => prng.pick(['LEFT', 'RIGHT'])
    const index = () => String(prng.between(-3, 3))
    const push = () => [prng.pick(['LPUSH', 'RPUSH']), key(), this.#draws.value(), this.#draws.value()]
    return prng.pick<() => Words>([
      push,
      push,
      () => [prng.pick(['LPUSH', 'RPUSH', 'LPUSHX', 'RPUSHX']), key(), this.#draws.member()],
      () => [prng.pick(['LPOP', 'RPOP']), key()],
      () => [prng.pick(['LPOP', 'RPOP']), key(), String(prng.between(1, 3))],
      () => ['LINSERT', key(), prng.pick(['BEFORE', 'AFTER']), this.#draws.member(), this.#draws.value()],
      () => ['LSET', key(), index(), this.#draws.member()],
      () => ['LREM', key(), String(prng.between(-2, 2)), this.#draws.member()],
      () => ['LTRIM', key(), index(), index()],
      () => ['LMOVE', key(), key(), end(), end()],
      () => ['RPOPLPUSH', key(), key()],
      () => ['LMPOP', '2', key(), key(), end(), 'COUNT', '2'],
      () => [prng.pick(['BLPOP', 'BRPOP']), key(), key(), '0.05'],
      () => ['BLMOVE', key(), key(), end(), end(), '0.05'],
      () => ['BRPOPLPUSH', key(), key(), '0.05'],
      () => ['BLMPOP', '0.05', '2', key(), key(), end()],
      () => ['SORT', key(), 'ALPHA', 'STORE', key()],
      () => ['LRANGE', key(), '0', '-1'],
    ])()
  }

  #stream(): Words {
    const prng = this.#prng
    const key = () => this.#draws.key('stream')
    const group = () => prng.pick(['g', 'h'])
    const consumer = () => prng.pick(['alice', 'bob'])
    const id = () => `${prng.between(1, 9)}-${prng.between(0, 2)}`
    const read = () => ['XREADGROUP', 'GROUP', group(), consumer(), 'COUNT', String(prng.between(1, 5))]
    return prng.pick<() => Words>([
      () => ['XADD', key(), '*', 'f', this.#draws.value()],
      () => ['XADD', key(), '*', 'f', this.#draws.value(), 'g', this.#draws.value()],
      () => ['XADD', key(), String(prng.between(1, 9)), 'f', this.#draws.value()],
      () => ['XADD', key(), id(), 'f', this.#draws.value()],
      () => ['XADD', key(), 'MAXLEN', String(prng.between(0, 6)), '*', 'f', this.#draws.value()],
      () => ['XADD', key(), 'NOMKSTREAM', 'MINID', id(), '*', 'f', this.#draws.value()],
      () => ['XDEL', key(), id(), id()],
      () => ['XTRIM', key(), 'MAXLEN', prng.pick(['=', '~']), String(prng.between(0, 4))],
      () => ['XSETID', key(), `${prng.between(5, 12)}-0`],
      () => ['XGROUP', 'CREATE', key(), group(), prng.pick(['0', '$', id()]), 'MKSTREAM'],
      () => ['XGROUP', 'CREATE', key(), group(), prng.pick(['0', '$', id()]), 'MKSTREAM'],
      () => ['XGROUP', 'DESTROY', key(), group()],
      () => ['XGROUP', 'SETID', key(), group(), prng.pick(['0', '$', id()])],
      () => ['XGROUP', 'CREATECONSUMER', key(), group(), consumer()],
      () => ['XGROUP', 'DELCONSUMER', key(), group(), consumer()],
      () => [...read(), 'STREAMS', key(), '>'],
      () => [...read(), 'BLOCK', '50', 'STREAMS', key(), '>'],
      () => [...read(), 'STREAMS', key(), '0'],
      () => ['XREAD', 'BLOCK', '50', 'STREAMS', key(), '$'],
      () => ['XACK', key(), group(), id(), id()],
      () => ['XCLAIM', key(), group(), consumer(), '0', id(), 'FORCE'],
      () => ['XAUTOCLAIM', key(), group(), consumer(), '0', '0'],
    ])()
  }

  #command(family: Family, nowMs: number): Words {
    const prng = this.#prng
    const delta = String(prng.between(-3, 9))
    const float = prng.pick(['0.1', '-2.25', '1e-3', '3'])
    const ttlMs = String(prng.pick([1, 30, 300, 3000, 60_000]))
    switch (family) {
      case 'strings':
        return prng.pick<() => Words>([
          () => ['SET', this.#draws.key('string'), this.#draws.value()],
          () => ['SET', this.#draws.key('string'), this.#draws.value(), 'PX', ttlMs],
          () => ['SET', this.#draws.key('string'), this.#draws.value(), 'NX'],
          () => ['SET', this.#draws.key('string'), this.#draws.value(), 'KEEPTTL'],
          () => ['APPEND', this.#draws.key('string'), this.#draws.value()],
          () => ['SETRANGE', this.#draws.key('string'), '2', this.#draws.value()],
          () => ['GETSET', this.#draws.key('string'), this.#draws.value()],
          () => ['MSET', this.#draws.key('string'), this.#draws.value(), this.#draws.key('count'), delta],
        ])()
      case 'counters':
        return prng.pick<() => Words>([
          () => ['INCRBY', this.#draws.key('count'), delta],
          () => ['DECR', this.#draws.key('count')],
          () => ['INCRBY', `${SUM_PREFIX}${prng.below(2)}`, String(prng.between(1, 9))],
          () => ['SET', this.#draws.key('count'), delta],
          () => ['INCRBY', this.#draws.key('count'), '4611686018427387904'],
        ])()
      case 'floats':
        return prng.pick<() => Words>([
          () => ['INCRBYFLOAT', this.#draws.key('float'), float],
          () => ['INCRBYFLOAT', this.#draws.key('count'), float],
          () => ['SET', this.#draws.key('float'), float],
          () => ['HINCRBYFLOAT', this.#draws.key('hash'), this.#draws.member(), float],
        ])()
      case 'hashes':
        return prng.pick<() => Words>([
          () => ['HSET', this.#draws.key('hash'), this.#draws.member(), this.#draws.value()],
          () => ['HSET', this.#draws.key('hash'), 'a', this.#draws.value(), 'b', delta],
          () => ['HDEL', this.#draws.key('hash'), this.#draws.member()],
          () => ['HINCRBY', this.#draws.key('hash'), this.#draws.member(), delta],
          () => ['HPEXPIRE', this.#draws.key('hash'), ttlMs, 'FIELDS', '1', this.#draws.member()],
          () => ['HPERSIST', this.#draws.key('hash'), 'FIELDS', '2', 'a', 'b'],
          () => ['HSETNX', this.#draws.key('hash'), this.#draws.member(), delta],
        ])()
      case 'sets':
        return prng.pick<() => Words>([
          () => ['SADD', this.#draws.key('set'), this.#draws.member(), this.#draws.member()],
          () => ['SREM', this.#draws.key('set'), this.#draws.member()],
          () => ['SPOP', this.#draws.key('set')],
          () => ['SMOVE', this.#draws.key('set'), this.#draws.key('set'), this.#draws.member()],
        ])()
      case 'hyperloglogs':
        return prng.pick<() => Words>([
          () => ['PFADD', this.#draws.key('hll'), this.#draws.member(), this.#draws.member()],
          () => ['PFADD', this.#draws.key('hll'), this.#draws.value()],
          () => ['PFADD', this.#draws.key('hll')],
          () => ['PFMERGE', this.#draws.key('hll'), this.#draws.key('hll')],
          () => ['DEL', this.#draws.key('hll')],
          () => ['PEXPIRE', this.#draws.key('hll'), ttlMs],
          () => ['APPEND', this.#draws.key('hll'), ''],
          () => ['PFCOUNT', this.#draws.key('hll'), this.#draws.key('hll')],
        ])()
      case 'lists':
        return this.#list()
      case 'streams':
        return this.#stream()
      case 'zsets':
        return this.#zset(delta)
      case 'expiry':
        return prng.pick<() => Words>([
          () => ['PEXPIRE', this.#draws.anyKey(), ttlMs],
          () => ['PEXPIREAT', this.#draws.anyKey(), String(nowMs + prng.between(-10, 500))],
          () => ['PERSIST', this.#draws.anyKey()],
          () => ['HPEXPIRE', this.#draws.key('hash'), ttlMs, 'GT', 'FIELDS', '2', 'a', 'b'],
          () => [
            'HPEXPIREAT',
            this.#draws.key('hash'),
            String(nowMs + prng.between(-10, 500)),
            'FIELDS',
            '1',
            this.#draws.member(),
          ],
          () => ['GETEX', this.#draws.key('string'), 'PX', ttlMs],
        ])()
      case 'keys':
        return prng.pick<() => Words>([
          () => ['DEL', this.#draws.anyKey()],
          () => ['UNLINK', this.#draws.anyKey(), this.#draws.anyKey()],
          () => ['GETDEL', this.#draws.key('string')],
          () =>
            this.#options.flushes && prng.chance(0.2)
              ? [prng.pick(['FLUSHALL', 'FLUSHDB'])]
              : ['DEL', this.#draws.anyKey()],
        ])()
      case 'stores':
        return prng.pick<() => Words>([
          () => ['RENAME', this.#draws.anyKey(), this.#draws.anyKey()],
          () => ['COPY', this.#draws.anyKey(), this.#draws.anyKey(), 'REPLACE'],
          () => ['ZRANGESTORE', this.#draws.anyKey(), this.#draws.key('zset'), '0', '1'],
          () => [
            this.#prng.pick(['ZUNIONSTORE', 'ZINTERSTORE', 'ZDIFFSTORE']),
            this.#draws.anyKey(),
            '2',
            this.#draws.key('zset'),
            this.#draws.key(this.#prng.pick(['zset', 'set'])),
          ],
          () => [
            ...['GEOSEARCHSTORE', this.#draws.anyKey(), this.#draws.key('zset'), 'FROMLONLAT', '0', '0'],
            ...['BYRADIUS', '9000', 'km'],
          ],
          () => ['GEORADIUS', this.#draws.key('zset'), '0', '0', '9000', 'km', 'STORE', this.#draws.anyKey()],
          () => [
            'GEORADIUSBYMEMBER',
            this.#draws.key('zset'),
            'a',
            '9000',
            'km',
            'STORE',
            this.#draws.anyKey(),
          ],
          () => ['SUNIONSTORE', this.#draws.key('set'), this.#draws.key('set'), this.#draws.key('set')],
          () => ['SDIFFSTORE', this.#draws.anyKey(), this.#draws.key('set'), this.#draws.key('set')],
        ])()
      case 'mixed':
        return prng.pick<() => Words>([
          () => ['SET', this.#draws.anyKey(), this.#draws.value()],
          () => ['HSET', this.#draws.anyKey(), this.#draws.member(), this.#draws.value()],
          () => ['SADD', this.#draws.anyKey(), this.#draws.member()],
          () => ['RPUSH', this.#draws.anyKey(), this.#draws.member()],
          () => ['ZADD', this.#draws.anyKey(), this.#draws.score(), this.#draws.member()],
          () => ['PFADD', this.#draws.anyKey(), this.#draws.member()],
          () => ['INCR', this.#draws.anyKey()],
          () => ['DEL', this.#draws.anyKey()],
        ])()
      case 'spellings':
      case 'bits':
      case 'deadlines':
      case 'moves':
      case 'readers':
        return FURTHER_FAMILIES[family](this.#draws, nowMs)
      default:
        return prng.pick<() => Words>([
          () => ['GET', this.#draws.key('string')],
          () => ['GET', this.#draws.key('count')],
          () => ['HGETALL', this.#draws.key('hash')],
          () => ['SMEMBERS', this.#draws.key('set')],
          () => ['ZRANGE', this.#draws.key('zset'), '0', '-1', 'WITHSCORES'],
          () => ['PTTL', this.#draws.anyKey()],
          () => ['TYPE', this.#draws.anyKey()],
        ])()
    }
  }
}
