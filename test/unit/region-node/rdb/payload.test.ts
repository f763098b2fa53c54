/**
 * payload.test.ts: values go to Redis and come from it unchanged, in every shape that a redis-server writes; and
 * bytes that mean nothing are refused.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { portableLatin1 } from '../../../../crdt/codec/bytes.ts'
import { openPayload, payloadOf, valueIn } from '../../../../region-node/rdb/payload.ts'
import type { RdbValue } from '../../../../region-node/rdb/values.ts'
import { type Reply, ReplyParser } from '../../../../region-node/resp/parse-reply.ts'
import { Prng } from '../../../harness/prng.ts'
import { RedisReference, redisIsInstalled } from '../../../harness/redis-reference.ts'

function read(payload: string): RdbValue | undefined {
  const from = openPayload(payload, portableLatin1)
  return from === undefined ? undefined : valueIn(from)
}

const INTEGERS = [
  '0',
  '12',
  '13',
  '-1',
  '127',
  '128',
  '-4096',
  '4095',
  '4096',
  '-8388608',
  '8388607',
  '-2147483648',
  '2147483648',
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '007',
  '-0',
  '+1',
]

/** Short and long, packable and not, and integers of every width. */
function word(prng: Prng): string {
  if (prng.chance(0.3)) return prng.pick(INTEGERS)
  if (prng.chance(0.1)) return 'ab'.repeat(prng.below(300))
  if (prng.chance(0.02)) return 'x'.repeat(prng.between(4000, 20_000))
  return String.fromCharCode(...Array.from({ length: prng.below(90) }, () => prng.below(256)))
}

function words(prng: Prng, most: number): string[] {
  return [...new Set(Array.from({ length: prng.between(1, most) }, () => word(prng)))]
}

function pairs(prng: Prng, most: number): string[] {
  return words(prng, most).flatMap((field) => [field, word(prng)])
}

const SCORES = ['0', '-0', '1.5', '-3', '1e300', 'inf', '-inf', '0.1', '3.0000000000000004']

const makers = {
  string: (prng: Prng): string[] => ['SET', 'k', word(prng)],
  hash: (prng: Prng): string[] => ['HSET', 'k', ...pairs(prng, prng.pick([3, 600]))],
  set: (prng: Prng): string[] => ['SADD', 'k', ...words(prng, prng.pick([3, 600]))],
  integers: (prng: Prng): string[] => [
    'SADD',
    'k',
    ...prng.pick([INTEGERS.slice(0, 5), INTEGERS.slice(0, 15)]),
  ],
  zset: (prng: Prng): string[] => [
    'ZADD',
    'k',
    ...words(prng, prng.pick([3, 300])).flatMap((member) => [prng.pick(SCORES), member]),
  ],
  list: (prng: Prng): string[] => [
    'RPUSH',
    'k',
    ...Array.from({ length: prng.pick([1, 3, 900]) }, () => word(prng)),
  ],
} as const

