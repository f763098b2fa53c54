/**
 * reply.test.ts: replies in both protocols, read back by the parser.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Reply, ReplyParser, RespError } from '../../../../region-node/resp/parse-reply.ts'
import { ReplyWriter } from '../../../../region-node/resp/reply.ts'

function written(protocol: 2 | 3, write: (out: ReplyWriter) => void): string {
  const out = new ReplyWriter()
  out.protocol = protocol
  write(out)
  return out.take()
}

describe('bytes in RESP2 and RESP3', () => {
  const cases: Array<[string, (out: ReplyWriter) => void, string, string?]> = [
    ['ok', (out) => out.ok(), '+OK\r\n'],
    ['simple', (out) => out.simple('QUEUED'), '+QUEUED\r\n'],
    ['error', (out) => out.error('ERR a\r\nb'), '-ERR a  b\r\n'],
    ['small integer', (out) => out.integer(7), ':7\r\n'],
    ['large integer', (out) => out.integer(123456), ':123456\r\n'],
    ['negative integer', (out) => out.integer(-1), ':-1\r\n'],
    ['bigint', (out) => out.integer(9223372036854775807n), ':9223372036854775807\r\n'],
    ['bulk', (out) => out.bulk('a\r\n\xff'), '$4\r\na\r\n\xff\r\n'],
    ['empty bulk', (out) => out.bulk(''), '$0\r\n\r\n'],
    ['long bulk', (out) => out.bulk('a'.repeat(2000)), `$2000\r\n${'a'.repeat(2000)}\r\n`],
    ['bulkOrNil', (out) => out.bulkOrNil('a'), '$1\r\na\r\n'],
    ['bulkOrNil of nothing', (out) => out.bulkOrNil(undefined), '$-1\r\n', '_\r\n'],
    ['nil', (out) => out.nil(), '$-1\r\n', '_\r\n'],
    ['nilArray', (out) => out.nilArray(), '*-1\r\n', '_\r\n'],
    ['array', (out) => out.array(3), '*3\r\n'],
    ['long array', (out) => out.array(5000), '*5000\r\n'],
    ['map', (out) => out.map(3), '*6\r\n', '%3\r\n'],
    ['set', (out) => out.set(3), '*3\r\n', '~3\r\n'],
    ['push', (out) => out.push(3), '*3\r\n', '>3\r\n'],
    ['double', (out) => out.double(1.5), '$3\r\n1.5\r\n', ',1.5\r\n'],
    ['infinity', (out) => out.double(Number.POSITIVE_INFINITY), '$3\r\ninf\r\n', ',inf\r\n'],
    ['minus infinity', (out) => out.double(Number.NEGATIVE_INFINITY), '$4\r\n-inf\r\n', ',-inf\r\n'],
    ['no number', (out) => out.double(Number.NaN), '$3\r\nnan\r\n', ',nan\r\n'],
    ['true', (out) => out.boolean(true), ':1\r\n', '#t\r\n'],
    ['false', (out) => out.boolean(false), ':0\r\n', '#f\r\n'],
    [
      'bigNumber',
      (out) => out.bigNumber(-(2n ** 70n)),
      '$23\r\n-1180591620717411303424\r\n',
      '(-1180591620717411303424\r\n',
    ],
    ['verbatim', (out) => out.verbatim('txt', 'hi'), '$2\r\nhi\r\n', '=6\r\ntxt:hi\r\n'],
    ['words', (out) => out.words(['a', '']), '*2\r\n$1\r\na\r\n$0\r\n\r\n'],
    ['raw', (out) => out.raw(':1\r\n'), ':1\r\n'],
  ]
  test.each(cases)('%s', (_, write, resp2, resp3 = resp2) => {
    expect(written(2, write)).toBe(resp2)
    expect(written(3, write)).toBe(resp3)
  })
})

describe('what waits', () => {
  test('take empties, length counts', () => {
    const out = new ReplyWriter()
    out.ok()
    expect(out.length).toBe(5)
    expect(out.take()).toBe('+OK\r\n')
    expect(out.length).toBe(0)
    expect(out.take()).toBe('')
  })

  test('rollback forgets what came after the mark', () => {
    const out = new ReplyWriter()
    out.integer(1)
    const mark = out.mark()
    out.array(2)
    out.bulk('a'.repeat(100))
    out.rollback(mark)
    out.error('ERR no')
    expect(out.take()).toBe(':1\r\n-ERR no\r\n')
  })

  test('a reply too long for V8 is refused and leaves what was there', () => {
    const out = new ReplyWriter()
    const mark = out.mark()
    const word = 'a'.repeat(2 ** 28)
    out.bulk(word)
    const before = out.length
    expect(() => out.bulk(word)).toThrow(RangeError)
    expect(out.length).toBe(before)
    out.rollback(mark)
    expect(out.length).toBe(0)
  })
})

/** Writes any value so that RESP3 gives it back. */
function write(out: ReplyWriter, value: Reply): void {
  if (value === null) out.nil()
  else if (typeof value === 'string') out.bulk(value)
  else if (typeof value === 'boolean') out.boolean(value)
  else if (typeof value === 'bigint') out.bigNumber(value)
  else if (typeof value === 'number') {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) out.integer(value)
    else out.double(value)
  } else if (value instanceof RespError) out.error(value.line)
  else if (value instanceof Map) {
    out.map(value.size)
    for (const [key, element] of value) {
      write(out, key)
      write(out, element)
    }
  } else {
    out.array(value.length)
    for (const element of value) write(out, element)
  }
}

