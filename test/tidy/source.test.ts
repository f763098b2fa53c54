/**
 * source.test.ts: the scan behind the laws of tidy.test.ts: what counts as code, and what is imported.
 */
import { describe, expect, it } from 'vitest'
import { importCycles, scan, sourceOf } from './source.ts'

/** Written with # for the sign that would make these strings look like templates. */
function dollars(text: string): string {
  return text.replaceAll('#', '$')
}

describe('scan', () => {
  const CASES: ReadonlyArray<readonly [name: string, text: string, code: string]> = [
    ['a line comment', 'a // Date\nb', 'a        \nb'],
    ['a block comment', 'a /* Date\n */ b', 'a        \n    b'],
    ['quotes', `f('Date', "it's // not") + 1`, `f('    ', "           ") + 1`],
    ['an escaped quote', String.raw`f('a\'b Date') + 1`, `f('         ') + 1`],
    ['a template', 'f(`Date #{now(`x #{y} z`)} z`)', 'f(`     #{now(`  #{y}  `)}  `)'],
    ['braces in a template', 'f(`#{{ a: { b } }}Date`) + c', 'f(`#{{ a: { b } }}    `) + c'],
    ['a regular expression', String.raw`x.match(/[/'"]D\/'/g) + y`, 'x.match(/         /g) + y'],
    ['a division', `a / b / c + 'd'`, `a / b / c + ' '`],
    ['a division behind a bracket', '(a + b) / c[0] / 2', '(a + b) / c[0] / 2'],
  ]

  it.each(CASES)('sees through %s', (_name, text, code) => {
    expect(scan(dollars(text)).code).toBe(dollars(code))
  })

  it('keeps literals in the uncommented copy', () => {
    expect(scan(dollars(`a('b') // c\n\`d #{e} /* f */\``)).uncommented).toBe(
      dollars(`a('b')     \n\`d #{e} /* f */\``),
    )
  })
})

describe('imports', () => {
  const text = `/** import x from 'comment' */
import { a } from './a.ts'
import type { B } from '../sync/b.ts'
import {
  c,
  type D,
} from 'ws'
import './side-effect.ts'
export { e } from './e.ts'
export const f = "import g from 'string'"
const h = \`
import i from 'template'\`
const later = await import('node:fs')
`

  it('are found in every form, and only in code', () => {
    const { imports } = sourceOf('crdt', 'crdt/x.ts', text)
    expect(imports.map(({ from, file, isTypeOnly }) => [from, file, isTypeOnly])).toEqual([
      ['./a.ts', 'crdt/a.ts', false],
      ['../sync/b.ts', 'sync/b.ts', true],
      ['ws', undefined, false],
      ['./side-effect.ts', 'crdt/side-effect.ts', false],
      ['./e.ts', 'crdt/e.ts', false],
      ['node:fs', undefined, false],
    ])
  })

  it('that go round are found', () => {
    const files = [
      sourceOf('crdt', 'crdt/a.ts', "import { b } from './b.ts'"),
      sourceOf('crdt', 'crdt/b.ts', "import type { c } from './c.ts'"),
      sourceOf('crdt', 'crdt/c.ts', "import { b } from './b.ts'"),
      sourceOf('crdt', 'crdt/d.ts', "import { a } from './a.ts'"),
    ]
    expect(importCycles(files)).toEqual([['crdt/b.ts', 'crdt/c.ts', 'crdt/b.ts']])
  })
})
