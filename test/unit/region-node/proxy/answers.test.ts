/**
 * answers.test.ts: replies leave in the order of the commands, whatever order they come in.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Answers } from '../../../../region-node/proxy/answers.ts'

describe('Answers', () => {
  it('are in the order of the commands for any order of the pieces, and messages never inside one', () => {
    const choices = fc.array(fc.tuple(fc.nat(), fc.boolean()), { minLength: 40, maxLength: 200 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), choices, (count, draws) => {
        let sent = ''
        const answers = new Answers((text) => {
          sent += text
        })
        const open = Array.from({ length: count }, (_, i) => ({
          answer: answers.open(i % 5 === 4),
          left: 3,
          i,
        }))
        let messages = 0
        const pending = [...open]
        for (const [number, isMessage] of [...draws, ...Array(3 * count).fill([0, false])]) {
          if (isMessage) {
            answers.push('!')
            messages++
          } else if (pending.length > 0) {
            const at = number % pending.length
            const one = pending[at]!
            one.left--
            answers.add(one.answer, String.fromCharCode(97 + one.i), one.left === 0)
            if (one.left === 0) pending.splice(at, 1)
          }
        }
        const told = open.filter(({ i }) => i % 5 !== 4).map(({ i }) => String.fromCharCode(97 + i).repeat(3))
        expect(sent.replaceAll('!', '')).toBe(told.join(''))
        expect(sent.split('').filter((sign) => sign === '!')).toHaveLength(messages)
        for (const reply of told) expect(sent).toContain(reply)
        expect(answers.keptBytes).toBe(0)
        expect(answers.count).toBe(0)
      }),
      { numRuns: 300 },
    )
  })

  it('hand the oldest reply out as it comes, and count what they keep', () => {
    const sent: string[] = []
    const answers = new Answers((text) => sent.push(text))
    const [first, second] = [answers.open(false), answers.open(false)]
    answers.add(second, 'late', true)
    expect(answers.keptBytes).toBe(4)
    answers.add(first, 'a', false)
    answers.push('!')
    expect(sent).toEqual(['a'])
    answers.add(first, 'b', true)
    expect(sent).toEqual(['a', 'b', '!', 'late'])
    expect(answers.keptBytes).toBe(0)
  })
})