function parsed(texts: readonly string[]): Array<{ value: Reply; push: boolean }> {
  const parser = new ReplyParser()
  const replies: Array<{ value: Reply; push: boolean }> = []
  for (const text of texts) {
    parser.feed(text)
    for (let reply = parser.next(); reply !== undefined; reply = parser.next()) replies.push(reply)
  }
  return replies
}

const { value: anyReply } = fc.letrec<{ value: Reply }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    fc.maxSafeInteger(),
    fc.double(),
    fc.bigInt(),
    fc.boolean(),
    fc.constant(null),
    fc.stringMatching(/^ERR [a-z ]{1,20}$/).map((line) => new RespError(line)),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.array(fc.tuple(fc.nat(), tie('value')), { maxLength: 4 }).map((pairs) => new Map<Reply, Reply>(pairs)),
  ),
}))

describe('ReplyParser', () => {
  test('reads back what was written, wherever it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(anyReply, { maxLength: 4 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (values, places) => {
          const text = written(3, (out) => {
            for (const value of values) write(out, value)
          })
          const cuts = [
            0,
            ...places.map((place) => place % (text.length + 1)).sort((a, b) => a - b),
            text.length,
          ]
          const texts = cuts.slice(1).map((end, i) => text.slice(cuts[i], end))
          expect(parsed(texts).map((reply) => reply.value)).toEqual(values)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('reads what only RESP2 or other servers write', () => {
    const text = '$-1\r\n*-1\r\n:9223372036854775807\r\n=6\r\ntxt:hi\r\n!5\r\nERR x\r\n~2\r\n:1\r\n:2\r\n'
    expect(parsed([text]).map((reply) => reply.value)).toEqual([
      null,
      null,
      9223372036854775807n,
      'hi',
      new RespError('ERR x'),
      [1, 2],
    ])
  })

  test('tells what nobody asked for, and passes over attributes', () => {
    expect(parsed(['>1\r\n+message\r\n|1\r\n+ttl\r\n:5\r\n:1\r\n'])).toEqual([
      { value: ['message'], push: true },
      { value: 1, push: false },
    ])
  })

  test.each(['x\r\n', '$a\r\n', '*-2\r\n'])('refuses %j', (text) => {
    expect(() => parsed([text])).toThrow('not a RESP')
  })
})
