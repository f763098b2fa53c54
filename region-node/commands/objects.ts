/**
 * objects.ts: OBJECT and MEMORY: how a value is kept, and what that takes.
 *
 * Encodings are named as Redis would choose them for a value of that kind and size: tools ask for them to
 * find large values. Here nothing depends on them, and a value that has shrunk is small again. There is no
 * record of reads: IDLETIME is 0, so that nobody takes a key for idle that is not, and FREQ is refused, as in
 * Redis under any policy but LFU.
 */
import { cellText, ManyCell } from '../../crdt/cell.ts'
import { HashState } from '../../crdt/hash-aw.ts'
import type { KeyEntry } from '../../crdt/key.ts'
import { visibleState } from '../../crdt/key.ts'
import { Register } from '../../crdt/register.ts'
import { SetState } from '../../crdt/set-aw.ts'
import type { TypedState } from '../../crdt/state.ts'
import { commandError, errors } from '../errors.ts'
import { type CommandContext, type CommandDef, NO_KEYS } from './command.ts'
import { container, helpOf } from './container.ts'
import { parseCount, readInt64 } from './parse.ts'

// Redis's defaults: hash-max-listpack-*, set-max-listpack-*, set-max-intset-entries, and the longest
// string that shares an allocation with its object.
const EMBEDDED_BYTES_MAX = 44
const LISTPACK_ENTRIES_MAX = 128
const LISTPACK_WORD_BYTES_MAX = 64
const INTSET_ENTRIES_MAX = 512

export function encodingOf(state: TypedState): string {
  if (state instanceof SetState) return setEncoding(state)
  if (state instanceof HashState) return hashEncoding(state)
  return state instanceof Register || state instanceof ManyCell ? stringEncoding(cellText(state)) : state.type
}

function stringEncoding(text: string): string {
  if (readInt64(text) !== undefined) return 'int'
  return text.length <= EMBEDDED_BYTES_MAX ? 'embstr' : 'raw'
}

function setEncoding(set: SetState): string {
  if (set.size > INTSET_ENTRIES_MAX) return 'hashtable'
  let isIntegers = true
  let isShort = set.size <= LISTPACK_ENTRIES_MAX
  for (const member of set.members.keys()) {
    isIntegers &&= readInt64(member) !== undefined
    isShort &&= member.length <= LISTPACK_WORD_BYTES_MAX
  }
  if (isIntegers) return 'intset'
  return isShort ? 'listpack' : 'hashtable'
}

function hashEncoding({ fields }: HashState): string {
  if (fields.size > LISTPACK_ENTRIES_MAX) return 'hashtable'
  for (const [field, cell] of fields) {
    const isLong = field.length > LISTPACK_WORD_BYTES_MAX || cellText(cell).length > LISTPACK_WORD_BYTES_MAX
    if (isLong) return 'hashtable'
  }
  return 'listpack'
}

const noFrequency = commandError(
  'ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when ' +
    'switching between policies at runtime LRU and LFU data will take some time to adjust.',
)

/** A subcommand of OBJECT: nil for a key that does not exist. */
function aboutKey(
  row: Pick<CommandDef, 'name' | 'since' | 'summary'>,
  answer: (ctx: CommandContext, state: TypedState) => void,
): CommandDef {
  return {
    ...row,
    arity: 3,
    flags: ['readonly'],
    keys: { first: 2, last: 2, step: 1 },
    group: 'generic',
    complexity: 'O(1)',
    run: (ctx, words) => {
      const state = ctx.state(words[2]!)
      if (state === undefined) ctx.out.nil()
      else answer(ctx, state)
    },
  }
}

export const objectCommand = container({
  name: 'object',
  group: 'generic',
  since: '2.2.3',
  summary: 'A container for object introspection commands.',
  subcommands: [
    aboutKey(
      {
        name: 'object|encoding',
        since: '2.2.3',
        summary: 'Returns the internal encoding of a Redis object.',
      },
      ({ out }, state) => out.bulk(encodingOf(state)),
    ),
    aboutKey(
      {
        name: 'object|freq',
        since: '4.0.0',
        summary: 'Returns the logarithmic access frequency counter of a Redis object.',
      },
      () => {
        throw noFrequency
      },
    ),
    aboutKey(
      {
        name: 'object|idletime',
        since: '2.2.3',
        summary: 'Returns the time since the last access to a Redis object.',
      },
      ({ out }) => out.integer(0),
    ),
    aboutKey(
      {
        name: 'object|refcount',
        since: '2.2.3',
        summary: 'Returns the reference count of a value of a key.',
      },
      ({ out }) => out.integer(1),
    ),
    helpOf('object', 'generic', '6.2.0', [
      'ENCODING <key>',
      '    Return the kind of internal representation used in order to store the value',
      '    associated with a <key>.',
      'FREQ <key>',
      '    Return the access frequency index of the <key>. The returned integer is',
      '    proportional to the logarithm of the recent access frequency of the key.',
      'IDLETIME <key>',
      '    Return the idle time of the <key>, that is the approximated number of',
      '    seconds elapsed since the last access to the key.',
      'REFCOUNT <key>',
      '    Return the number of references of the value associated with the specified',
      '    <key>.',
    ]),
  ],
})

