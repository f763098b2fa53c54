/**
 * spelled-word.ts: makes a short word out of bytes, character by character.
 *
 * A word lives as long as the key or value it becomes, so it must be flat and own its characters:
 * a V8 substring of 13 characters or more is a slice that keeps its whole parent alive, and a sum
 * of two such strings is a rope. Two ways give a flat copy: `latin1Slice`, a call into C++ that takes
 * 50 ns for any short word, and `String.fromCharCode` with its arguments written out, which V8 runs
 * without leaving its own code: 11 ns for 3 characters, 27 ns for 16, 38 ns for 24. Keys and small
 * values are in that range (`test/bench/resp.bench.ts`).
 */
const of = String.fromCharCode

/** Up to here it pays. */
export const SPELLED_BYTES_MAX = 24

/** The word in `bytes[at]` to `bytes[at + length - 1]`, all of which exist; at most SPELLED_BYTES_MAX. */
export function spelledWord(bytes: Uint8Array, at: number, length: number): string {
  if (length === 0) return ''
  const a = bytes[at]!
  if (length === 1) return of(a)
  const b = bytes[at + 1]!
  if (length === 2) return of(a, b)
  const c = bytes[at + 2]!
  if (length === 3) return of(a, b, c)
  const d = bytes[at + 3]!
  if (length === 4) return of(a, b, c, d)
  const e = bytes[at + 4]!
  if (length === 5) return of(a, b, c, d, e)
  const f = bytes[at + 5]!
  if (length === 6) return of(a, b, c, d, e, f)
  const g = bytes[at + 6]!
  if (length === 7) return of(a, b, c, d, e, f, g)
  const h = bytes[at + 7]!
  if (length === 8) return of(a, b, c, d, e, f, g, h)
  const i = bytes[at + 8]!
  if (length === 9) return of(a, b, c, d, e, f, g, h, i)
  const j = bytes[at + 9]!
  if (length === 10) return of(a, b, c, d, e, f, g, h, i, j)
  const k = bytes[at + 10]!
  if (length === 11) return of(a, b, c, d, e, f, g, h, i, j, k)
  const l = bytes[at + 11]!
  if (length === 12) return of(a, b, c, d, e, f, g, h, i, j, k, l)
  const m = bytes[at + 12]!
  if (length === 13) return of(a, b, c, d, e, f, g, h, i, j, k, l, m)
  const n = bytes[at + 13]!
  if (length === 14) return of(a, b, c, d, e, f, g, h, i, j, k, l, m, n)
  const o = bytes[at + 14]!
  if (length === 15) return of(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o)
  const p = bytes[at + 15]!
  if (length === 16) return of(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)
  const q = bytes[at + 16]!
  if (length === 17) return of(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q)
  const r = bytes[at + 17]!
  if (length === 18) return of(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r)
  const s = bytes[at + 18]!
  if (length === 19) return of(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s)
  const t = bytes[at + 19]!
  if (length === 20) return of(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t)
  const u = bytes[at + 20]!
  if (length === 21) return of(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u)
  const v = bytes[at + 21]!
  if (length === 22) return of(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v)
  const w = bytes[at + 22]!
  if (length === 23) return of(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w)
  const x = bytes[at + 23]!
  return of(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x)
}
