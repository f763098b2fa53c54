/**
 * command.ts: what a command is, and all it may see and do.
 *
 * A command is a row of data and one function. The function reads through the context, answers through
 * `out`, and changes keys through `write`; what it writes becomes effects of one op, minted, logged and
 * applied by the engine. A command checks everything before its first write: an op is never taken back.
 *
 * A key that is past its deadline does not exist for any read here, and the first write to it removes it.
 */
import type { Amount } from '../../crdt/amount.ts'
import type { Cell } from '../../crdt/cell.ts'
import type { HashState } from '../../crdt/hash-aw.ts'
import type { KeyEntry } from '../../crdt/key.ts'
import type { SetState } from '../../crdt/set-aw.ts'
import type { TypedState } from '../../crdt/state.ts'
import type { ClientPause } from '../engine/client-pause.ts'
import type { Keyspace } from '../engine/keyspace.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import type { Services } from './services.ts'
import type { Session } from './session.ts'

/** Redis's own words, as COMMAND INFO shows them. */
export type CommandFlag =
  | 'write'
  | 'readonly'
  | 'denyoom'
  | 'admin'
  | 'noscript'
  | 'blocking'
  | 'loading'
  | 'stale'
  | 'fast'
  | 'no_auth'
  | 'no_multi'
  | 'movablekeys'
  | 'skip_monitor'
  | 'skip_slowlog'

/** Redis's groups, as COMMAND DOCS shows them, and one of our own. */
export type CommandGroup =
  | 'string'
  | 'bitmap'
  | 'hash'
  | 'set'
  | 'generic'
  | 'connection'
  | 'server'
  | 'transactions'
  | 'causeway'

/** Positions of keys among the words, the name being 0. `last` may count from the end (-1: the last word). */
export interface KeyRange {
  readonly first: number
  readonly last: number
  readonly step: number
}

export const NO_KEYS: KeyRange = { first: 0, last: 0, step: 0 }
export const ONE_KEY: KeyRange = { first: 1, last: 1, step: 1 }

export interface CommandDef {
  /** Lower case; a subcommand is `container|name`. */
  readonly name: string
  /** Exact number of words, the name (and subcommand) included; negative: at least that many. */
  readonly arity: number
  readonly flags: readonly CommandFlag[]
  readonly keys: KeyRange
  /** Where key positions depend on the words (`numkeys`); the range above then says what COMMAND INFO says. */
  readonly keysOf?: (words: readonly string[]) => string[]
  readonly group: CommandGroup
  /** Redis version that introduced it; Causeway's own commands name Causeway's. */
  readonly since: string
  readonly summary: string
  readonly complexity?: string
  readonly subcommands?: readonly CommandDef[]
  /** `words[0]` is the name as the client wrote it. @throws CommandError */
  readonly run: (ctx: CommandContext, words: readonly string[]) => void
}

/** Changes to keys. Each call is one effect (preceded by a removal when the key is due). */
export interface Writes {
  /** SET: replaces all that is seen of the key, whatever its type. Infinity: no deadline. */
  set(key: string, value: string, deadlineMs?: number, db?: number): void
  /** Writes the string's value and leaves the deadline: APPEND, SETRANGE, SET KEEPTTL. */
  put(key: string, value: string, db?: number): void
  /** Adds to the string's counter. The caller has checked type, form and range. */
  increment(key: string, delta: Amount): void
  /** Fields and values in turn; no field twice. */
  putFields(key: string, pairs: readonly string[], db?: number): void
  incrementField(key: string, field: string, delta: Amount): void
  /** Fields that exist. */
  removeFields(key: string, fields: readonly string[]): void
  /** Members, no one twice; ones already present are to be included: an add is an add (semantics.md, Set). */
  addMembers(key: string, members: readonly string[], db?: number): void
  /** Members that exist. */
  removeMembers(key: string, members: readonly string[]): void
  /** Milliseconds since the Unix epoch; Infinity: PERSIST. The key exists. */
  setDeadline(key: string, deadlineMs: number, db?: number): void
  /** Removes all that is seen of the key, deadlines included. @returns whether it existed */
  clear(key: string, db?: number): boolean
  /** Removes all that is seen of one database, or of all of them. */
  flush(db: number | 'all'): void
}

/** What MULTI, EXEC, DISCARD, WATCH and UNWATCH ask of the engine. */
export interface TransactionControl {
  watch(session: Session, db: number, key: string): void
  unwatch(session: Session): void
  /** Runs the queue as one op and writes the whole reply. */
  exec(session: Session): void
}

/** The command table, as commands about commands see it. */
export interface CommandLookup {
  /** Top-level commands in the order of the families. */
  readonly commands: readonly CommandDef[]
  /** A top-level command, in whatever case the name is written. */
  get(name: string): CommandDef | undefined
}

export interface CommandContext {
  readonly session: Session
  readonly out: ReplyWriter
  /** The expiry clock, milliseconds since the Unix epoch; stands still during a command, EXEC included. */
  readonly nowMs: number
  /** The session's database. */
  readonly db: number
  /** The command runs inside EXEC: it must answer at once. */
  readonly inTransaction: boolean
  readonly write: Writes
  readonly keyspace: Keyspace
  readonly services: Services
  readonly commands: CommandLookup
  readonly transaction: TransactionControl
  readonly pause: ClientPause

  /** The key as reads see it; undefined when it does not exist or is due. */
  entry(key: string, db?: number): KeyEntry | undefined
  /** Its visible state, of whatever type. */
  state(key: string, db?: number): TypedState | undefined
  /** The entry is past its deadline. */
  isDue(entry: KeyEntry): boolean
  /** The visible string. @throws CommandError WRONGTYPE when the key holds another type; likewise below */
  string(key: string): Cell | undefined
  /** The visible string's value. */
  text(key: string): string | undefined
  hash(key: string): HashState | undefined
  set(key: string): SetState | undefined
  /** A random number in [0, 1). */
  random(): number
}

/** Keeps the type checker's eye on a row without widening it. */
export function defineCommands(commands: readonly CommandDef[]): readonly CommandDef[] {
  return commands
}
