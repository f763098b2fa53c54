/**
 * context.ts: what a running command sees. One object per engine, moved from session to session.
 */
import { type Cell, cellText, ManyCell } from '../../crdt/cell.ts'
import { HashState } from '../../crdt/hash-aw.ts'
import { deadlineOf, type KeyEntry, KeyState, visibleState } from '../../crdt/key.ts'
import { Register } from '../../crdt/register.ts'
import { SetState } from '../../crdt/set-aw.ts'
import type { TypedState } from '../../crdt/state.ts'
import type { CommandContext, CommandLookup, TransactionControl, Writes } from '../commands/command.ts'
import type { Services } from '../commands/services.ts'
import type { Session } from '../commands/session.ts'
import { errors } from '../errors.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import type { ClientPause } from './client-pause.ts'
import type { ExpiryClock } from './expiry-clock.ts'
import type { Keyspace } from './keyspace.ts'
import type { Minter } from './minter.ts'

export class Context implements CommandContext {
  session: Session
  out: ReplyWriter
  inTransaction = false
  readonly write: Writes
  readonly #mint: Minter
  readonly keyspace: Keyspace
  readonly services: Services
  readonly commands: CommandLookup
  readonly transaction: TransactionControl
  readonly pause: ClientPause
  readonly random: () => number
  readonly #clock: ExpiryClock

  constructor(
    nobody: Session,
    keyspace: Keyspace,
    mint: Minter,
    write: Writes,
    clock: ExpiryClock,
    services: Services,
    commands: CommandLookup,
    transaction: TransactionControl,
    pause: ClientPause,
    random: () => number,
  ) {
    this.session = nobody
    this.out = nobody.out
    this.keyspace = keyspace
    this.#mint = mint
    this.write = write
    this.#clock = clock
    this.services = services
    this.commands = commands
    this.transaction = transaction
    this.pause = pause
    this.random = random
  }

  enter(session: Session): void {
    this.session = session
    this.out = session.out
    this.#mint.db = session.db
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

  set(key: string): SetState | undefined {
    const state = this.state(key)
    if (state === undefined || state instanceof SetState) return state
    throw errors.wrongType
  }
}
