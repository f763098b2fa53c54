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
      return this.#command(family === 'transactions' ? 'strings' : family, nowMs)
    })
    const watch = prng.chance(0.2) ? [['WATCH', this.#key('string')]] : []
    return [...watch, ['MULTI'], ...body, ['EXEC']]
  }

  #key(kind: string): string {
    return `${kind}:${this.#prng.below(this.#options.keyCount)}`
  }

  #anyKey(): string {
    return this.#key(this.#prng.pick(['string', 'count', 'float', 'hash', 'set']))
  }

  /** A value that no other command writes, or one that commands read as a number. */
  #value(): string {
    const prng = this.#prng
    return prng.chance(0.3) ? String(prng.between(-5, 50)) : `v${++this.#made}`
  }

  #member(): string {
    return this.#prng.pick(['a', 'b', 'c', 'd'])
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
          () => ['HSETNX', this.#key('hash'), this.#member(), delta],
        ])()
      case 'sets':
        return prng.pick<() => Words>([
          () => ['SADD', this.#key('set'), this.#member(), this.#member()],
          () => ['SREM', this.#key('set'), this.#member()],
          () => ['SPOP', this.#key('set')],
          () => ['SMOVE', this.#key('set'), this.#key('set'), this.#member()],
        ])()
      case 'expiry':
        return prng.pick<() => Words>([
          () => ['PEXPIRE', this.#anyKey(), ttlMs],
          () => ['PEXPIREAT', this.#anyKey(), String(nowMs + prng.between(-10, 500))],
          () => ['PERSIST', this.#anyKey()],
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
          () => ['SUNIONSTORE', this.#key('set'), this.#key('set'), this.#key('set')],
          () => ['SDIFFSTORE', this.#anyKey(), this.#key('set'), this.#key('set')],
        ])()
      case 'mixed':
        return prng.pick<() => Words>([
          () => ['SET', this.#anyKey(), this.#value()],
          () => ['HSET', this.#anyKey(), this.#member(), this.#value()],
          () => ['SADD', this.#anyKey(), this.#member()],
          () => ['INCR', this.#anyKey()],
          () => ['DEL', this.#anyKey()],
        ])()
      default:
        return prng.pick<() => Words>([
          () => ['GET', this.#key('string')],
          () => ['GET', this.#key('count')],
          () => ['HGETALL', this.#key('hash')],
          () => ['SMEMBERS', this.#key('set')],
          () => ['PTTL', this.#anyKey()],
          () => ['TYPE', this.#anyKey()],
        ])()
    }
  }
}
