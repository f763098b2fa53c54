/**
 * context.ts: what a running command sees. One object per engine, moved from session to session.
 */
import { type Cell, cellText, ManyCell } from '../../crdt/cell.ts'
import { HashState } from '../../crdt/hash-aw.ts'
import { HllState } from '../../crdt/hll.ts'
import { cardIn, HllRegisters, isHllText } from '../../crdt/hll-registers.ts'
import { deadlineOf, type KeyEntry, KeyState, visibleState } from '../../crdt/key.ts'
import { ListState } from '../../crdt/list-fugue.ts'
import { Register } from '../../crdt/register.ts'
import { SetState } from '../../crdt/set-aw.ts'
import type { TypedState } from '../../crdt/state.ts'
import { StreamState } from '../../crdt/stream.ts'
import { ZsetState } from '../../crdt/zset-aw.ts'
import type { AccessControl } from '../acl/access-control.ts'
import type {
  CommandContext,
  CommandLookup,
  ScriptControl,
  TransactionControl,
  Writes,
} from '../commands/command.ts'
import type { Services } from '../commands/services.ts'
import type { Session } from '../commands/session.ts'
import { errors } from '../errors.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import type { Audience } from './audience.ts'
import type { Channels } from './channels.ts'
import type { ClientPause } from './client-pause.ts'
import type { ExpiryClock } from './expiry-clock.ts'
import type { KeyWait, KeyWaits } from './key-waits.ts'
import type { Keyspace } from './keyspace.ts'
import type { Minter } from './minter.ts'
import type { Tracking } from './tracking.ts'

/** What of the engine a command works with. */
export interface ContextParts {
  readonly nobody: Session
  readonly keyspace: Keyspace
  readonly minter: Minter
  readonly writes: Writes
  readonly clock: ExpiryClock
  readonly services: Services
  readonly commands: CommandLookup
  readonly transaction: TransactionControl
  readonly pause: ClientPause
  readonly scripts: ScriptControl
  readonly access: AccessControl
  readonly audience: Audience
  readonly random: () => number
  readonly waits: KeyWaits
}

export class Context implements CommandContext {
  session: Session
  out: ReplyWriter
  inTransaction = false
  readonly write: Writes
  readonly keyspace: Keyspace
  readonly services: Services
  readonly commands: CommandLookup
  readonly transaction: TransactionControl
  readonly pause: ClientPause
  readonly scripts: ScriptControl
  readonly access: AccessControl
  readonly channels: Channels
  readonly tracking: Tracking
  readonly random: () => number
  readonly #minter: Minter
  readonly #clock: ExpiryClock
  readonly #waits: KeyWaits

  constructor(parts: ContextParts) {
    this.session = parts.nobody
    this.out = parts.nobody.out
    this.write = parts.writes
    this.keyspace = parts.keyspace
    this.services = parts.services
    this.commands = parts.commands
    this.transaction = parts.transaction
    this.pause = parts.pause
    this.scripts = parts.scripts
    this.access = parts.access
    this.channels = parts.audience.channels
    this.tracking = parts.audience.tracking
    this.random = parts.random
    this.#minter = parts.minter
    this.#clock = parts.clock
    this.#waits = parts.waits
  }

  enter(session: Session): void {
    this.session = session
    this.out = session.out
    this.#minter.db = session.db
    if (this.keyspace.uses !== undefined) this.keyspace.db(session.db).beginUse()
  }

  get nowMs(): number {
    return this.#clock.nowMs
  }

  get db(): number {
    return this.session.db
  }

  isDue(entry: KeyEntry): boolean {
    return entry instanceof KeyState && deadlineOf(entry) < this.#clock.nowMs
  }

  entry(key: string, db = this.session.db): KeyEntry | undefined {
    const entry = this.keyspace.get(db, key)
    // A plain register has no deadline: nearly every read ends here.
    if (!(entry instanceof KeyState)) return entry
    return visibleState(entry) === undefined || deadlineOf(entry) < this.#clock.nowMs ? undefined : entry
  }

  state(key: string, db = this.session.db): TypedState | undefined {
    return visibleState(this.entry(key, db))
  }

  string(key: string): Cell | undefined {
    const state = this.state(key)
    if (state === undefined || state instanceof Register || state instanceof ManyCell) return state
    if (state instanceof HllState) return new Register(state.text(), state.latest())
    throw errors.wrongType
  }

  text(key: string): string | undefined {
    const plain = this.keyspace.plainText(this.session.db, key)
    if (plain !== undefined) return plain
    const cell = this.string(key)
    return cell === undefined ? undefined : cellText(cell)
  }

  hash(key: string): HashState | undefined {
    const state = this.state(key)
    if (state === undefined || state instanceof HashState) return state
    throw errors.wrongType
  }

  hll(key: string): HllState | undefined {
    const state = this.state(key)
    if (state === undefined || state instanceof HllState) return state
    if (!(state instanceof Register || state instanceof ManyCell)) throw errors.wrongType
    return hllOfText(cellText(state))
  }

  set(key: string): SetState | undefined {
    const state = this.state(key)
    if (state === undefined || state instanceof SetState) return state
    throw errors.wrongType
  }

  stream(key: string): StreamState | undefined {
    const state = this.state(key)
    if (state === undefined || state instanceof StreamState) return state
    throw errors.wrongType
  }

  zset(key: string): ZsetState | undefined {
    const state = this.state(key)
    if (state === undefined || state instanceof ZsetState) return state
    throw errors.wrongType
  }

  list(key: string): ListState | undefined {
    const state = this.state(key)
    if (state === undefined || state instanceof ListState) return state
    throw errors.wrongType
  }

  waitForKeys(wait: KeyWait): void {
    this.#waits.wait(this.session, wait)
  }
}

/** @throws CommandError when the string is not one that PFADD could have written */
function hllOfText(text: string): HllState {
  if (!isHllText(text)) throw errors.notHll
  const registers = HllRegisters.read(text)
  if (registers === undefined) throw errors.corruptHll
  const hll = new HllState()
  hll.registers = registers
  hll.card = cardIn(text)
  return hll
}
