/**
 * lcs.ts: LCS, the longest common subsequence of two strings.
 *
 * The textbook table of all prefixes, walked back from its end; where two ways are equally long Redis goes
 * left in the second string, and so do we, for the matches are part of the reply.
 *
 * Limit: the table, four bytes for each pair of characters, is at most as large as a string may be
 * (`proto-max-bulk-len`), as in Redis.
 * Source: Wagner and Fischer, "The String-to-String Correction Problem", 1974.
 */
import { CommandError, errors } from '../errors.ts'
import { type CommandContext, type CommandDef, defineCommands } from './command.ts'
import { parseCount } from './parse.ts'

interface Options {
  readonly wantsMatches: boolean
  readonly wantsLength: boolean
  readonly withMatchLength: boolean
  readonly matchLengthMin: number
}

/** Where the strings agree for `length` characters. */
interface Match {
  readonly a: number
  readonly b: number
  readonly length: number
}

/** @throws CommandError */
function parseOptions(words: readonly string[]): Options {
  let wantsMatches = false
  let wantsLength = false
  let withMatchLength = false
  let matchLengthMin = 0
  for (let at = 3; at < words.length; at++) {
    const option = words[at]!.toLowerCase()
    if (option === 'idx') wantsMatches = true
    else if (option === 'len') wantsLength = true
    else if (option === 'withmatchlen') withMatchLength = true
    else if (option === 'minmatchlen' && at + 1 < words.length) matchLengthMin = parseCount(words[++at]!)
    else throw errors.syntax
  }
  if (wantsMatches && wantsLength) throw errors.lcsLengthAndIndex
  return { wantsMatches, wantsLength, withMatchLength, matchLengthMin }
}

/** Lengths for all prefixes: row i, column j for the first i and j characters. */
class PrefixTable {
  readonly #a: string
  readonly #b: string
  readonly #lengths: Uint32Array

  constructor(a: string, b: string) {
    this.#a = a
    this.#b = b
    const width = b.length + 1
    const lengths = new Uint32Array((a.length + 1) * width)
    for (let i = 1; i <= a.length; i++) {
      const char = a.charCodeAt(i - 1)
      for (let j = 1, at = i * width + 1; j <= b.length; j++, at++) {
        const above = lengths[at - width]!
        const left = lengths[at - 1]!
        if (char === b.charCodeAt(j - 1)) lengths[at] = lengths[at - width - 1]! + 1
        else lengths[at] = Math.max(above, left)
      }
    }
    this.#lengths = lengths
  }

  /** Of the longest common subsequence. */
  get length(): number {
    return this.#lengths.at(-1)!
  }

  /** The runs of characters it is made of, last one first. */
  matches(): Match[] {
    const width = this.#b.length + 1
    const matches: Match[] = []
    let i = this.#a.length
    let j = this.#b.length
    while (i > 0 && j > 0) {
      let length = 0
      while (length < i && length < j && this.#a[i - 1 - length] === this.#b[j - 1 - length]) length++
      i -= length
      j -= length
      if (length > 0) matches.push({ a: i, b: j, length })
      else if (this.#lengths[(i - 1) * width + j]! > this.#lengths[i * width + j - 1]!) i--
      else j--
    }
    return matches
  }
}

/** @throws CommandError  Redis has one text for any other type */
function textOf(ctx: CommandContext, key: string): string {
  try {
    return ctx.text(key) ?? ''
  } catch (error) {
    throw error instanceof CommandError ? errors.notStrings : error
  }
}

function lcs(ctx: CommandContext, words: readonly string[]): void {
  const { out } = ctx
  const a = textOf(ctx, words[1]!)
  const b = textOf(ctx, words[2]!)
  const options = parseOptions(words)
  if (4 * (a.length + 1) * (b.length + 1) > ctx.services.stringBytesMax) throw errors.lcsTooLarge
  const table = new PrefixTable(a, b)
  if (options.wantsLength) {
    out.integer(table.length)
  } else if (options.wantsMatches) {
    writeMatches(ctx, table, options)
  } else {
    const parts = table.matches().map(({ a: start, length }) => a.slice(start, start + length))
    out.bulk(parts.reverse().join(''))
  }
}

function writeMatches({ out }: CommandContext, table: PrefixTable, options: Options): void {
  const { withMatchLength, matchLengthMin } = options
  const matches = table.matches().filter(({ length }) => length >= matchLengthMin)
  out.map(2)
  out.bulk('matches')
  out.array(matches.length)
  for (const { a, b, length } of matches) {
    out.array(withMatchLength ? 3 : 2)
    for (const start of [a, b]) {
      out.array(2)
      out.integer(start)
      out.integer(start + length - 1)
    }
    if (withMatchLength) out.integer(length)
  }
  out.bulk('len')
  out.integer(table.length)
}

export const lcsCommands: readonly CommandDef[] = defineCommands([
  {
    name: 'lcs',
    arity: -3,
    flags: ['readonly'],
    keys: { first: 1, last: 2, step: 1 },
    group: 'string',
    since: '7.0.0',
    summary: 'Finds the longest common substring.',
    syntax: 'key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]',
    complexity: 'O(N*M) where N and M are the lengths of s1 and s2, respectively',
    run: lcs,
  },
])
