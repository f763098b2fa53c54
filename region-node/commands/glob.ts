/**
 * glob.ts: the pattern language of KEYS, SCAN MATCH, PSUBSCRIBE and CONFIG GET.
 *
 * `*` any run of bytes, `?` one byte, `[abc]` `[a-z]` `[^a]` one byte of a class, `\x` the byte x.
 * Like Redis's matcher in the odd corners too: a range may be written backwards, a class that is
 * never closed ends with the pattern, a backslash at the very end stands for itself, and in `[a-]`
 * the `]` is the end of a range and so does not close the class.
 *
 * Only the latest `*` is ever widened. That is enough: the part before it has matched as early as it
 * can, so a longer match for an earlier star gives the rest nothing new. The cost is therefore at
 * most pattern times word, where plain recursion is exponential in the number of stars.
 * Source: stringmatchlen in Redis's util.c (whose one surprise, that `**` does not match the empty
 * word, is not kept).
 */
const STAR = 42
const QUESTION = 63
const OPEN = 91
const BACKSLASH = 92
const CLOSE = 93
const CARET = 94
const DASH = 45

/** Whether `word` as a whole matches `pattern`; `ignoreCase` folds ASCII letters only. */
export function globMatch(pattern: string, word: string, ignoreCase = false): boolean {
  const patternLength = pattern.length
  let p = 0
  let w = 0
  // Where to take up again after widening the latest star by one byte; -1 before the first star.
  let afterStar = -1
  let starEnd = 0
  while (w < word.length) {
    if (p < patternLength && pattern.charCodeAt(p) === STAR) {
      p++
      if (p === patternLength) return true
      afterStar = p
      starEnd = w
      continue
    }
    const next = p < patternLength ? matchOne(pattern, p, word.charCodeAt(w), ignoreCase) : -1
    if (next >= 0) {
      p = next
      w++
    } else if (afterStar >= 0) {
      p = afterStar
      w = ++starEnd
    } else {
      return false
    }
  }
  while (p < patternLength && pattern.charCodeAt(p) === STAR) p++
  return p === patternLength
}

/** Matches one byte against the pattern at `at` (not a star): the index after it, or -1. */
function matchOne(pattern: string, at: number, byte: number, ignoreCase: boolean): number {
  const first = pattern.charCodeAt(at)
  if (first === QUESTION) return at + 1
  if (first === OPEN) return matchClass(pattern, at + 1, byte, ignoreCase)
  const literal = first === BACKSLASH && at + 1 < pattern.length ? at + 1 : at
  return same(pattern.charCodeAt(literal), byte, ignoreCase) ? literal + 1 : -1
}

/** Same, for the class whose text begins at `at`, after its bracket. */
function matchClass(pattern: string, at: number, byte: number, ignoreCase: boolean): number {
  const length = pattern.length
  let p = at
  const negated = p < length && pattern.charCodeAt(p) === CARET
  if (negated) p++
  let found = false
  while (p < length && pattern.charCodeAt(p) !== CLOSE) {
    if (pattern.charCodeAt(p) === BACKSLASH && p + 1 < length) {
      if (same(pattern.charCodeAt(p + 1), byte, ignoreCase)) found = true
      p += 2
    } else if (p + 2 < length && pattern.charCodeAt(p + 1) === DASH) {
      if (inRange(pattern.charCodeAt(p), pattern.charCodeAt(p + 2), byte, ignoreCase)) found = true
      p += 3
    } else {
      if (same(pattern.charCodeAt(p), byte, ignoreCase)) found = true
      p++
    }
  }
  if (found === negated) return -1
  return p < length ? p + 1 : length
}

function inRange(from: number, to: number, byte: number, ignoreCase: boolean): boolean {
  // Ends are put in order before they are folded, as Redis does it: [Z-a] folds to the empty range z-a.
  const low = fold(Math.min(from, to), ignoreCase)
  const high = fold(Math.max(from, to), ignoreCase)
  const folded = fold(byte, ignoreCase)
  return folded >= low && folded <= high
}

function same(a: number, b: number, ignoreCase: boolean): boolean {
  return a === b || (ignoreCase && fold(a, true) === fold(b, true))
}

function fold(byte: number, ignoreCase: boolean): number {
  return ignoreCase && byte >= 65 && byte <= 90 ? byte + 32 : byte
}
