/**
 * scan.test.ts: the guarantee of SCAN and its kin, under churn between the calls.
 */
import { describe, expect, it } from 'vitest'
import { Prng } from '../../../harness/prng.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

type Step = [cursor: string, elements: string[]]

/** Walks to the end, calling `between` after each step. */
function walk(step: (cursor: string) => Step, between: () => void = () => {}): string[] {
  const found: string[] = []
  let cursor = '0'
  do {
    const [next, elements] = step(cursor)
    found.push(...elements)
    cursor = next
    between()
  } while (cursor !== '0')
  return found
}

function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => prefix + i)
}

/** The three walks under one name: how to add, remove and step through elements. */
interface Walked {
  add(name: string): void
  remove(name: string): void
  step(cursor: string): Step
}

function walked(kind: string): Walked {
  const engine = new TestEngine()
  const run = (...words: string[]): unknown => engine.run(...words)
  switch (kind) {
    case 'set':
      return {
        add: (name) => run('SADD', 's', name),
        remove: (name) => run('SREM', 's', name),
        step: (cursor) => run('SSCAN', 's', cursor) as Step,
      }
    case 'hash':
      return {
        add: (name) => run('HSET', 'h', name, '1'),
        remove: (name) => run('HDEL', 'h', name),
        step: (cursor) => {
          const [next, pairs] = run('HSCAN', 'h', cursor) as Step
          return [next, pairs.filter((_, i) => i % 2 === 0)]
        },
      }
    default: {
      // Spread over all slots, or crowded in one.
      const key = (name: string): string => (kind === 'slot' ? `{tag}${name}` : name)
      return {
        add: (name) => run('SET', key(name), '1'),
        remove: (name) => run('DEL', key(name)),
        step: (cursor) => {
          const [next, keys] = run('SCAN', cursor) as Step
          return [next, keys.map((one) => one.replace('{tag}', ''))]
        },
      }
    }
  }
}

describe.each(['set', 'hash', 'slot', 'keys'])('a walk through a %s', (kind) => {
  it.each([1, 128, 129, 2000])('meets each of %i elements once when nothing changes', (size) => {
    const { add, step } = walked(kind)
    const all = numbered('e', size)
    for (const name of all) add(name)
    expect(walk(step).sort()).toEqual(all.sort())
  })

  it('meets all that stays while others come and go', () => {
    for (let seed = 1; seed <= 3; seed++) {
      const prng = new Prng(seed)
      const { add, remove, step } = walked(kind)
      const stays = numbered('stays', 1000)
      const moves = numbered('moves', 1500)
      for (const name of [...stays, ...moves]) add(name)
      const gone = new Set<string>()
      const found = walk(
        (cursor) => {
          const [next, names] = step(cursor)
          expect(names.filter((name) => gone.has(name))).toEqual([])
          return [next, names]
        },
        () => {
          for (let i = 0; i < 30; i++) {
            const name = prng.pick(moves)
            if (prng.chance(0.6)) {
              remove(name)
              gone.add(name)
            } else {
              add(name)
              gone.delete(name)
            }
          }
        },
      )
      const met = new Set(found)
      expect(stays.filter((name) => !met.has(name))).toEqual([])
    }
  })

  it('ends when the collection shrinks under it, and answers any cursor', () => {
    const { add, remove, step } = walked(kind)
    for (const name of numbered('e', 500)) add(name)
    const [cursor] = step('0')
    for (const name of numbered('e', 490)) remove(name)
    const rest = walk((at) => step(at === '0' ? cursor : at))
    expect(new Set(rest)).toEqual(new Set(numbered('e', 500).slice(490)))
    for (const strange of ['1', '16384', '9007199254740993', '18446744073709551615', '-1']) {
      expect(step(strange)).toHaveLength(2)
    }
  })
})

describe('SCAN', () => {
  it('returns about COUNT elements of a crowded slot', () => {
    const engine = new TestEngine()
    for (const name of numbered('{tag}', 3000)) engine.run('SET', name, '')
    const [, keys] = engine.run('SCAN', '0', 'COUNT', '50') as Step
    expect(keys).toHaveLength(50)
  })

  it('filters by pattern and type, and shows no key that is due', () => {
    const engine = new TestEngine()
    engine.run('SET', 'a1', '')
    engine.run('SADD', 'a2', 'm')
    engine.run('SET', 'b', '')
    engine.run('SET', 'a3', '', 'PX', '10')
    expect((engine.run('SCAN', '0', 'MATCH', 'a*') as Step)[1].sort()).toEqual(['a1', 'a2', 'a3'])
    expect(engine.run('SCAN', '0', 'MATCH', 'a*', 'TYPE', 'SET')).toEqual(['0', ['a2']])
    engine.wallMs += 11
    expect((engine.run('SCAN', '0') as Step)[1].sort()).toEqual(['a1', 'a2', 'b'])
    expect((engine.run('KEYS', '*') as string[]).sort()).toEqual(['a1', 'a2', 'b'])
  })

  it.each([
    [['SCAN', 'x'], 'ERR invalid cursor'],
    [['SCAN', ' 0'], 'ERR invalid cursor'],
    [['SCAN', '18446744073709551616'], 'ERR invalid cursor'],
    [['SCAN', '0', 'COUNT', '0'], 'ERR syntax error'],
    [['SCAN', '0', 'COUNT', 'x'], 'ERR value is not an integer or out of range'],
    [['SCAN', '0', 'MATCH'], 'ERR syntax error'],
    [['SSCAN', 's', '0', 'TYPE', 'set'], 'ERR syntax error'],
    [['HSCAN', 's', '0'], 'WRONGTYPE Operation against a key holding the wrong kind of value'],
  ])('refuses %j', (words, line) => {
    const engine = new TestEngine()
    engine.run('SADD', 's', 'm')
    expect(engine.run(...words)).toEqual({ line })
  })

  it('takes the cursors that C takes', () => {
    const engine = new TestEngine()
    engine.run('SADD', 's', 'm')
    for (const cursor of ['', '+0', '00', '0\0x', '-0'])
      expect(engine.run('SSCAN', 's', cursor)).toEqual(['0', ['m']])
  })
})
