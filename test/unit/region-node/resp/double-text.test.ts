/**
 * double-text.test.ts: doubles as Redis prints them.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { doubleText } from '../../../../region-node/resp/double-text.ts'

test.each<[number, string]>([
  [0, '0'],
  [-0, '-0'],
  [1, '1'],
  [-1.5, '-1.5'],
  [0.1 + 0.2, '0.30000000000000004'],
  [3.0e10, '30000000000'],
  [2 ** 60, '1152921504606846976'],
  [-(2 ** 62), '-4611686018427387904'],
  [1e19, '1e+19'],
  [1e20, '1e+20'],
  [1.25e20, '1.25e+20'],
  [123456789012345680000, '123456789012345680000'],
  [1.5e300, '1.5e+300'],
  [1e-6, '0.000001'],
  [1.5e-6, '1.5e-6'],
  [1e-7, '1e-7'],
  [0.001234567, '0.001234567'],
  [0.0001234567, '1.234567e-4'],
  [1234.56789012, '1234.56789012'],
  [12345678.125, '12345678.125'],
  [12345678.12345678, '1.234567812345678e+7'],
  [5e-324, '5e-324'],
  [Number.MAX_VALUE, '1.7976931348623157e+308'],
  [Number.POSITIVE_INFINITY, 'inf'],
  [Number.NEGATIVE_INFINITY, '-inf'],
  [Number.NaN, 'nan'],
])('%d', (value, text) => {
  expect(doubleText(value)).toBe(text)
})

test('reads back as the same number', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, min: -Number.MAX_VALUE, max: Number.MAX_VALUE }), (value) => {
      expect(Object.is(Number(doubleText(value)), value)).toBe(true)
    }),
    { numRuns: 2000 },
  )
})
