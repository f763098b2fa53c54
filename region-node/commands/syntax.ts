/**
 * syntax.ts: the words of a command, from the line that its row has for them to the tree that COMMAND DOCS shows.
 *
 * The line is in the notation of Redis's own pages: `key value [NX|XX] [EX seconds|KEEPTTL]`.
 *
 *     name         a value. Its type follows from its name, or is told: `start:string`
 *     TOKEN        a word that is meant as it stands: one without a lower-case letter
 *     TOKEN name   a value behind its token; several values behind one token are a block
 *     [...]        optional
 *     <A|B>        one of them; [A|B]: one of them or none
 *     x [x ...]    x once or more, x being all that is between the bracket and the dots
 *     [x ...]      x any number of times, where x does not stand before the bracket
 *
 * Source: the arguments of COMMAND DOCS, https://redis.io/docs/latest/develop/reference/command-arguments/
 */

const VALUE_TYPES = ['string', 'key', 'integer', 'double', 'pattern', 'unix-time'] as const
type ValueType = (typeof VALUE_TYPES)[number]

export interface Argument {
  readonly name: string
  readonly type: ValueType | 'pure-token' | 'oneof' | 'block'
  /** The word before it, or the word that it is. */
  readonly token?: string
  readonly isOptional: boolean
  readonly isMultiple: boolean
  /** Where it is repeated, its token is repeated with it. */
  readonly isTokenRepeated: boolean
  /** The choices of a `oneof`, the parts of a `block`; else empty. */
  readonly parts: readonly Argument[]
}

/** Names of values that are not just strings. */
const NAMES_BY_TYPE: readonly (readonly [ValueType, string])[] = [
  ['key', 'key key1 key2 newkey source sourcekey src destination destkey dst'],
  [
    'integer',
    'bit bits client-id count cursor db decrement destination-db end entries-added entries-read frequency ' +
      'increment index index1 index2 len limit milliseconds ms num-matches numfields numkeys numreplicas offset ' +
      'protover rank seconds start stop ttl version weight',
  ],
  ['double', 'height latitude longitude max min radius score timeout width'],
  ['pattern', 'pattern'],
  ['unix-time', 'unix-time-milliseconds unix-time-seconds'],
]

const TYPE_BY_NAME: ReadonlyMap<string, ValueType> = new Map(
  NAMES_BY_TYPE.flatMap(([type, names]) => names.split(' ').map((name) => [name, type] as const)),
)

const TOLD_TYPE = new RegExp(`:(?:${VALUE_TYPES.join('|')})(?![\\w-])`, 'g')

/** The line without the types that names are told: as people read it. */
export function plainSyntax(syntax: string): string {
  return syntax.replaceAll(TOLD_TYPE, '')
}

/** @throws RangeError when the line is not in the notation above */
export function parseSyntax(syntax: string): readonly Argument[] {
  return new Parser(syntax).parse()
}

/** How many words the arguments are, at least and at most (Infinity: without end). */
export function wordCounts(parts: readonly Argument[]): { readonly min: number; readonly max: number } {
  let min = 0
  let max = 0
  for (const part of parts) {
    const counts = countsOf(part)
    if (!part.isOptional) min += counts.min
    max += part.isMultiple ? Number.POSITIVE_INFINITY : counts.max
  }
  return { min, max }
}

function countsOf({ type, token, parts }: Argument): { min: number; max: number } {
  if (type === 'pure-token') return { min: 1, max: 1 }
  const ofToken = token === undefined ? 0 : 1
  if (type === 'block') {
    const { min, max } = wordCounts(parts)
    return { min: ofToken + min, max: ofToken + max }
  }
  if (type !== 'oneof') return { min: ofToken + 1, max: ofToken + 1 }
  const choices = parts.map((part) => wordCounts([part]))
  return {
    min: ofToken + Math.min(...choices.map(({ min }) => min)),
    max: ofToken + Math.max(...choices.map(({ max }) => max)),
  }
}

class Parser {
  readonly #syntax: string
  readonly #words: readonly string[]
  #at = 0

