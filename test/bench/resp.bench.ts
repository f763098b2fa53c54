/**
 * resp.bench.ts: nanoseconds per command of the decoder and per reply of the writer.
 *
 * Run it built: `npm run build && node dist/test/bench/resp.bench.js`.
 */
import { nodeLatin1 } from '../../region-node/latin1-node.ts'
import { RequestDecoder } from '../../region-node/resp/decoder.ts'
import { ReplyWriter } from '../../region-node/resp/reply.ts'
import { wordAt } from '../../region-node/resp/word.ts'
import { measure } from './micro/measure.ts'

const COMMANDS_PER_ROUND = 16_000

function command(...words: string[]): Buffer {
  const body = words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')
  return Buffer.from(`*${words.length}\r\n${body}`, 'latin1')
}

function decoding(name: string, one: Buffer, pipeline: number): void {
  const chunk = Buffer.concat(new Array<Buffer>(pipeline).fill(one))
  const decoder = new RequestDecoder({ bulkBytesMax: 2 ** 29, queryBytesMax: 2 ** 30, wordsMax: 2 ** 20 })
  measure(`${name}, ${pipeline} a chunk`, COMMANDS_PER_ROUND, () => {
    let words = 0
    for (let i = 0; i < COMMANDS_PER_ROUND; i += pipeline) {
      decoder.feed(chunk)
      for (let next = decoder.next(); next !== undefined; next = decoder.next()) words += next.length
    }
    return words
  })
}

function replying(name: string, write: (out: ReplyWriter) => void): void {
  const out = new ReplyWriter()
  const wire = Buffer.alloc(1 << 20)
  measure(`${name}, 16 a write`, COMMANDS_PER_ROUND, () => {
    let bytes = 0
    for (let i = 0; i < COMMANDS_PER_ROUND; i += 16) {
      for (let j = 0; j < 16; j++) write(out)
      bytes += wire.write(out.take(), 'latin1')
    }
    return bytes
  })
}

const key = 'key:000000001234'
decoding('SET key xxx', command('SET', key, 'xxx'), 1)
decoding('SET key xxx', command('SET', key, 'xxx'), 16)
decoding('SET key xxx', command('SET', key, 'xxx'), 1000)
decoding('GET key', command('GET', key), 16)
decoding('SET key, 100 bytes', command('SET', key, 'x'.repeat(100)), 16)
decoding('HSET, 10 fields', command('HSET', key, ...new Array<string>(20).fill('field')), 16)

const text = Buffer.from('x'.repeat(64))
for (const length of [3, 12, 16, 24]) {
  measure(`wordAt, ${length} bytes`, COMMANDS_PER_ROUND, () => {
    let total = 0
    for (let i = 0; i < COMMANDS_PER_ROUND; i++) total += wordAt(text, i & 15, length).length
    return total
  })
  measure(`latin1Slice, ${length} bytes`, COMMANDS_PER_ROUND, () => {
    let total = 0
    for (let i = 0; i < COMMANDS_PER_ROUND; i++)
      total += nodeLatin1.read(text, i & 15, (i & 15) + length).length
    return total
  })
}

const value = 'x'.repeat(100)
replying('+OK', (out) => out.ok())
replying('integer', (out) => out.integer(7))
replying('bulk, 3 bytes', (out) => out.bulk('xxx'))
replying('bulk, 100 bytes', (out) => out.bulk(value))
