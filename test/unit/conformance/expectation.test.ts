/**
 * expectation.test.ts: what the conformance cases may say about a reply, and that the runner notices a
 * wrong one: a runner that accepts anything would look like success.
 */
import { describe, expect, it } from 'vitest'
import { type Reply, RespError } from '../../../region-node/resp/parse-reply.ts'
import { type ConflictCase, cases, isRead, pendingOf, readsInTransaction } from '../../conformance/case.ts'
import { type Expectation, satisfies } from '../../conformance/expectation.ts'
import { type CaseRegions, runCase } from '../../conformance/run-case.ts'

const nothing = (): undefined => undefined

describe('an expectation', () => {
  const fits: readonly (readonly [Expectation, Reply])[] = [
    [null, null],
    ['OK', 'OK'],
    [5, 5],
    ['9007199254740993', 9007199254740993n],
    [
      ['a', ['b', 1], null],
      ['a', ['b', 1], null],
    ],
    [{ any: true }, 'whatever'],
    [{ any: true }, null],
    [{ unordered: ['a', 'b', 'a'] }, ['b', 'a', 'a']],
    [{ unordered: [{ any: true }, 'a'] }, ['a', 'b']],
    [{ unordered: [] }, []],
    [{ error: 'WRONGTYPE' }, new RespError('WRONGTYPE Operation against a key')],
    [{ matches: '^[0-9]+-[0-9]+$' }, '12-3'],
    [
      ['x', { matches: 'y' }],
      ['x', 'xyz'],
    ],
  ]
  it.each(fits)('%o fits %o', (expected, reply) => {
    expect(satisfies(reply, expected, nothing)).toBe(true)
  })

  const misfits: readonly (readonly [Expectation, Reply])[] = [
    [null, ''],
    ['5', 5],
    [5, '5'],
    [9007199254740992, 9007199254740993n],
    [['a'], ['a', 'b']],
    [
      ['a', 'b'],
      ['b', 'a'],
    ],
    [['a'], 'a'],
    [{ unordered: ['a', 'b'] }, ['a', 'a']],
    [{ unordered: ['a'] }, ['a', 'b']],
    [{ unordered: ['a'] }, 'a'],
    [{ error: 'ERR' }, 'ERR'],
    [{ error: 'ERR' }, new RespError('WRONGTYPE no ERR')],
    [{ matches: '^a' }, 'ba'],
    [{ matches: '1' }, 1],
    [{ sameAs: 'A' }, 'x'],
  ]
  it.each(misfits)('%o does not fit %o', (expected, reply) => {
    expect(satisfies(reply, expected, nothing)).toBe(false)
  })

  it('can point to what a region last answered to the same command', () => {
    const last = (region: string): Reply | undefined => (region === 'A' ? ['x', 1] : undefined)
    expect(satisfies(['x', 1], { sameAs: 'A' }, last)).toBe(true)
    expect(satisfies(['x', 2], { sameAs: 'A' }, last)).toBe(false)
  })
})

describe('a case', () => {
  /** Regions that answer every command with its last word, and write down what is asked of them. */
  function echoes(): { regions: CaseRegions; log: string[] } {
    const log: string[] = []
    const regions: CaseRegions = {
      async command(region, words) {
        log.push(`${region} ${words.join(' ')}`)
        return words.at(-1)!
      },
      async sync(names) {
        log.push(`sync ${names.join(' ')}`)
      },
      async cutAll() {
        log.push('cut')
      },
      async pass(ms) {
        log.push(`pass ${ms}`)
      },
    }
    return { regions, log }
  }

  const sample: ConflictCase = {
    id: 'sample',
    type: 'string',
    rule: 'A rule.',
    regions: 2,
    steps: [
      { at: 'A', cmd: ['SET', 'k', 'v'], expect: 'v' },
      { sync: true },
      { sync: ['B', 'C'] },
      { sleep: 100 },
      { partition: true },
      { at: 'B', cmd: ['GET', 'k'], expect: { any: true } },
    ],
  }

  it('is played in order, its steps at least 5 ms apart', async () => {
    const { regions, log } = echoes()
    await runCase(sample, regions)
    expect(log.filter((line) => line !== 'pass 5')).toEqual([
      'A SET k v',
      'sync A B',
      'sync B C',
      'pass 100',
      'cut',
      'B GET k',
    ])
    expect(log.filter((line) => line === 'pass 5')).toHaveLength(sample.steps.length - 1)
  })

  it('fails with its story when a reply is wrong', async () => {
    const { regions } = echoes()
    const wrong: ConflictCase = {
      ...sample,
      steps: [...sample.steps, { at: 'B', cmd: ['GET', 'k'], expect: 'w' }],
    }
    await expect(runCase(wrong, regions)).rejects.toThrow(
      /sample: A rule\..*B> \["GET", "k"\] -> "k".*expected: "w"/s,
    )
  })

  it('is pending for want of a command or an ability, and by nothing else', () => {
    expect(pendingOf(sample, new Set())).toBeUndefined()
    const futuristic: ConflictCase = { ...sample, steps: [{ at: 'A', cmd: ['NOSUCH', 'k'], expect: 1 }] }
    expect(pendingOf(futuristic, new Set())?.missing).toEqual(['NOSUCH'])
    const demanding: ConflictCase = { ...sample, requires: ['sleep'] }
    expect(pendingOf(demanding, new Set())?.missing).toEqual(['sleep'])
    expect(pendingOf(demanding, new Set(['sleep']))).toBeUndefined()
  })

  it('knows its reads, and those inside a transaction', () => {
    expect(sample.steps.filter(isRead)).toEqual([sample.steps.at(-1)])
    const open: ConflictCase = {
      ...sample,
      steps: [
        { at: 'A', cmd: ['MULTI'], expect: 'OK' },
        { at: 'B', cmd: ['GET', 'k'], expect: null },
        { at: 'A', cmd: ['EXEC'], expect: [] },
      ],
    }
    expect(readsInTransaction(open)).toBe(true)
    expect(readsInTransaction({ ...open, steps: [open.steps[0]!, open.steps[2]!, open.steps[1]!] })).toBe(
      false,
    )
  })

  it('is in the file as often as there are ids', () => {
    expect(cases.length).toBeGreaterThan(100)
    expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length)
  })
})
