/**
 * pops.ts: what the pops of lists and of sorted sets share: the words of LMPOP and ZMPOP, and the wait of their
 * blocking forms.
 */
import type { KeyWait } from '../engine/key-waits.ts'
import { type CommandError, errors } from '../errors.ts'
import type { CommandContext } from './command.ts'
import { parseCount } from './parse.ts'

/** All but the last word, which is the timeout. */
export const KEYS_AND_TIMEOUT = { first: 1, last: -2, step: 1 }

/** `numkeys key [key ...] LEFT|RIGHT [COUNT count]`, or MIN|MAX for a sorted set. */
export interface ManyPop {
  readonly keys: readonly string[]
  /** Whether the second of the two ends was named: RIGHT or MAX. */
  readonly atSecondEnd: boolean
  readonly count: number
}

/**
 * @param at  where `numkeys` stands
 * @param ends  the words for the two ends, in lower case
 * @throws CommandError
 */
export function parseManyPop(words: readonly string[], at: number, ends: readonly [string, string]): ManyPop {
  const keyCount = parsePositive(words[at]!, errors.numkeysNotPositive)
  const where = at + 1 + keyCount
  const end = words[where]?.toLowerCase()
  if (end !== ends[0] && end !== ends[1]) throw errors.syntax
  let count: number | undefined
  for (let i = where + 1; i < words.length; i += 2) {
    const value = words[i + 1]
    if (value === undefined || count !== undefined || words[i]!.toLowerCase() !== 'count') throw errors.syntax
    count = parsePositive(value, errors.countNotPositive)
  }
  return { keys: words.slice(at + 1, where), atSecondEnd: end === ends[1], count: count ?? 1 }
}

/** The count of LPOP or ZPOPMIN, when one stands there; undefined for none. @throws CommandError */
export function parsePopCount(word: string | undefined): number | undefined {
  if (word === undefined) return undefined
  const count = parseCount(word, errors.notPositive)
  if (count < 0) throw errors.notPositive
  return count
}

function parsePositive(word: string, otherwise: CommandError): number {
  const value = parseCount(word, otherwise)
  if (value < 1) throw otherwise
  return value
}

/** Runs the command again when one of the keys is there. In a transaction nobody waits: the reply is nil at once. */
export function waitForAny(ctx: CommandContext, wait: KeyWait): void {
  if (ctx.inTransaction) ctx.out.nilArray()
  else ctx.waitForKeys(wait)
}