// Bytes on V8's heap, measured over 200,000 keys each on Node 20 (x64), of what is not packed into the
// keyspace's own arrays. Concurrent values and counters of several regions are not counted.
/** A string that is more than one value or one counter: with a deadline, say, or of several regions. */
const FULL_KEY_BYTES = 320
const COLLECTION_KEY_BYTES = 370
const FIELD_BYTES = 110
const MEMBER_BYTES = 100
const WORD_HEADER_BYTES = 16
const SAMPLES_DEFAULT = 5

function wordBytes(word: string): number {
  return WORD_HEADER_BYTES + 8 * Math.ceil(word.length / 8)
}

/** @param samples  of a collection that many elements are looked at, and stand for all */
function memoryOf(key: string, entry: KeyEntry, samples: number): number {
  const state = visibleState(entry)
  if (state instanceof SetState) {
    const members = elementBytes(state.members.keys(), state.size, samples, wordBytes)
    return wordBytes(key) + COLLECTION_KEY_BYTES + MEMBER_BYTES * state.size + members
  }
  if (state instanceof HashState) {
    const { fields } = state
    const bytes = elementBytes(fields, fields.size, samples, ([field, cell]) => {
      return wordBytes(field) + wordBytes(cellText(cell))
    })
    return wordBytes(key) + COLLECTION_KEY_BYTES + FIELD_BYTES * fields.size + bytes
  }
  const isString = state instanceof Register || state instanceof ManyCell
  return wordBytes(key) + FULL_KEY_BYTES + (isString ? wordBytes(cellText(state)) : 0)
}

function elementBytes<T>(
  elements: Iterable<T>,
  size: number,
  samples: number,
  bytesOf: (one: T) => number,
): number {
  let seen = 0
  let bytes = 0
  for (const element of elements) {
    if (seen === samples && samples > 0) break
    seen++
    bytes += bytesOf(element)
  }
  return Math.round((bytes / Math.max(1, seen)) * size)
}

function usage(ctx: CommandContext, words: readonly string[]): void {
  let samples = SAMPLES_DEFAULT
  for (let at = 3; at < words.length; at += 2) {
    if (words[at]!.toLowerCase() !== 'samples' || at + 1 === words.length) throw errors.syntax
    samples = parseCount(words[at + 1]!)
    if (samples < 0) throw errors.syntax
  }
  const key = words[2]!
  const entry = ctx.entry(key)
  if (entry === undefined) ctx.out.nil()
  else ctx.out.integer(ctx.keyspace.db(ctx.db).packedBytes(key) ?? memoryOf(key, entry, samples))
}

export const memoryCommand = container({
  name: 'memory',
  group: 'server',
  since: '4.0.0',
  summary: 'A container for memory diagnostics commands.',
  subcommands: [
    {
      name: 'memory|usage',
      arity: -3,
      flags: ['readonly'],
      keys: { first: 2, last: 2, step: 1 },
      group: 'server',
      since: '4.0.0',
      summary: 'Estimates the memory usage of a key.',
      complexity: 'O(N) where N is the number of samples.',
      run: usage,
    },
    {
      name: 'memory|doctor',
      arity: 2,
      flags: [],
      keys: NO_KEYS,
      group: 'server',
      since: '4.0.0',
      summary: 'Outputs a memory problems report.',
      complexity: 'O(1)',
      run: ({ out }) =>
        out.verbatim(
          'txt',
          'There is no diagnosis of memory here. INFO memory has the figures: heap, limit, resident.\n',
        ),
    },
    helpOf('memory', 'server', '4.0.0', [
      'DOCTOR',
      '    Return memory problems reports.',
      'USAGE <key> [SAMPLES <count>]',
      '    Return memory in bytes used by <key> and its value. Nested values are',
      '    sampled up to <count> times (default: 5, 0 means sample all).',
    ]),
  ],
})
