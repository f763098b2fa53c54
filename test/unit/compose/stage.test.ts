/**
 * stage.test.ts: what the demonstration's stage prints and counts.
 */
import { describe, expect, it } from 'vitest'
import { Stage, shown } from '../../../compose/stage.ts'

function staged(colourful: boolean, play: (stage: Stage) => void): { text: string; stage: Stage } {
  let text = ''
  const stage = new Stage({ write: (part: string) => (text += part) }, colourful)
  play(stage)
  return { text, stage }
}

describe('Stage', () => {
  it('counts claims and those that were false', () => {
    const { text, stage } = staged(false, (on) => {
      on.check(true, 'one')
      on.check(false, 'two')
    })
    expect(text).toBe('  ok      one\n  FAILED  two\n')
    expect([stage.checks, stage.failures]).toEqual([2, 1])
  })

  it('numbers acts and aligns tables', () => {
    const { text } = staged(false, (on) => {
      on.act('Begin')
      on.table(['', 'A', 'B'], [['motto', 'calm', 'storm']])
    })
    expect(text).toMatch(/^\n1\. Begin\n\n\n/)
    const [heading, row] = text.split('\n').slice(4)
    expect(heading!.indexOf('B')).toBe(row!.indexOf('storm'))
  })

  it('shows commands as they would be typed', () => {
    const { text } = staged(false, (on) => on.command('A', ['SET', 'k', 'two words'], 'OK'))
    expect(text).toMatch(/^ {2}A> SET k "two words" +OK\n$/)
  })

  it('uses colour only when told to', () => {
    const escapeCode = '\u001b'
    expect(staged(false, (on) => on.check(false, 'x')).text).not.toContain(escapeCode)
    expect(staged(true, (on) => on.check(false, 'x')).text).toContain(`${escapeCode}[31mFAILED`)
  })

  it('is silent after it was closed', () => {
    const { text } = staged(false, (on) => {
      on.close()
      on.say('too late')
    })
    expect(text).toBe('')
  })
})

describe('shown', () => {
  it('prints replies for people', () => {
    expect([shown(null), shown([]), shown(['a', null, 3]), shown(7)]).toEqual([
      '(nil)',
      '(empty)',
      'a, (nil), 3',
      '7',
    ])
  })
})
