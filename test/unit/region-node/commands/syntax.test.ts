/**
 * syntax.test.ts: the notation for the words of commands, and the lines of the command table in it.
 */
import { describe, expect, it } from 'vitest'
import type { CommandDef } from '../../../../region-node/commands/command.ts'
import { commandTable } from '../../../../region-node/commands/families.ts'
import {
  type Argument,
  parseSyntax,
  plainSyntax,
  wordCounts,
} from '../../../../region-node/commands/syntax.ts'

/** Type, `=token`, `?` optional, `*` multiple, `!` with its token, and the parts. */
function shape({ type, token, isOptional, isMultiple, isTokenRepeated, parts }: Argument): string {
  const marks = `${isOptional ? '?' : ''}${isMultiple ? '*' : ''}${isTokenRepeated ? '!' : ''}`
  const within = parts.length === 0 ? '' : `(${parts.map(shape).join(' ')})`
  return `${type}${token === undefined ? '' : `=${token}`}${marks}${within}`
}

const shapes = (syntax: string): string => parseSyntax(syntax).map(shape).join(' ')

describe('parseSyntax', () => {
  it('types values by their names, or as it is told', () => {
    expect(shapes('key value count score pattern unix-time-seconds')).toBe(
      'key string integer double pattern unix-time',
    )
    expect(shapes('count:string ip:port value:unix-time')).toBe('string string unix-time')
    expect(parseSyntax('ip:port start:string').map(({ name }) => name)).toEqual(['ip:port', 'start'])
    expect(plainSyntax('ip:port start:string [x:unix-time ...]')).toBe('ip:port start [x ...]')
  })

  it('gives a token the values behind it', () => {
    expect(shapes('COUNT count')).toBe('integer=COUNT')
    expect(shapes('LIMIT offset count')).toBe('block=LIMIT(integer integer)')
    expect(shapes('AGGREGATE <SUM|MIN>')).toBe('oneof=AGGREGATE(pure-token=SUM pure-token=MIN)')
    expect(shapes('REPLACE [COPY] *')).toBe('pure-token=REPLACE pure-token=COPY? pure-token=*')
    expect(shapes('COUNT count ANY')).toBe('integer=COUNT pure-token=ANY')
  })

  it('reads choices and what may be left out', () => {
    expect(shapes('[NX|XX]')).toBe('oneof?(pure-token=NX pure-token=XX)')
    expect(shapes('<LEFT|RIGHT>')).toBe('oneof(pure-token=LEFT pure-token=RIGHT)')
    expect(shapes('<a|B b [c]>')).toBe('oneof(string block(string=B string?))')
    expect(shapes('[start [end [BYTE|BIT]]]')).toBe(
      'block?(integer block?(integer oneof?(pure-token=BYTE pure-token=BIT)))',
    )
  })

  it('reads what may be repeated', () => {
    expect(shapes('key [key ...]')).toBe('key*')
    expect(shapes('[key ...]')).toBe('key?*')
    expect(shapes('key value [value ...]')).toBe('key string*')
    expect(shapes('key field value [field value ...]')).toBe('key block*(string string)')
    expect(shapes('WEIGHTS weight [weight ...]')).toBe('integer=WEIGHTS*')
    expect(shapes('GET pattern [GET pattern ...]')).toBe('pattern=GET*!')
    expect(shapes('[PREFIX prefix ...]')).toBe('string=PREFIX?*!')
    expect(shapes('STREAMS key [key ...] id [id ...]')).toBe('block=STREAMS(key* string*)')
    expect(shapes('[<GET a|SET b> ...]')).toBe('oneof?*(string=GET string=SET)')
    // What is repeated has to stand in the same part.
    expect(shapes('a [[a ...]]')).toBe('string string?*')
  })

  it('refuses what is not in the notation', () => {
    for (const wrong of [
      '',
      ' ',
      'a [b',
      'a ]',
      '<a|>',
      '[]',
      'a [...]',
      'a ...',
      'a|b',
      '[a|b ...]',
      '<a ...>',
    ]) {
      expect(() => parseSyntax(wrong), wrong).toThrow(RangeError)
    }
  })
})

describe('wordCounts', () => {
  it.each([
    ['key', 1, 1],
    ['key [value]', 1, 2],
    ['key [COUNT count [ANY]]', 1, 4],
    ['key [key ...]', 1, Number.POSITIVE_INFINITY],
    ['[LIMIT offset count] [NX|EX seconds]', 0, 5],
    ['<A|B a b|c> d', 2, 4],
    ['key field value [field value ...]', 3, Number.POSITIVE_INFINITY],
  ])('%s', (syntax, min, max) => {
    expect(wordCounts(parseSyntax(syntax))).toEqual({ min, max })
  })
})

describe('the command table', () => {
  /** Rows whose arity says something else than their words, in Redis too. */
  const ODD_ARITIES: ReadonlyMap<string, string> = new Map([
    ['quit', 'takes words and does not look at them'],
    ['client|kill', 'takes no less than one of its filters, and each of them may be left out'],
  ])

  const rows: readonly CommandDef[] = commandTable.commands.flatMap(
    (command): readonly CommandDef[] => command.subcommands ?? [command],
  )

  function agrees({ name, arity, syntax }: CommandDef): boolean {
    const words = syntax === undefined ? { min: 0, max: 0 } : wordCounts(parseSyntax(syntax))
    const min = words.min + (name.includes('|') ? 2 : 1)
    return arity > 0 ? min === arity && words.max === words.min : min === -arity && words.max > words.min
  }

  it('says of every command which words it takes, as many as its arity says', () => {
    const odd = rows.filter((row) => !agrees(row)).map(({ name, arity, syntax }) => ({ name, arity, syntax }))
    expect(odd.filter(({ name }) => !ODD_ARITIES.has(name))).toEqual([])
    expect(odd.map(({ name }) => name).sort()).toEqual([...ODD_ARITIES.keys()].sort())
  })

  it('names a key where a command has keys, and only there', () => {
    const named = (parts: readonly Argument[]): boolean =>
      parts.some((part) => part.type === 'key' || named(part.parts))
    const wrong = rows.filter(({ keys, keysOf, syntax, channels, group }) => {
      if (channels !== undefined || group === 'pubsub') return false
      return (keys.first > 0 || keysOf !== undefined) !== (syntax !== undefined && named(parseSyntax(syntax)))
    })
    expect(wrong.map(({ name }) => name)).toEqual([])
  })

  it('tells no type that a name has anyway', () => {
    const told = rows.flatMap(({ syntax = '' }) => syntax.match(/[^\s[\]<>|]+/g) ?? [])
    const superfluous = told.filter((word) => {
      const plain = plainSyntax(word)
      return plain !== word && parseSyntax(plain)[0]!.type === parseSyntax(word)[0]!.type
    })
    expect(superfluous).toEqual([])
  })
})
