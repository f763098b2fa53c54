/**
 * workload.ts: what clients ask for: real commands on a few keys, so that regions meet on all of them.
 *
 * Keys are named by what mostly lives under them; `mixed` writes any type anywhere, which is how a key
 * comes to have several types. Counters under `sum:` are only ever incremented, so that their sum can be
 * worked out from the replies alone.
 */
import type { Prng } from '../harness/prng.ts'
import { FAMILIES, type Family, type SimOptions } from './options.ts'

export const SUM_PREFIX = 'sum:'

type Words = readonly string[]

/** Runs the commands that ARGV holds one behind the other, each after the number of its words. */
const RUN_ALL = `local at, replies = 1, {}
while at <= #ARGV do
  local count = tonumber(ARGV[at])
  replies[#replies + 1] = redis.pcall(unpack(ARGV, at + 1, at + count))
  at = at + count + 1
end`
/** Behind it: what each of them replied, or an error when all is written. */
const THEN_REPLY = ' return replies'
const THEN_DIE = ` error('died')`

/** What such an EVAL runs, and whether it ends in an error. */
export function partsOfScript([, script, , ...args]: Words): { commands: Words[]; dies: boolean } {
  const commands: Words[] = []
  for (let at = 0; at < args.length; at += Number(args[at]) + 1)
    commands.push(args.slice(at + 1, at + 1 + Number(args[at])))
  return { commands, dies: script!.endsWith(THEN_DIE) }
}

export class Workload {
  readonly #prng: Prng
  readonly #options: SimOptions
  #made = 0

  constructor(prng: Prng, options: SimOptions) {
    this.#prng = prng
    this.#options = options
  }

  /** What a client sends at once: one command, a few, or a transaction. @param nowMs  its idea of the time */
  next(nowMs: number): Words[] {
    const prng = this.#prng
    const family = this.#family()
    if (family === 'transactions') return this.#transaction(nowMs)
    if (family === 'scripts') return [this.#script(nowMs)]
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
      return this.#command(family === 'transactions' || family === 'scripts' ? 'strings' : family, nowMs)
    })
    const watch = prng.chance(0.2) ? [['WATCH', this.#key('string')]] : []
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
    const words = body.flatMap((command) => [String(command.length), ...command])
    return ['EVAL', RUN_ALL + (prng.chance(0.2) ? THEN_DIE : THEN_REPLY), '0', ...words]
  }

  #key(kind: string): string {
    return `${kind}:${this.#prng.below(this.#options.keyCount)}`
  }

