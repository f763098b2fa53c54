/**
 * payloads.ts: what a redis-server 7.0 answered to DUMP and FUNCTION DUMP, and what it held then.
 */
import type { Value } from './plain-data.ts'

interface Payload {
  readonly bytes: string
  readonly value: Value
}

function payload(hex: string, value: Value): Payload {
  return { bytes: Buffer.from(hex, 'hex').toString('latin1'), value }
}

const NEVER = Number.POSITIVE_INFINITY

function field(text: string) {
  return { text, deadlineMs: NEVER }
}

const KEYS: readonly Payload[] = [
  payload('00066f66206f6c640a00ebde3db5d19a0110', { type: 'string', text: 'of old' }),
  payload('00c0110a00e40329453cf42b1c', { type: 'string', text: '17' }),
  payload('12010210100000000300816302816102816102ff0a00f4347333fe4daffe', {
    type: 'list',
    elements: ['c', 'a', 'a'],
  }),
  payload('0202016401610a0031174bda67a545db', { type: 'set', members: new Set(['a', 'd']) }),
  payload('0b0c0200000002000000010003000a00691a413d5783c1a2', { type: 'set', members: new Set(['1', '3']) }),
  payload('1014140000000400816102836f6c64048162020701ff0a00c002f3f4acda452c', {
    type: 'hash',
    fields: new Map([
      ['a', field('old')],
      ['b', field('7')],
    ]),
  }),
  payload('111d1d0000000600816202dffe0281610283312e350481630283696e6604ff0a007356ad6cc2484ad0', {
    type: 'zset',
    scores: new Map([
      ['a', 1.5],
      ['b', -2],
      ['c', NEVER],
    ]),
  }),
]

/** FUNCTION DUMP of one library. */
const LIBRARY =
  'f5405523216c7561206e616d653d6c6962310a72656469732e72656769737465725f66756e6374696f6e282772756e31272c2066756e' +
  '6374696f6e285f2c20776f726473292072657475726e20276f6c642720656e64290a0a00ce001ebbe9e772cb'

export const PAYLOADS = {
  keys: KEYS,
  library: {
    name: 'lib1',
    text: "#!lua name=lib1\nredis.register_function('run1', function(_, words) return 'old' end)\n",
    bytes: Buffer.from(LIBRARY, 'hex').toString('latin1'),
  },
} as const
