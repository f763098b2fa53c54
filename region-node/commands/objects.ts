/**
 * objects.ts: OBJECT: how a value is kept, and when it was used.
 *
 * Encodings are named as Redis would choose them for a value of that kind and size: tools ask for them to
 * find large values. Here nothing depends on them, and a value that has shrunk is small again. Uses of keys are
 * written down only under a policy that asks (`engine/table/access.ts`): without one IDLETIME is 0, so that
 * nobody takes a key for idle that is not.
 */
import { cellText, ManyCell } from '../../crdt/cell.ts'
import { HashState } from '../../crdt/hash-aw.ts'
import { HllState } from '../../crdt/hll.ts'
import { ListState } from '../../crdt/list-fugue.ts'
import { Register } from '../../crdt/register.ts'
import { SetState } from '../../crdt/set-aw.ts'
import type { TypedState } from '../../crdt/state.ts'
import { ZsetState } from '../../crdt/zset-aw.ts'
import { UseCount } from '../engine/table/access.ts'
import { commandError } from '../errors.ts'
import type { CommandContext, CommandDef } from './command.ts'
import { container, helpOf } from './container.ts'
import { readInt64 } from './parse.ts'

// Redis's defaults: hash-max-listpack-*, set-max-listpack-*, set-max-intset-entries, and the longest
// string that shares an allocation with its object.
const EMBEDDED_BYTES_MAX = 44
const LISTPACK_ENTRIES_MAX = 128
const LISTPACK_WORD_BYTES_MAX = 64
const INTSET_ENTRIES_MAX = 512
/** `list-max-listpack-size -2`, and what an entry takes beside its text at least. */
const LISTPACK_BYTES_MAX = 8 * 1024
const LISTPACK_ENTRY_BYTES = 2

export function encodingOf(state: TypedState): string {
  if (state instanceof SetState) return setEncoding(state)
  if (state instanceof HashState) return hashEncoding(state)
  if (state instanceof ZsetState) return zsetEncoding(state)
  if (state instanceof HllState) return 'raw'
  if (state instanceof ListState) return listEncoding(state)
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

function listEncoding(list: ListState): string {
  if (list.size * LISTPACK_ENTRY_BYTES > LISTPACK_BYTES_MAX) return 'quicklist'
  let bytes = 0
  for (const value of list.slice(0, list.size)) bytes += value.length + LISTPACK_ENTRY_BYTES
  return bytes <= LISTPACK_BYTES_MAX ? 'listpack' : 'quicklist'
}

function zsetEncoding({ scores }: ZsetState): string {
  if (scores.size > LISTPACK_ENTRIES_MAX) return 'skiplist'
  for (const member of scores.keys()) if (member.length > LISTPACK_WORD_BYTES_MAX) return 'skiplist'
  return 'listpack'
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

const noIdleTime = commandError(
  'ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between ' +
    'policies at runtime LRU and LFU data will take some time to adjust.',
)

/** A subcommand of OBJECT: nil for a key that does not exist. */
function aboutKey(
  row: Pick<CommandDef, 'name' | 'since' | 'summary'>,
  answer: (ctx: CommandContext, state: TypedState, key: string) => void,
): CommandDef {
  return {
    ...row,
    arity: 3,
    flags: ['readonly'],
    keys: { first: 2, last: 2, step: 1 },
    uses: [''],
    group: 'generic',
    syntax: 'key',
    complexity: 'O(1)',
    run: (ctx, words) => {
      const key = words[2]!
      const state = ctx.state(key)
      if (state === undefined) ctx.out.nil()
      else answer(ctx, state, key)
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
      (ctx, _state, key) => {
        const { uses } = ctx.keyspace
        if (!(uses instanceof UseCount)) throw noFrequency
        ctx.out.integer(uses.count(ctx.keyspace.db(ctx.db).accessOf(key) ?? uses.born))
      },
    ),
    aboutKey(
      {
        name: 'object|idletime',
        since: '2.2.3',
        summary: 'Returns the time since the last access to a Redis object.',
      },
      (ctx, _state, key) => {
        const { uses } = ctx.keyspace
        if (uses instanceof UseCount) throw noIdleTime
        const seconds = uses?.idleSeconds(ctx.keyspace.db(ctx.db).accessOf(key) ?? uses.born) ?? 0
        ctx.out.integer(Math.floor(seconds))
      },
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