  #anyKey(): string {
    return this.#key(
      this.#prng.pick(['string', 'count', 'float', 'hash', 'set', 'list', 'zset', 'hll', 'stream']),
    )
  }

  /** A value that no other command writes, or one that commands read as a number. */
  #value(): string {
    const prng = this.#prng
    return prng.chance(0.3) ? String(prng.between(-5, 50)) : `v${++this.#made}`
  }

  #member(): string {
    return this.#prng.pick(['a', 'b', 'c', 'd'])
  }

  /** Scores that round, cancel and are without end. */
  #score(): string {
    return this.#prng.pick(['1', '2', '-3', '0.1', '0.7', '4.1', '1e16', '9e307', 'inf', '-inf'])
  }

  #zset(delta: string): Words {
    const key = () => this.#key('zset')
    const lonLat = () => [String(this.#prng.between(-179, 179)), String(this.#prng.between(-80, 80))]
    return this.#prng.pick<() => Words>([
      () => ['ZADD', key(), this.#score(), this.#member()],
      () => ['ZADD', key(), this.#score(), this.#member(), delta, this.#member()],
      () => ['ZADD', key(), this.#prng.pick(['NX', 'XX', 'GT', 'LT']), 'CH', delta, this.#member()],
      () => ['ZADD', key(), 'INCR', this.#score(), this.#member()],
      () => ['ZINCRBY', key(), this.#prng.pick(['0.1', '0.2', '-0.3', delta]), this.#member()],
      () => ['ZINCRBY', key(), this.#score(), this.#member()],
      () => ['ZREM', key(), this.#member(), this.#member()],
      () => [this.#prng.pick(['ZPOPMIN', 'ZPOPMAX']), key(), String(this.#prng.between(1, 2))],
      () => ['ZMPOP', '2', key(), key(), this.#prng.pick(['MIN', 'MAX'])],
      () => [this.#prng.pick(['BZPOPMIN', 'BZPOPMAX']), key(), key(), '0.05'],
      () => ['BZMPOP', '0.05', '2', key(), key(), this.#prng.pick(['MIN', 'MAX']), 'COUNT', '2'],
      () => ['ZREMRANGEBYRANK', key(), '0', '0'],
      () => ['ZREMRANGEBYSCORE', key(), '(0', delta],
      () => ['ZREMRANGEBYLEX', key(), '[b', '(d'],
      () => ['GEOADD', key(), ...lonLat(), this.#member()],
    ])()
  }

  #list(): Words {
    const prng = this.#prng
    const key = () => this.#key('list')
    const end = () => prng.pick(['LEFT', 'RIGHT'])
    const index = () => String(prng.between(-3, 3))
    const push = () => [prng.pick(['LPUSH', 'RPUSH']), key(), this.#value(), this.#value()]
    return prng.pick<() => Words>([
      push,
      push,
      () => [prng.pick(['LPUSH', 'RPUSH', 'LPUSHX', 'RPUSHX']), key(), this.#member()],
      () => [prng.pick(['LPOP', 'RPOP']), key()],
      () => [prng.pick(['LPOP', 'RPOP']), key(), String(prng.between(1, 3))],
      () => ['LINSERT', key(), prng.pick(['BEFORE', 'AFTER']), this.#member(), this.#value()],
      () => ['LSET', key(), index(), this.#member()],
      () => ['LREM', key(), String(prng.between(-2, 2)), this.#member()],
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
    const key = () => this.#key('stream')
    const group = () => prng.pick(['g', 'h'])
    const consumer = () => prng.pick(['alice', 'bob'])
    const id = () => `${prng.between(1, 9)}-${prng.between(0, 2)}`
    const read = () => ['XREADGROUP', 'GROUP', group(), consumer(), 'COUNT', String(prng.between(1, 5))]
    return prng.pick<() => Words>([
      () => ['XADD', key(), '*', 'f', this.#value()],
      () => ['XADD', key(), '*', 'f', this.#value(), 'g', this.#value()],
      () => ['XADD', key(), String(prng.between(1, 9)), 'f', this.#value()],
      () => ['XADD', key(), id(), 'f', this.#value()],
      () => ['XADD', key(), 'MAXLEN', String(prng.between(0, 6)), '*', 'f', this.#value()],
      () => ['XADD', key(), 'NOMKSTREAM', 'MINID', id(), '*', 'f', this.#value()],
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
          () => ['SET', this.#key('string'), this.#value()],
          () => ['SET', this.#key('string'), this.#value(), 'PX', ttlMs],
          () => ['SET', this.#key('string'), this.#value(), 'NX'],
          () => ['SET', this.#key('string'), this.#value(), 'KEEPTTL'],
          () => ['APPEND', this.#key('string'), this.#value()],
          () => ['SETRANGE', this.#key('string'), '2', this.#value()],
          () => ['GETSET', this.#key('string'), this.#value()],
          () => ['MSET', this.#key('string'), this.#value(), this.#key('count'), delta],
        ])()
      case 'counters':
        return prng.pick<() => Words>([
          () => ['INCRBY', this.#key('count'), delta],
          () => ['DECR', this.#key('count')],
          () => ['INCRBY', `${SUM_PREFIX}${prng.below(2)}`, String(prng.between(1, 9))],
          () => ['SET', this.#key('count'), delta],
          () => ['INCRBY', this.#key('count'), '4611686018427387904'],
        ])()
      case 'floats':
        return prng.pick<() => Words>([
          () => ['INCRBYFLOAT', this.#key('float'), float],
          () => ['INCRBYFLOAT', this.#key('count'), float],
          () => ['SET', this.#key('float'), float],
          () => ['HINCRBYFLOAT', this.#key('hash'), this.#member(), float],
        ])()
      case 'hashes':
        return prng.pick<() => Words>([
          () => ['HSET', this.#key('hash'), this.#member(), this.#value()],
          () => ['HSET', this.#key('hash'), 'a', this.#value(), 'b', delta],
          () => ['HDEL', this.#key('hash'), this.#member()],
          () => ['HINCRBY', this.#key('hash'), this.#member(), delta],
          () => ['HPEXPIRE', this.#key('hash'), ttlMs, 'FIELDS', '1', this.#member()],
          () => ['HPERSIST', this.#key('hash'), 'FIELDS', '2', 'a', 'b'],
          () => ['HSETNX', this.#key('hash'), this.#member(), delta],
        ])()
      case 'sets':
        return prng.pick<() => Words>([
          () => ['SADD', this.#key('set'), this.#member(), this.#member()],
          () => ['SREM', this.#key('set'), this.#member()],
          () => ['SPOP', this.#key('set')],
          () => ['SMOVE', this.#key('set'), this.#key('set'), this.#member()],
        ])()
      case 'hyperloglogs':
        return prng.pick<() => Words>([
          () => ['PFADD', this.#key('hll'), this.#member(), this.#member()],
          () => ['PFADD', this.#key('hll'), this.#value()],
          () => ['PFADD', this.#key('hll')],
          () => ['PFMERGE', this.#key('hll'), this.#key('hll')],
          () => ['DEL', this.#key('hll')],
          () => ['PEXPIRE', this.#key('hll'), ttlMs],
          () => ['APPEND', this.#key('hll'), ''],
          () => ['PFCOUNT', this.#key('hll'), this.#key('hll')],
        ])()
      case 'lists':
        return this.#list()
      case 'streams':
        return this.#stream()
      case 'zsets':
        return this.#zset(delta)
      case 'expiry':
        return prng.pick<() => Words>([
          () => ['PEXPIRE', this.#anyKey(), ttlMs],
          () => ['PEXPIREAT', this.#anyKey(), String(nowMs + prng.between(-10, 500))],
          () => ['PERSIST', this.#anyKey()],
          () => ['HPEXPIRE', this.#key('hash'), ttlMs, 'GT', 'FIELDS', '2', 'a', 'b'],
          () => [
            'HPEXPIREAT',
            this.#key('hash'),
            String(nowMs + prng.between(-10, 500)),
            'FIELDS',
            '1',
            this.#member(),
          ],
          () => ['GETEX', this.#key('string'), 'PX', ttlMs],
        ])()
      case 'keys':
        return prng.pick<() => Words>([
          () => ['DEL', this.#anyKey()],
          () => ['UNLINK', this.#anyKey(), this.#anyKey()],
          () => ['GETDEL', this.#key('string')],
          () =>
            this.#options.flushes && prng.chance(0.2)
              ? [prng.pick(['FLUSHALL', 'FLUSHDB'])]
              : ['DEL', this.#anyKey()],
        ])()
      case 'stores':
        return prng.pick<() => Words>([
          () => ['RENAME', this.#anyKey(), this.#anyKey()],
          () => ['COPY', this.#anyKey(), this.#anyKey(), 'REPLACE'],
          () => ['ZRANGESTORE', this.#anyKey(), this.#key('zset'), '0', '1'],
          () => [
            this.#prng.pick(['ZUNIONSTORE', 'ZINTERSTORE', 'ZDIFFSTORE']),
            this.#anyKey(),
            '2',
            this.#key('zset'),
            this.#key(this.#prng.pick(['zset', 'set'])),
          ],
          () => [
            ...['GEOSEARCHSTORE', this.#anyKey(), this.#key('zset'), 'FROMLONLAT', '0', '0'],
            ...['BYRADIUS', '9000', 'km'],
          ],
          () => ['GEORADIUS', this.#key('zset'), '0', '0', '9000', 'km', 'STORE', this.#anyKey()],
          () => ['GEORADIUSBYMEMBER', this.#key('zset'), 'a', '9000', 'km', 'STORE', this.#anyKey()],
          () => ['SUNIONSTORE', this.#key('set'), this.#key('set'), this.#key('set')],
          () => ['SDIFFSTORE', this.#anyKey(), this.#key('set'), this.#key('set')],
        ])()
      case 'mixed':
        return prng.pick<() => Words>([
          () => ['SET', this.#anyKey(), this.#value()],
          () => ['HSET', this.#anyKey(), this.#member(), this.#value()],
          () => ['SADD', this.#anyKey(), this.#member()],
          () => ['RPUSH', this.#anyKey(), this.#member()],
          () => ['ZADD', this.#anyKey(), this.#score(), this.#member()],
          () => ['PFADD', this.#anyKey(), this.#member()],
          () => ['INCR', this.#anyKey()],
          () => ['DEL', this.#anyKey()],
        ])()
      default:
        return prng.pick<() => Words>([
          () => ['GET', this.#key('string')],
          () => ['GET', this.#key('count')],
          () => ['HGETALL', this.#key('hash')],
          () => ['SMEMBERS', this.#key('set')],
          () => ['ZRANGE', this.#key('zset'), '0', '-1', 'WITHSCORES'],
          () => ['PTTL', this.#anyKey()],
          () => ['TYPE', this.#anyKey()],
        ])()
    }
  }
}
