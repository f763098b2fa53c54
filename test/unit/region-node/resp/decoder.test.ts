/**
 * decoder.test.ts: requests whole, byte by byte, at random cuts, mutated and over every limit.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ProtocolError } from '../../../../region-node/errors.ts'
import { type DecoderLimits, LINE_BYTES_MAX, RequestDecoder } from '../../../../region-node/resp/decoder.ts'

const limits: DecoderLimits = { bulkBytesMax: 1_000_000, queryBytesMax: 2_000_000, wordsMax: 1000 }

/** Commands read, and the protocol error that ended the reading, if one did. */
interface Decoded {
  commands: string[][]
  error?: string
}

function decode(chunks: readonly Buffer[], decoder = new RequestDecoder(limits)): Decoded {
  const commands: string[][] = []
  try {
    for (const chunk of chunks) {
      decoder.feed(chunk)
      for (let words = decoder.next(); words !== undefined; words = decoder.next()) commands.push(words)
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return { commands, error: error.line.replace('ERR Protocol error: ', '') }
  }
  return { commands }
}

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')
const whole = (text: string): Buffer[] => [bytesOf(text)]
const byBytes = (text: string): Buffer[] => [...text].map(bytesOf)

function cutAt(text: string, places: readonly number[]): Buffer[] {
  const cuts = [...new Set(places.map((place) => place % (text.length + 1)))].sort((a, b) => a - b)
  const bounds = [0, ...cuts, text.length]
  return bounds.slice(1).map((end, i) => bytesOf(text.slice(bounds[i], end)))
}

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`
}

const everyByte = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('')
const longWord = everyByte.repeat(300)
const hugeDigits = '1'.repeat(30)

const cases: Array<[name: string, input: string, expected: Decoded]> = [
  ['nothing', '', { commands: [] }],
  ['one command', '*1\r\n$4\r\nPING\r\n', { commands: [['PING']] }],
  [
    'two commands',
    encode(['GET', 'k']) + encode(['SET', 'k', 'v']),
    {
      commands: [
        ['GET', 'k'],
        ['SET', 'k', 'v'],
      ],
    },
  ],
  ['an empty word', '*2\r\n$4\r\nECHO\r\n$0\r\n\r\n', { commands: [['ECHO', '']] }],
  ['an empty name', '*1\r\n$0\r\n\r\n', { commands: [['']] }],
  ['every byte', encode(['ECHO', everyByte]), { commands: [['ECHO', everyByte]] }],
  ['line ends in a word', encode(['ECHO', '\r\n$3\r\n*1']), { commands: [['ECHO', '\r\n$3\r\n*1']] }],
  [
    'words of all short lengths',
    encode(Array.from({ length: 70 }, (_, n) => everyByte.slice(60, 60 + n))),
    {
      commands: [Array.from({ length: 70 }, (_, n) => everyByte.slice(60, 60 + n))],
    },
  ],
  [
    'a gathered word and its neighbours',
    encode(['SET', longWord, 'v']) + encode(['PING']),
    {
      commands: [['SET', longWord, 'v'], ['PING']],
    },
  ],
  [
    'many words',
    encode(new Array<string>(1000).fill('w')),
    { commands: [new Array<string>(1000).fill('w')] },
  ],
  [
    'the bytes after a word are not looked at',
    '*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPONG\r\n',
    { commands: [['PING'], ['PONG']] },
  ],
  ['an array of none', '*0\r\n*1\r\n$4\r\nPING\r\n', { commands: [['PING']] }],
  ['a null array', '*-1\r\n*-5\r\n*1\r\n$4\r\nPING\r\n', { commands: [['PING']] }],
  ['the lowest null array', '*-9223372036854775808\r\n*1\r\n$4\r\nPING\r\n', { commands: [['PING']] }],
  [
    'a null array below that',
    '*-9223372036854775809\r\n',
    { commands: [], error: 'invalid multibulk length' },
  ],
  ['an unfinished header', '*1\r\n$4', { commands: [] }],
  ['an unfinished line end', '*1\r\n$4\r\nPING\r', { commands: [] }],

  ['inline', 'PING\r\n', { commands: [['PING']] }],
  ['inline with a bare line feed', 'PING\n', { commands: [['PING']] }],
  ['inline with blanks', '  SET \t k\v  v  \r\n', { commands: [['SET', 'k\v', 'v']] }],
  ['inline empty lines', '\r\n\n   \r\nPING\r\n', { commands: [['PING']] }],
  ['inline after an array', '*1\r\n$4\r\nPING\r\nGET k\r\n', { commands: [['PING'], ['GET', 'k']] }],
  [
    'inline double quotes',
    'SET k "a b\\n\\r\\t\\b\\a\\x41\\xfF\\xg\\"\\\\\\q"\r\n',
    {
      commands: [['SET', 'k', 'a b\n\r\t\b\x07A\xffxg"\\q']],
    },
  ],
  ['inline single quotes', "SET k 'a \"b\\' \\n'\r\n", { commands: [['SET', 'k', 'a "b\' \\n']] }],
  ['inline empty quotes', 'SET "" \'\'\r\n', { commands: [['SET', '', '']] }],
  ['inline quotes inside a word', 'SET a"b c" d\r\n', { commands: [['SET', 'ab c', 'd']] }],
  ['inline high bytes', 'SET \xe9 \xff\r\n', { commands: [['SET', '\xe9', '\xff']] }],
  [
    'inline long word',
    `SET ${'k'.repeat(40)} "${'v'.repeat(40)}"\r\n`,
    { commands: [['SET', 'k'.repeat(40), 'v'.repeat(40)]] },
  ],
  ['open double quote', 'SET "a\r\n', { commands: [], error: 'unbalanced quotes in request' }],
  [
    'open double quote ending in a backslash',
    'SET "a\\\r\n',
    { commands: [], error: 'unbalanced quotes in request' },
  ],
  ['open single quote', "SET 'a\r\n", { commands: [], error: 'unbalanced quotes in request' }],
  ['double quote inside a word', 'SET "a"b\r\n', { commands: [], error: 'unbalanced quotes in request' }],
  [
    'single quote inside a word',
    "PING\r\nSET 'a'b\r\n",
    { commands: [['PING']], error: 'unbalanced quotes in request' },
  ],
  [
    'a web page',
    'POST / HTTP/1.1\r\nHost: x\r\n\r\n',
    { commands: [], error: 'this is a Redis port, not a web server' },
  ],
  [
    'a web page asking',
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    {
      commands: [['GET', '/', 'HTTP/1.1']],
      error: 'this is a Redis port, not a web server',
    },
  ],

  ['no array count', '*\r\n', { commands: [], error: 'invalid multibulk length' }],
  ['a word as array count', '*abc\r\n', { commands: [], error: 'invalid multibulk length' }],
  ['a count with a sign', '*+1\r\n', { commands: [], error: 'invalid multibulk length' }],
  ['a count with a leading zero', '*01\r\n', { commands: [], error: 'invalid multibulk length' }],
  ['minus zero', '*-0\r\n', { commands: [], error: 'invalid multibulk length' }],
  ['a count with a blank', '*1 \r\n', { commands: [], error: 'invalid multibulk length' }],
  ['too many words', '*1001\r\n', { commands: [], error: 'invalid multibulk length' }],
  ['2^31 words', '*2147483648\r\n', { commands: [], error: 'invalid multibulk length' }],
  ['an endless count', `*${hugeDigits}\r\n`, { commands: [], error: 'invalid multibulk length' }],
  ['an endless negative count', `*-${hugeDigits}\r\n`, { commands: [], error: 'invalid multibulk length' }],
  ['no word', '*1\r\nPING\r\n', { commands: [], error: "expected '$', got 'P'" }],
  ['an array in an array', '*1\r\n*1\r\n', { commands: [], error: "expected '$', got '*'" }],
  ['a line end for a word', '*1\r\n\r\n', { commands: [], error: "expected '$', got ' '" }],
  ['no bulk length', '*1\r\n$\r\n', { commands: [], error: 'invalid bulk length' }],
  ['a negative bulk length', '*1\r\n$-1\r\n', { commands: [], error: 'invalid bulk length' }],
  ['a bulk length with a leading zero', '*1\r\n$04\r\n', { commands: [], error: 'invalid bulk length' }],
  ['a bulk beyond the limit', '*1\r\n$1000001\r\n', { commands: [], error: 'invalid bulk length' }],
  ['a bulk of 2^53', '*1\r\n$9007199254740993\r\n', { commands: [], error: 'invalid bulk length' }],
  ['an endless bulk length', `*1\r\n$${hugeDigits}\r\n`, { commands: [], error: 'invalid bulk length' }],
  ['a bulk length of letters', '*2\r\n$4\r\nECHO\r\n$1x\r\n', { commands: [], error: 'invalid bulk length' }],
]

describe.each(cases)('%s', (_, input, expected) => {
  test('whole', () => expect(decode(whole(input))).toEqual(expected))
  test('byte by byte', () => expect(decode(byBytes(input))).toEqual(expected))
  test('cut at random', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 12 }), (places) => {
        expect(decode(cutAt(input, places))).toEqual(expected)
      }),
      { numRuns: 20 },
    )
  })
})

describe('limits', () => {
  const decodeLine = (start: string): Decoded =>
    decode([bytesOf(start), ...new Array<Buffer>(70).fill(bytesOf('1'.repeat(1024)))])

  test('an inline command without an end', () => {
    expect(decodeLine('').error).toBe('too big inline request')
    expect(decode(whole(`${'a'.repeat(LINE_BYTES_MAX + 1)}\r\n`)).error).toBe('too big inline request')
  })

  test('a count without an end', () => {
    expect(decodeLine('*').error).toBe('too big mbulk count string')
    expect(decodeLine('*1\r\n$').error).toBe('too big bulk count string')
  })

  test('a client that has not authenticated', () => {
    const read = (input: string): Decoded => {
      const decoder = new RequestDecoder(limits)
      decoder.authenticated = false
      return decode(whole(input), decoder)
    }
    const ten = new Array<string>(10).fill('w')
    expect(read(encode(ten))).toEqual({ commands: [ten] })
    expect(read(encode([...ten, 'w'])).error).toBe('unauthenticated multibulk length')
    expect(read(encode(['a'.repeat(16384)])).commands).toHaveLength(1)
    expect(read(encode(['a'.repeat(16385)])).error).toBe('unauthenticated bulk length')
  })

  test('an unfinished command beyond queryBytesMax, as one word or as many', () => {
    const small = { ...limits, queryBytesMax: 100_000 }
    const oneWord = [bytesOf('*1\r\n$900000\r\n'), ...new Array<Buffer>(20).fill(Buffer.alloc(10_000))]
    expect(decode(oneWord, new RequestDecoder(small)).error).toContain('client-query-buffer-limit')
    const many = [
      bytesOf('*900\r\n'),
      ...new Array<Buffer>(20).fill(bytesOf(`$10000\r\n${'a'.repeat(10_000)}\r\n`)),
    ]
    expect(decode(many, new RequestDecoder(small)).error).toContain('client-query-buffer-limit')
  })

  test('limits are read each time', () => {
    const changing = { ...limits, bulkBytesMax: 10 }
    const decoder = new RequestDecoder(changing)
    expect(decode(whole(encode(['a'.repeat(10)])), decoder).commands).toHaveLength(1)
    changing.bulkBytesMax = 20
    expect(decode(whole(encode(['a'.repeat(20)])), decoder).commands).toHaveLength(1)
    expect(decode(whole(encode(['a'.repeat(21)])), decoder).error).toBe('invalid bulk length')
  })

  test('an announced length takes no memory by itself', () => {
    const decoder = new RequestDecoder({ bulkBytesMax: 2 ** 29, queryBytesMax: 2 ** 30, wordsMax: 2 ** 20 })
    const before = process.memoryUsage().arrayBuffers
    expect(decode(whole(`*1000000\r\n$500000000\r\n${'a'.repeat(20_000)}`), decoder).commands).toEqual([])
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000)
  })
})

describe('buffering', () => {
  test('bufferedBytes is what was fed and not returned', () => {
    const decoder = new RequestDecoder(limits)
    const input = encode(['SET', 'a'.repeat(50_000), 'v'])
    for (let at = 0; at < input.length - 1; at += 999) {
      const part = input.slice(at, Math.min(at + 999, input.length - 1))
      decoder.feed(bytesOf(part))
      expect(decoder.next()).toBeUndefined()
      expect(decoder.bufferedBytes).toBe(at + part.length)
    }
    decoder.feed(bytesOf('\n*1'))
    expect(decoder.bufferedBytes).toBe(input.length + 2)
    expect(decoder.next()).toHaveLength(3)
    expect(decoder.bufferedBytes).toBe(2)
  })

  test('chunks may be fed without asking for commands in between', () => {
    const input = encode(['SET', 'a'.repeat(50_000), 'v']).repeat(3)
    const decoder = new RequestDecoder(limits)
    for (let at = 0; at < input.length; at += 7777) {
      decoder.feed(bytesOf(input.slice(at, at + 7777)))
      if (at < 20_000) decoder.next()
    }
    for (let i = 0; i < 3; i++) expect(decoder.next()).toEqual(['SET', 'a'.repeat(50_000), 'v'])
    expect(decoder.next()).toBeUndefined()
  })

  test('words are their own, whatever becomes of the input', () => {
    const chunk = bytesOf(encode(['SET', 'a'.repeat(13), 'b'.repeat(100)]))
    const decoder = new RequestDecoder(limits)
    decoder.feed(chunk)
    const words = decoder.next()
    chunk.fill(0)
    expect(words).toEqual(['SET', 'a'.repeat(13), 'b'.repeat(100)])
  })

  test('a name comes back as it was sent when names share their place', () => {
    const names = Array.from({ length: 2000 }, (_, n) => `n${n.toString(36)}`)
    const twice = [...names, ...names]
    expect(decode(whole(twice.map((name) => encode([name])).join(''))).commands.flat()).toEqual(twice)
  })
})

describe('noise', () => {
  const binary = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
  const piece = fc.oneof(
    binary,
    fc.constantFrom('\r\n', '*', '$', '*1\r\n', '$3\r\n', '-', '0', '9', '"', "'", '\n', 'PING\r\n'),
    fc.array(fc.string({ unit: 'binary-ascii', maxLength: 30 }), { minLength: 1, maxLength: 5 }).map(encode),
  )

  test('cuts change nothing, and only protocol errors are thrown', () => {
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join('')),
        fc.array(fc.nat(), { maxLength: 30 }),
        (input, places) => {
          const expected = decode(whole(input))
          expect(decode(cutAt(input, places))).toEqual(expected)
          for (const words of expected.commands)
            expect(words.every((word) => typeof word === 'string')).toBe(true)
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('a byte changed, lost or added', () => {
    const commands = fc.array(fc.array(binary, { minLength: 1, maxLength: 4 }), {
      minLength: 1,
      maxLength: 5,
    })
    const edit = fc.record({
      place: fc.nat(),
      lost: fc.nat({ max: 2 }),
      added: fc.uint8Array({ maxLength: 2 }),
    })
    fc.assert(
      fc.property(
        commands,
        edit,
        fc.array(fc.nat(), { maxLength: 9 }),
        (sent, { place, lost, added }, places) => {
          const text = sent.map(encode).join('')
          expect(decode(cutAt(text, places))).toEqual({ commands: sent })
          const at = place % text.length
          const damaged = text.slice(0, at) + Buffer.from(added).toString('latin1') + text.slice(at + lost)
          expect(decode(cutAt(damaged, places))).toEqual(decode(whole(damaged)))
        },
      ),
      { numRuns: 1000 },
    )
  })
})
