/**
 * expectation.ts: compares a reply with what a case expects of it.
 *
 * Replies are RESP2 as JSON: null, numbers, strings, arrays; an integer beyond 2^53 is written as a
 * string. Objects match loosely, also inside arrays.
 */
import { type Reply, RespError } from '../../region-node/resp/parse-reply.ts'

export type Expectation =
  | null
  | string
  | number
  | readonly Expectation[]
  /** Any value. */
  | { readonly any: true }
  /** The same elements in any order. */
  | { readonly unordered: readonly Expectation[] }
  /** An error reply that begins with this word. */
  | { readonly error: string }
  /** A string of this form. */
  | { readonly matches: string }
  /** Whatever that region last answered to the same command. */
  | { readonly sameAs: string }

/** @param last  what a region last answered to the command; undefined when it was not asked */
export function satisfies(
  reply: Reply,
  expected: Expectation,
  last: (region: string) => Reply | undefined,
): boolean {
  if (expected === null) return reply === null
  if (typeof expected === 'number') return reply === expected
  // Only a number that JSON cannot hold is allowed to stand as text.
  if (typeof expected === 'string')
    return typeof reply === 'bigint' ? String(reply) === expected : reply === expected
  if (isList(expected)) {
    if (!Array.isArray(reply) || reply.length !== expected.length) return false
    return expected.every((each, i) => satisfies(reply[i]!, each, last))
  }
  if ('any' in expected) return true
  if ('error' in expected) return reply instanceof RespError && reply.line.split(' ')[0] === expected.error
  if ('matches' in expected) return typeof reply === 'string' && new RegExp(expected.matches).test(reply)
  if ('sameAs' in expected) {
    const other = last(expected.sameAs)
    return other !== undefined && shown(other) === shown(reply)
  }
  return Array.isArray(reply) && isPermutation(reply, expected.unordered, last)
}

function isList(expected: Expectation): expected is readonly Expectation[] {
  return Array.isArray(expected)
}

/** Each element is given to the first expectation it fits; exact ones come first, so loose ones take what is left. */
function isPermutation(
  reply: readonly Reply[],
  expected: readonly Expectation[],
  last: (region: string) => Reply | undefined,
): boolean {
  if (reply.length !== expected.length) return false
  const left = [...expected].sort((a, b) => looseness(a) - looseness(b))
  return reply.every((element) => {
    const i = left.findIndex((each) => satisfies(element, each, last))
    if (i >= 0) left.splice(i, 1)
    return i >= 0
  })
}

function looseness(expected: Expectation): number {
  if (expected === null || typeof expected !== 'object' || Array.isArray(expected)) return 0
  return 'any' in expected ? 2 : 1
}

/** A reply as text for a message, and for comparing two of them. */
export function shown(reply: Reply): string {
  if (reply instanceof RespError) return `(error) ${reply.line}`
  if (typeof reply === 'bigint') return String(reply)
  if (Array.isArray(reply)) return `[${reply.map(shown).join(', ')}]`
  if (reply instanceof Map)
    return `{${[...reply].map(([name, value]) => `${shown(name)}: ${shown(value)}`).join(', ')}}`
  return JSON.stringify(reply)
}
