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
import type { HllState } from '../../crdt/hll.ts'
import type { KeyEntry } from '../../crdt/key.ts'
import type { ListState } from '../../crdt/list-fugue.ts'
import type { SetState } from '../../crdt/set-aw.ts'
import type { TypedState } from '../../crdt/state.ts'
import type { StreamState } from '../../crdt/stream.ts'
import type { ZsetState } from '../../crdt/zset-aw.ts'
import type { AccessControl } from '../acl/access-control.ts'
import type { Channels } from '../engine/channels.ts'
import type { ClientPause } from '../engine/client-pause.ts'
import type { KeyWait } from '../engine/key-waits.ts'
import type { Keyspace } from '../engine/keyspace.ts'
import type { Tracking } from '../engine/tracking.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import type { FunctionLibraries } from '../scripts/libraries.ts'
import type { Script } from '../scripts/port.ts'
import type { ScriptCache } from '../scripts/script-cache.ts'
import type { HllWrites } from './hll-writes.ts'
import type { ListWrites } from './list-writes.ts'
import type { Services } from './services.ts'
import type { Session } from './session.ts'
import type { StreamWrites } from './stream-writes.ts'
import type { ZsetWrites } from './zset-writes.ts'

/** Redis's own words, as COMMAND INFO shows them. */
export type CommandFlag =
  | 'write'
  | 'readonly'
  | 'denyoom'
  | 'admin'
  | 'noscript'
  | 'pubsub'
  | 'blocking'
  | 'loading'
  | 'stale'
  | 'fast'
  | 'no_auth'
  | 'no_multi'
  | 'allow_busy'
  | 'no_mandatory_keys'
  | 'movablekeys'
  | 'skip_monitor'
  | 'skip_slowlog'
  | 'no_async_loading'

/** Redis's groups, as COMMAND DOCS shows them, and one of our own. */
export type CommandGroup =
  | 'string'
  | 'bitmap'
  | 'hash'
  | 'set'
  | 'list'
  | 'sorted-set'
  | 'geo'
  | 'hyperloglog'
  | 'stream'
  | 'generic'
  | 'connection'
  | 'server'
  | 'transactions'
  | 'cluster'
  | 'pubsub'
  | 'scripting'
  | 'causeway'

/** Whom a command concerns that is not about keys of one partition, in Redis's words (COMMAND INFO's tips). */
export type RequestPolicy = 'all_nodes' | 'all_shards' | 'multi_shard' | 'special'

/** What becomes of several replies; without one, their elements follow one another. */
export type ResponsePolicy = 'all_succeeded' | 'agg_sum' | 'agg_min' | 'agg_logical_and' | 'special'

/** What a command does to a key, as access control asks: reads its value, writes it, both, or neither. */
export type KeyUse = 'R' | 'W' | 'RW' | ''

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
  /** Categories in place of the one that follows from the group; those of the flags are added. */
  readonly categories?: readonly string[]
  /** What is done to its keys, in their order, the last for all that follow. Else: read, or read and written. */
  readonly uses?: readonly KeyUse[]
  /** The words that name channels: the first behind the name, or all of them, as names or as patterns. */
  readonly channels?: 'first' | 'names' | 'patterns'
  /** Left out where its keys say where it goes, or any node will do. The proxy goes by it (`proxy/plan.ts`). */
  readonly request?: RequestPolicy
  readonly response?: ResponsePolicy
  /** What it says holds for its connection from then on: a proxy says it on each that it has for a client. */
  readonly isOfConnection?: true
  readonly group: CommandGroup
  /** Redis version that introduced it; Causeway's own commands name Causeway's. */
  readonly since: string
  readonly summary: string
  /** The words behind the name (and subcommand), in the notation of `syntax.ts`; left out when there are none. */
  readonly syntax?: string
  readonly complexity?: string
  readonly subcommands?: readonly CommandDef[]
  /** `words[0]` is the name as the client wrote it. @throws CommandError */
  readonly run: (ctx: CommandContext, words: readonly string[]) => void
}

/** Changes to keys. Each call is one effect (preceded by a removal when the key is due). */
export interface Writes {
  readonly hll: HllWrites
  readonly zset: ZsetWrites
  readonly list: ListWrites
  readonly stream: StreamWrites
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
  /** Fields that exist. Milliseconds since the Unix epoch; Infinity: HPERSIST. */
  setFieldDeadline(key: string, fields: readonly string[], deadlineMs: number, db?: number): void
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

/** What the commands of scripts and functions ask for: `scripts/runner.ts`. */
export interface ScriptControl {
  readonly cache: ScriptCache
  readonly libraries: FunctionLibraries
  /** The script of that text, kept in the cache from now on. @throws CommandError when it does not compile */
  take(text: string): Script
  /** Runs a script and writes its reply. @param readOnly  it must not write @throws CommandError when it may not run */
  run(script: Script, keys: readonly string[], args: readonly string[], readOnly: boolean): void
  /** The same for a function. */
  runFunction(name: string, keys: readonly string[], args: readonly string[], readOnly: boolean): void
  /** Forgets all scripts. */
  flush(): void
}

/** The command table, as commands about commands see it. */
export interface CommandLookup {
  /** Top-level commands in the order of the families. */
  readonly commands: readonly CommandDef[]
  /** A top-level command, in whatever case the name is written. */
  get(name: string): CommandDef | undefined
  /** The command or subcommand that the words address. @throws CommandError when there is none, or by their number */
  find(words: readonly string[]): CommandDef
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
  readonly scripts: ScriptControl
  readonly channels: Channels
  readonly tracking: Tracking
  readonly access: AccessControl

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
  /** The HyperLogLog, or one made of a string that holds the bytes of one. */
  hll(key: string): HllState | undefined
  zset(key: string): ZsetState | undefined
  list(key: string): ListState | undefined
  stream(key: string): StreamState | undefined
  /**
   * Blocks the session, whose command has found nothing and leaves without a reply: it is run again when one of
   * the keys has changed, and the reply is nil when the time is over. Not inside a transaction.
   */
  waitForKeys(wait: KeyWait): void
  /** A random number in [0, 1). */
  random(): number
}

/** Keeps the type checker's eye on a row without widening it. */
export function defineCommands(commands: readonly CommandDef[]): readonly CommandDef[] {
  return commands
}
