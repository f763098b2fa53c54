/**
 * rewrite.test.ts: what CONFIG REWRITE makes of a file.
 */
import { describe, expect, it } from 'vitest'
import { rewritten } from '../../../../region-node/config/rewrite.ts'
import { fromFile } from '../../../../region-node/config/sources.ts'

const FILE = '# my node\nregion A\nmaxmemory 1gb\n\nMAXCLIENTS 10\nmaxclients 20\n'

describe('CONFIG REWRITE', () => {
  it('writes a changed setting where it stood first, and leaves the rest alone', () => {
    expect(rewritten(FILE, new Map([['maxclients', '30']]))).toBe(
      '# my node\nregion A\nmaxmemory 1gb\n\nmaxclients 30\n',
    )
  })

  it('appends what the file did not say, under one heading however often it is done', () => {
    const once = rewritten('region A\n', new Map([['timeout', '5']]))
    expect(once).toBe('region A\n# Written by CONFIG REWRITE\ntimeout 5\n')
    expect(
      rewritten(
        once,
        new Map([
          ['timeout', '6'],
          ['maxclients', '7'],
        ]),
      ),
    ).toBe('region A\n# Written by CONFIG REWRITE\ntimeout 6\nmaxclients 7\n')
  })

  it.each(['', 'a b', 'say "hello"', 'back\\slash', '\u00e9\n', "it's", '#not a comment'])(
    'writes %j so that it is read back',
    (text) => {
      const content = rewritten('', new Map([['requirepass', text]]))
      expect(fromFile('f', Buffer.from(content, 'latin1')).get('requirepass')?.text).toBe(text)
    },
  )

  it('writes a setting of several words as several words', () => {
    expect(rewritten('', new Map([['save', '60 1000 300 10']]))).toContain('save 60 1000 300 10\n')
  })
})
