/**
 * audience.ts: who hears of what happens beside the replies: subscribers, clients that track keys, and those who
 * listen to keyspace events.
 *
 * What is to be said is gathered while a command or a received op runs, and handed out when it is over. Nearly
 * always nobody listens, and then a command costs a look at two empty fields.
 *
 * Invariant: the keyspace calls here exactly while `isOn`.
 */
import { TAG } from '../../crdt/effects/effect.ts'
import type { KeyspaceEffect } from '../../crdt/registry.ts'
import type { User } from '../acl/user.ts'
import type { CommandDef } from '../commands/command.ts'
import type { Session } from '../commands/session.ts'
import { keysOf } from '../commands/table.ts'
import { Channels } from './channels.ts'
import { type Cause, KeyEvents } from './key-events.ts'
import type { Keyspace, KeyspaceObserver } from './keyspace.ts'
import { Tracking } from './tracking.ts'

export class Audience implements KeyspaceObserver {
  readonly channels = new Channels()
  readonly tracking: Tracking
  readonly events: KeyEvents
  /** Somebody tracks keys, or listens to events. */
  isOn = false
  readonly #keyspace: Keyspace
  #by: Session | undefined = undefined
  #cause: Cause | undefined = undefined

  /** @param nowMs  the expiry clock @param trackedKeysMax  `tracking-table-max-keys` */
  constructor(keyspace: Keyspace, nowMs: () => number, trackedKeysMax: () => number) {
    this.#keyspace = keyspace
    this.tracking = new Tracking(trackedKeysMax, () => this.#changed())
    this.events = new KeyEvents(this.channels, keyspace, nowMs)
  }

  /** @param flags  `notify-keyspace-events`, A written out */
  configure(flags: string): void {
    this.events.configure(flags)
    this.#changed()
  }

  #changed(): void {
    this.isOn = !this.tracking.isEmpty || this.events.isOn
    this.#keyspace.observer = this.isOn ? this : undefined
  }

  /** A command begins: what follows is done by it, until `ended`. */
  began(by: Session | undefined, command: string, words: readonly string[]): void {
    this.#by = by
    this.#cause = { command, words }
  }

  touching(effect: KeyspaceEffect): void {
    if (this.events.isOn) this.events.touching(effect)
  }

  touched(effect: KeyspaceEffect): void {
    if (this.events.isOn) this.events.touched(effect, this.#cause)
    if (this.tracking.isEmpty) return
    this.tracking.touched(effect.tag === TAG.FLUSH ? undefined : effect.key, this.#by)
  }

  /** Everything may have changed at once. */
  replaced(): void {
    this.tracking.touched(undefined, undefined)
  }

  /** The command, or a received op, is over. */
  ended(): void {
    this.events.ended()
    this.#by = undefined
    this.#cause = undefined
  }

  /**
   * A session has run a command.
   * @param exists  the key, as reads see it, is there
   */
  read(
    session: Session,
    command: CommandDef,
    words: readonly string[],
    exists: (key: string) => boolean,
  ): void {
    if (!command.flags.includes('readonly')) return
    const { tracking } = session
    if (tracking === undefined && !this.events.wantsMisses) return
    const keys = keysOf(command, words)
    if (tracking !== undefined) this.tracking.remember(session, tracking, keys)
    if (this.events.wantsMisses) for (const key of keys) if (!exists(key)) this.events.missed(session.db, key)
  }

  /** There is something to hand out. */
  get isDue(): boolean {
    return this.channels.isDue || this.tracking.isDue
  }

  handOut(): void {
    this.channels.handOut()
    this.tracking.handOut()
  }

  /** What the client listens to is still among what its user may. */
  mayStay(session: Session, user: User): boolean {
    const { channels } = this
    const listens = (['channel', 'pattern', 'shard'] as const).flatMap((kind) =>
      channels.namesOf(session, kind).map((channel) => ({ channel, isPattern: kind === 'pattern' })),
    )
    return listens.every((one) => [user.root, ...user.selectors].some((selector) => selector.mayHear(one)))
  }

  release(session: Session): void {
    this.channels.leaveAll(session)
    this.tracking.release(session)
  }
}
