/**
 * hll-registers.test.ts: hash, registers and estimate against what redis-server makes of the same elements.
 *
 * The bytes of the sparse form depend on the writer's past in Redis where more than four registers in a row have
 * one value; elements here are few enough for that not to come up, and a case of it is written down.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { indexOf, levelOf, packed, REGISTER_COUNT, raiseOf } from '../../../crdt/hll-hash.ts'
import {
  CARD_ZERO,
  cardOf,
  countOfCard,
  estimate,
  HllRegisters,
  isHllText,
  staleCard,
} from '../../../crdt/hll-registers.ts'
import { Prng } from '../../harness/prng.ts'
import { RedisReference, redisIsInstalled } from '../../harness/redis-reference.ts'

/** A random word of bytes, of any length around those at which the hash goes another way. */
function element(prng: Prng): string {
  return String.fromCharCode(...Array.from({ length: prng.below(20) }, () => prng.below(256)))
}

function registersOf(elements: readonly string[]): HllRegisters {
  const registers = new HllRegisters()
  for (const one of elements) registers.raise(raiseOf(one))
  return registers
}

describe('the registers of a HyperLogLog', () => {
  it('keep the highest value each, sparse and dense', () => {
    const prng = new Prng(1)
    for (const levelMax of [3, 30, 63]) {
      const registers = new HllRegisters()
      const expected = new Uint8Array(REGISTER_COUNT)
      for (let i = 0; i < 3000; i++) {
        const index = prng.below(i < 100 ? 200 : REGISTER_COUNT)
        const level = prng.between(1, levelMax)
        expect(registers.raise(packed(index, level))).toBe(expected[index]! < level)
        expected[index] = Math.max(expected[index]!, level)
        expect(registers.get(index)).toBe(expected[index])
      }
      expect(registers.values()).toEqual(expected)
    }
  })

  it('give the same bytes in whatever order they were raised', () => {
    const prng = new Prng(2)
    for (let round = 0; round < 50; round++) {
      const raises = Array.from({ length: 60 }, () => packed(prng.below(40), prng.between(1, 3)))
      const [one, other] = [new HllRegisters(), new HllRegisters()]
      for (const raise of raises) one.raise(raise)
      for (const raise of raises.toReversed()) other.raise(raise)
      expect(other.text(CARD_ZERO)).toBe(one.text(CARD_ZERO))
    }
  })

  it('cut a run of equal values from the left into fours', () => {
    const registers = new HllRegisters()
    for (const index of [4, 2, 0, 5, 3, 1]) registers.raise(packed(index, 7))
    expect(registers.describeSparse()).toBe('v:7,4 v:7,2 Z:16378')
  })

  it('are read from their own text', () => {
    const prng = new Prng(3)
    for (const count of [0, 1, 50, 1000, 20_000]) {
      const registers = registersOf(Array.from({ length: count }, () => element(prng)))
      const text = registers.text(cardOf(12345))
      expect(isHllText(text)).toBe(true)
      expect(text.length).toBe(registers.textBytes)
      const back = HllRegisters.read(text)!
      expect(back.values()).toEqual(registers.values())
      expect(back.text(cardOf(12345))).toBe(text)
    }
  })

  it('are not read from sparse bytes that do not add up', () => {
    const text = new HllRegisters().text(CARD_ZERO)
    expect(HllRegisters.read(text.slice(0, -1))).toBeUndefined()
    expect(HllRegisters.read(`${text}\x00`)).toBeUndefined()
    expect(isHllText(text.slice(0, 15))).toBe(false)
    expect(isHllText(text.replace('HYLL', 'HYLO'))).toBe(false)
  })

  it('show what is sparse as sparse where only storage has gone beyond it', () => {
    const registers = new HllRegisters()
    // Each other register: as many bytes as there can be, until every gap is filled by the same value.
    for (let index = 0; index < 4000; index += 2) registers.raise(packed(index, 1))
    expect(registers.isDense).toBe(true)
    for (let index = 1; index < 4000; index += 2) registers.raise(packed(index, 1))
    expect(registers.isDense).toBe(false)
    expect(registers.hasOutgrownSparse).toBe(true)
    const other = new HllRegisters()
    for (let index = 0; index < 4000; index++) other.raise(packed(index, 1))
    expect(registers.text(CARD_ZERO)).toBe(other.text(CARD_ZERO))
  })
})

describe('a cached cardinality', () => {
  it('is a number as eight bytes, until it is out of date', () => {
    for (const count of [0, 1, 255, 256, 1_000_000, 2 ** 40 + 7])
      expect(countOfCard(cardOf(count))).toBe(count)
    expect(countOfCard(staleCard(cardOf(77)))).toBeUndefined()
  })
})

describe.skipIf(!redisIsInstalled)('redis-server', () => {
  let redis: RedisReference
  beforeAll(async () => {
    redis = await RedisReference.start()
  })
  afterAll(() => redis.stop())

  async function bulk(...words: string[]): Promise<string> {
    const reply = await redis.exchange(words)
    return reply.slice(reply.indexOf('\r\n') + 2, -2)
  }

  it('has the same registers, bytes and estimate after the same elements', async () => {
    const prng = new Prng(4)
    for (const count of [1, 7, 300, 900, 3000, 40_000]) {
      await redis.exchange(['DEL', 'h'])
      const elements = Array.from({ length: count }, () => element(prng))
      for (let i = 0; i < count; i += 500) await redis.exchange(['PFADD', 'h', ...elements.slice(i, i + 500)])
      const registers = registersOf(elements)
      expect(registers.text(staleCard(CARD_ZERO)) === (await bulk('GET', 'h')), `bytes of ${count}`).toBe(
        true,
      )
      const estimated = estimate(registers.values())
      expect(await redis.exchange(['PFCOUNT', 'h'])).toBe(`:${estimated}\r\n`)
      expect(registers.text(cardOf(estimated)) === (await bulk('GET', 'h')), `cached, of ${count}`).toBe(true)
    }
  })

  it('says the same of every single element', async () => {
    const prng = new Prng(5)
    for (let i = 0; i < 300; i++) {
      const one = element(prng)
      await redis.exchange(['DEL', 'h'])
      await redis.exchange(['PFADD', 'h', one])
      const raise = raiseOf(one)
      const before = indexOf(raise) === 0 ? [] : [`${indexOf(raise) > 64 ? 'Z' : 'z'}:${indexOf(raise)}`]
      expect((await bulk('PFDEBUG', 'DECODE', 'h')).split(' ').slice(0, before.length + 1)).toEqual([
        ...before,
        `v:${levelOf(raise)},1`,
      ])
    }
  })
})
