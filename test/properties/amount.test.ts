/**
 * amount.test.ts: amounts against fractions of BigInts: the same sums, the same text, in any order.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Amount,
  addAmounts,
  amountText,
  INT64_MAX,
  INT64_MIN,
  negateAmount,
  parseAmount,
} from '../../crdt/amount.ts'
import { add, decimalText, integerText, parseNumber, type Rational, ZERO } from '../harness/rational.ts'

const digits = fc.stringMatching(/^[0-9]{1,25}$/)
const integerLike = fc.oneof(
  fc.maxSafeInteger().map(String),
  fc.bigInt({ min: INT64_MIN, max: INT64_MAX }).map(String),
  fc.constantFrom(
    '0',
    '-0',
    '+1',
    '007',
    ' 1',
    '1 ',
    '',
    '-',
    String(INT64_MAX),
    String(INT64_MIN),
    String(INT64_MAX + 1n),
  ),
)
const fractionLike = fc
  .tuple(
    fc.constantFrom('', '-', '+'),
    digits,
    fc.option(digits, { nil: '' }),
    fc.option(fc.integer({ min: -30, max: 30 }), { nil: undefined }),
  )
  .map(
    ([sign, whole, fraction, exponent]) =>
      `${sign}${whole}.${fraction}${exponent === undefined ? '' : `e${exponent}`}`,
  )
const nonsense = fc.constantFrom(
  '.',
  'e5',
  '1e',
  '0x10',
  'inf',
  'nan',
  '1_0',
  '1.2.3',
  '--1',
  '.5',
  '5.',
  '1e9999',
  '1e-9999',
)
const text = fc.oneof(integerLike, fractionLike, nonsense)

/** The sum as the oracle would print it. */
function expectedText(texts: readonly string[]): string {
  const numbers = texts.map((one) => parseNumber(one)!)
  const sum = numbers.reduce<Rational>((total, { value }) => add(total, value), ZERO)
  return numbers.every(({ isInteger }) => isInteger) ? integerText(sum) : decimalText(sum)
}

function sum(amounts: readonly Amount[]): Amount {
  return amounts.reduce((total, one) => addAmounts(total, one), 0)
}

describe('amounts', () => {
  it('are read from exactly the texts that are numbers', () => {
    fc.assert(
      fc.property(text, (one) => {
        expect(parseAmount(one) !== undefined).toBe(parseNumber(one) !== undefined)
      }),
      { numRuns: 1000 },
    )
  })

  const numbers = fc.array(
    text.filter((one) => parseNumber(one) !== undefined),
    { minLength: 1, maxLength: 6 },
  )

  it('add up to what fractions add up to, in any order', () => {
    fc.assert(
      fc.property(numbers, (texts) => {
        const amounts = texts.map((one) => parseAmount(one)!)
        const expected = expectedText(texts)
        expect(amountText(sum(amounts))).toBe(expected)
        expect(amountText(sum([...amounts].reverse()))).toBe(expected)
        const [first, ...rest] = amounts
        expect(amountText(addAmounts(first!, sum(rest)))).toBe(expected)
      }),
      { numRuns: 1000 },
    )
  })

  it('come back to zero when they are taken away again', () => {
    fc.assert(
      fc.property(numbers, (texts) => {
        const amounts = texts.map((one) => parseAmount(one)!)
        expect(amountText(sum([...amounts, ...amounts.map(negateAmount)]))).toBe('0')
      }),
      { numRuns: 300 },
    )
  })
})
