/**
 * numbered-keys.ts: commands that say how many keys follow: SINTERCARD, ZUNION, ZMPOP and their like.
 */
import { readInt64 } from './parse.ts'

/**
 * The keys behind a `numkeys`; none when it is no number of keys that are there.
 * @param at  where `numkeys` stands
 */
export function numberedKeys(words: readonly string[], at = 1): string[] {
  const keyCount = Number(readInt64(words[at] ?? '') ?? 0)
  return keyCount > 0 && keyCount < words.length - at ? words.slice(at + 1, at + 1 + keyCount) : []
}
