/**
 * reply-splitter.test.ts: where replies end, whole and cut anywhere.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { elementsOf, ReplySplitter } from '../../../../region-node/resp/reply-splitter.ts'

const REPLIES = [
  '+OK\r\n',
  '-ERR no\r\n',
  ':-5\r\n',
  '$-1\r\n',
  '*-1\r\n',
  '_\r\n',
  '$0\r\n\r\n',
  '$4\r\na\r\nb\r\n',
  '*0\r\n',
  '*2\r\n*1\r\n:1\r\n$1\r\nx\r\n',
  '%2\r\n+a\r\n*0\r\n+b\r\n~1\r\n#t\r\n',
  '|1\r\n+ttl\r\n:1\r\n*2\r\n,1.5\r\n(12345678901234567890\r\n',
  '*2\r\n|1\r\n+k\r\n+v\r\n:1\r\n:2\r\n',
  '>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n',
  '=7\r\ntxt:abc\r\n',
  '!5\r\nERR x\r\n',
]

/** Whole replies out of pieces, and that a line is never in two of them. */
function split(chunks: readonly string[]): string[] {
  const splitter = new ReplySplitter()
  const replies: string[] = []
  for (const chunk of chunks) {
    splitter.feed(chunk)
    for (let piece = splitter.next(); piece !== undefined; piece = splitter.next()) {
      if (piece.isFirst) {
        expect(piece.text).toContain('\r\n')
        replies.push('')
      }
      replies[replies.length - 1] += piece.text
      if (piece.isLast) replies[replies.length - 1] += '|'
    }
  }
  return replies
}

describe('ReplySplitter', () => {
  it('finds the same replies however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...REPLIES), { maxLength: 8 }),
        fc.array(fc.nat(200), { maxLength: 20 }),
        (replies, cuts) => {
          const text = replies.join('')
          const places = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length]
          const chunks = places.slice(1).map((end, i) => text.slice(places[i], end))
          expect(split(chunks)).toEqual(replies.map((reply) => `${reply}|`))
        },
      ),
      { numRuns: 500 },
    )
  })

  it('hands out what there is of a long reply', () => {
    const splitter = new ReplySplitter()
    splitter.feed('*2\r\n$10\r\n01234')
    expect(splitter.next()).toEqual({ text: '*2\r\n$10\r\n01234', isFirst: true, isLast: false })
    expect(splitter.next()).toBeUndefined()
    splitter.feed('56789\r\n+')
    expect(splitter.next()).toEqual({ text: '56789\r\n', isFirst: false, isLast: false })
    splitter.feed('x\r\n:1\r\n')
    expect(splitter.next()).toEqual({ text: '+x\r\n', isFirst: false, isLast: true })
    expect(splitter.next()).toEqual({ text: ':1\r\n', isFirst: true, isLast: true })
  })

  it('refuses what is no RESP', () => {
    for (const text of ['HTTP/1.1 200 OK\r\n', '$x\r\n', '*\r\n', '*-2\r\n']) {
      const splitter = new ReplySplitter()
      splitter.feed(text)
      expect(() => splitter.next()).toThrow('not a RESP')
    }
  })
})

describe('elementsOf', () => {
  it('takes an array apart, one level deep', () => {
    expect(elementsOf('*3\r\n$-1\r\n*1\r\n:1\r\n+a\r\n')).toEqual(['$-1\r\n', '*1\r\n:1\r\n', '+a\r\n'])
    expect(elementsOf('*0\r\n')).toEqual([])
    expect(elementsOf(':1\r\n')).toBeUndefined()
  })
})