  constructor(syntax: string) {
    this.#syntax = syntax
    this.#words = syntax.match(/\.\.\.|[[\]<>|]|[^\s[\]<>|]+/g) ?? []
  }

  parse(): readonly Argument[] {
    const parts = this.#sequence()
    if (this.#at < this.#words.length || parts.length === 0) this.#fail()
    return withTokens(parts)
  }

  #fail(): never {
    throw new RangeError(`'${this.#syntax}' is no syntax: at word ${this.#at + 1}`)
  }

  #expect(word: string): void {
    if (this.#words[this.#at] !== word) this.#fail()
    this.#at++
  }

  /** Up to a word that ends what this is a part of. Tokens stand by themselves yet. */
  #sequence(): Argument[] {
    const parts: Argument[] = []
    for (;;) {
      const word = this.#words[this.#at]
      if (word === undefined || /^(?:[\]>|]|\.\.\.)$/.test(word)) return parts
      this.#at++
      if (word === '[') this.#bracket(parts)
      else if (word === '<') parts.push(this.#choices(this.#sequence(), '>'))
      else parts.push(single(word))
    }
  }

  /** An optional part; or, with dots, what makes of the same words before it a part that is repeated. */
  #bracket(before: Argument[]): void {
    const from = this.#at
    const inside = this.#sequence()
    if (this.#words[this.#at] !== '...') {
      before.push({ ...this.#choices(inside, ']'), isOptional: true })
      return
    }
    if (inside.length === 0) this.#fail()
    const length = this.#at - from
    this.#at++
    this.#expect(']')
    const isFirstBefore = this.#text(from - 1 - length, length) === this.#text(from, length)
    if (isFirstBefore) before.length -= inside.length
    const part = asOne(inside)
    const isTokenRepeated = part.token !== undefined
    before.push({ ...part, isMultiple: true, isTokenRepeated, isOptional: !isFirstBefore })
  }

  #text(from: number, length: number): string {
    return from < 0 ? '' : this.#words.slice(from, from + length).join(' ')
  }

  #choices(first: Argument[], end: string): Argument {
    const sequences = [first]
    while (this.#words[this.#at] === '|') {
      this.#at++
      sequences.push(this.#sequence())
    }
    if (sequences.some(({ length }) => length === 0)) this.#fail()
    this.#expect(end)
    const choices = sequences.map(asOne)
    return choices.length === 1 ? choices[0]! : composed('oneof', choices)
  }
}

function single(word: string): Argument {
  const flags = { isOptional: false, isMultiple: false, isTokenRepeated: false, parts: [] }
  if (!/[a-z]/.test(word)) return { name: word.toLowerCase(), type: 'pure-token', token: word, ...flags }
  const name = plainSyntax(word)
  const told = VALUE_TYPES.find((type) => word === `${name}:${type}`)
  return { name, type: told ?? TYPE_BY_NAME.get(name) ?? 'string', ...flags }
}

function asOne(sequence: readonly Argument[]): Argument {
  const parts = withTokens(sequence)
  return parts.length === 1 ? parts[0]! : composed('block', parts)
}

function composed(type: 'oneof' | 'block', parts: readonly Argument[]): Argument {
  const name = parts.map((part) => part.name).join('_')
  return { name, type, isOptional: false, isMultiple: false, isTokenRepeated: false, parts }
}

/** Gives each token the values behind it, up to what has a token of its own or may be left out. */
function withTokens(sequence: readonly Argument[]): Argument[] {
  const parts: Argument[] = []
  for (let at = 0; at < sequence.length; ) {
    const part = sequence[at++]!
    const from = at
    if (part.type === 'pure-token' && !part.isOptional) {
      while (at < sequence.length && isPlain(sequence[at]!)) at++
    }
    const values = sequence.slice(from, at)
    const { token } = part
    if (values.length === 0 || token === undefined) parts.push(part)
    else if (values.length === 1) parts.push({ ...values[0]!, token })
    else parts.push({ ...composed('block', values), name: part.name, token })
  }
  return parts
}

function isPlain({ token, isOptional }: Argument): boolean {
  return token === undefined && !isOptional
}
