/**
 * many-pop.ts: the words of LMPOP, ZMPOP and their blocking forms.
 */
import type { Words } from './plain-data.ts'

interface ManyPop {
  readonly keys: Words
  /** LEFT or RIGHT, MIN or MAX. */
  readonly end: string
  readonly count: number
}

/** `numkeys key [key ...] end [COUNT count]`. @param at  where the number of keys stands */
export function manyPopOf(words: Words, at: number): ManyPop {
  const keysEnd = at + 1 + Number(words[at])
  const count = words[keysEnd + 1] === 'COUNT' ? Number(words[keysEnd + 2]) : 1
  return { keys: words.slice(at + 1, keysEnd), end: words[keysEnd]!, count }
}