describe.skipIf(!redisIsInstalled)('redis-server', () => {
  let redis: RedisReference
  beforeAll(async () => {
    redis = await RedisReference.start()
  })
  afterAll(() => redis.stop())

  async function ask(...words: string[]): Promise<Reply> {
    const parser = new ReplyParser()
    parser.feed(await redis.exchange(words))
    return parser.next()!.value
  }

  /** What the key holds, as its own commands tell it. */
  async function held(key: string): Promise<RdbValue> {
    const type = await ask('TYPE', key)
    const strings = async (...command: string[]) => (await ask(...command)) as string[]
    switch (type) {
      case 'string':
        return { type, text: (await ask('GET', key)) as string }
      case 'hash':
        return { type, pairs: await strings('HGETALL', key) }
      case 'set':
        return { type, members: await strings('SMEMBERS', key) }
      case 'list':
        return { type, elements: await strings('LRANGE', key, '0', '-1') }
      case 'zset': {
        const all = await strings('ZRANGE', key, '0', '-1', 'WITHSCORES')
        const scores = all
          .filter((_, i) => i % 2 === 1)
          .map((text) => Number(text.replace('inf', 'Infinity')))
        return { type, members: all.filter((_, i) => i % 2 === 0), scores }
      }
      default:
        throw new Error(`a ${String(type)}`)
    }
  }

  /** Where the order says nothing, sorted. */
  function plain(value: RdbValue | undefined): unknown {
    if (value?.type === 'set') return [...value.members].sort()
    if (value?.type === 'hash') return Object.entries(byName(value.pairs)).sort()
    if (value?.type === 'zset') return value.members.map((member, i) => [member, value.scores[i]! + 0]).sort()
    return value
  }

  function byName(all: readonly string[]): Record<string, string> {
    return Object.fromEntries(all.flatMap((name, i) => (i % 2 === 0 ? [[`.${name}`, all[i + 1]!]] : [])))
  }

  const compact = ['hash-max-listpack-entries', 'zset-max-listpack-entries', 'set-max-intset-entries']

  for (const [name, make] of Object.entries(makers)) {
    it(`and Causeway read each other's values: ${name}`, async () => {
      const prng = new Prng(7)
      for (let round = 0; round < 40; round++) {
        for (const setting of compact) await ask('CONFIG', 'SET', setting, prng.pick(['0', '512']))
        await ask('CONFIG', 'SET', 'list-max-listpack-size', prng.pick(['-2', '2', '100']))
        await ask('CONFIG', 'SET', 'list-compress-depth', prng.pick(['0', '1']))
        await ask('DEL', 'k', 'l')
        await ask(...make(prng))
        const expected = await held('k')
        const theirs = read((await ask('DUMP', 'k')) as string)
        expect(plain(theirs)).toEqual(plain(expected))
        expect(await ask('RESTORE', 'l', '0', payloadOf(expected, portableLatin1))).toBe('OK')
        expect(plain(await held('l'))).toEqual(plain(expected))
      }
    }, 60_000)
  }

  /** All that a stream tells of itself, but for how it lies in memory. */
  async function told(key: string): Promise<unknown> {
    const info = (await ask('XINFO', 'STREAM', key, 'FULL', 'COUNT', '0')) as Reply[]
    return info.filter((_, i) => !String(info[i - (i % 2)]).startsWith('radix-tree'))
  }

  it('gives a stream back with its groups, its consumers and what is pending', async () => {
    const prng = new Prng(8)
    for (let round = 0; round < 20; round++) {
      await ask('DEL', 'k', 'l')
      await ask('CONFIG', 'SET', 'stream-node-max-entries', prng.pick(['3', '100']))
      for (let i = 1; i <= prng.pick([1, 5, 250]); i++) {
        const fields = prng.chance(0.5) ? ['a', word(prng), 'b', word(prng)] : [word(prng), '1']
        await ask(
          'XADD',
          'k',
          prng.chance(0.5) ? `${i}-${prng.below(9)}` : `${i}-18446744073709551615`,
          ...fields,
        )
      }
      for (const group of ['g', 'other']) {
        await ask('XGROUP', 'CREATE', 'k', group, prng.pick(['0', '3', '$']))
        await ask('XREADGROUP', 'GROUP', group, 'someone', 'COUNT', '3', 'STREAMS', 'k', '>')
        await ask('XREADGROUP', 'GROUP', group, 'another', 'COUNT', '2', 'STREAMS', 'k', '>')
        await ask('XREADGROUP', 'GROUP', group, 'another', 'STREAMS', 'k', '0')
      }
      await ask('XDEL', 'k', '2-18446744073709551615', '4-18446744073709551615')
      const stream = read((await ask('DUMP', 'k')) as string)!
      expect(await ask('RESTORE', 'l', '0', payloadOf(stream, portableLatin1))).toBe('OK')
      expect(await told('l')).toEqual(await told('k'))
      const entries = stream.type === 'stream' ? stream.entries : []
      expect(entries.map(({ ms, sequence, fields }) => [`${ms}-${sequence}`, fields])).toEqual(
        await ask('XRANGE', 'k', '-', '+'),
      )
    }
  }, 60_000)

  it('writes the same bytes for a short string', async () => {
    for (const text of ['', 'hello', ...INTEGERS]) {
      await ask('SET', 'k', text)
      expect(payloadOf({ type: 'string', text }, portableLatin1)).toBe(await ask('DUMP', 'k'))
    }
  })
})

describe('a payload', () => {
  const payload = payloadOf({ type: 'hash', pairs: ['a', '1', 'b', 'word'] }, portableLatin1)

  it('is refused when any byte of it has changed', () => {
    for (let i = 0; i < payload.length; i++) {
      const changed = String.fromCharCode(payload.charCodeAt(i) ^ 1)
      expect(
        openPayload(payload.slice(0, i) + changed + payload.slice(i + 1), portableLatin1),
      ).toBeUndefined()
    }
    expect(openPayload(payload.slice(0, 9), portableLatin1)).toBeUndefined()
  })

  it('is no value when it holds nothing, one name twice, or more than one value', () => {
    const refused: RdbValue[] = [
      { type: 'hash', pairs: [] },
      { type: 'set', members: [] },
      { type: 'set', members: ['a', 'a'] },
      { type: 'hash', pairs: ['a', '1', 'a', '2'] },
      { type: 'zset', members: ['a'], scores: [Number.NaN] },
    ]
    for (const value of refused) expect(read(payloadOf(value, portableLatin1))).toBeUndefined()
  })
})
