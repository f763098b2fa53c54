/**
 * value-writer.test.ts: a reply written as values, and read as a reply again, is the reply it was.
 */
import { describe, expect, it } from 'vitest'
import { portableLatin1 } from '../../../../crdt/codec/bytes.ts'
import { ReplyWriter } from '../../../../region-node/resp/reply.ts'
import { NIL_DIGITS } from '../../../../region-node/scripts/prelude.ts'
import { ValueReader } from '../../../../region-node/scripts/value-reader.ts'
import { ValueWriter } from '../../../../region-node/scripts/value-writer.ts'

/** Every kind of reply. */
function writeAll(out: ReplyWriter): void {
  out.array(14)
  out.ok()
  out.simple('fine')
  out.error('ERR no\r\nway')
  out.integer(1023)
  out.integer(-7n)
  out.integer(9223372036854775807n)
  out.bulk('\x00\xff'.repeat(300))
  out.bulkOrNil(undefined)
  out.nilArray()
  out.words(['a', ''])
  out.map(1)
  out.bulk('k')
  out.double(0.1)
  out.set(1)
  out.boolean(true)
  out.bigNumber(12345678901234567890n)
  out.verbatim('txt', 'text')
}

function readBack(values: ValueWriter, protocol: 2 | 3): string {
  const text = values.take()
  const bytes = new Uint8Array(text.length)
  portableLatin1.write(bytes, text, 0)
  const out = new ReplyWriter()
  out.protocol = protocol
  new ValueReader(bytes, new DataView(bytes.buffer), 0, portableLatin1).copyTo(out)
  return out.take()
}

describe('values', () => {
  it.each([2, 3] as const)('say in RESP%i what a reply says', (protocol) => {
    const values = new ValueWriter()
    values.protocol = protocol
    writeAll(values)
    const expected = new ReplyWriter()
    expected.protocol = protocol
    writeAll(expected)
    // A RESP3 client is told nil in one way only.
    expect(readBack(values, protocol)).toBe(expected.take().replace('*-1\r\n', '$-1\r\n'))
  })

  it('are taken back like replies', () => {
    const values = new ValueWriter()
    values.ok()
    const mark = values.mark()
    values.integer(5)
    values.rollback(mark)
    expect(readBack(values, 2)).toBe('+OK\r\n')
  })

  it('have a big number that stands for nil', () => {
    const values = new ValueWriter()
    values.protocol = 3
    values.bigNumber(NIL_DIGITS)
    expect(readBack(values, 3)).toBe('_\r\n')
  })
})
