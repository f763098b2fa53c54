/**
 * admission.ts: which commands are let in while the node is short of something.
 *
 *   memory    what needs more of it is refused (the flag `denyoom`); between MULTI and EXEC everything that
 *             would be queued is, because a queue takes memory too
 *   disk      writes are refused, and PING, so that a health check notices; reads go on, but under
 *             `appendfsync always` they are held: what they would show may not be durable
 *   replica   writes are refused: this node mints nothing
 *   idle      likewise: nobody knows who is primary
 *   passive   writes of keys are refused: others write, and this region applies it
 *   replicas  writes are refused: fewer replicas than `min-replicas-to-write` keep up
 *   loading   everything is refused but what the flag `loading` lets through
 *
 * What comes from peers is not asked: ops that other regions have acknowledged are applied as long as
 * there is any room (the core holds them while the disk is full).
 *
 * Source: processCommand in Redis's server.c, in its order.
 */
import type { CommandDef, CommandFlag } from '../commands/command.ts'
import { type CommandError, errors } from '../errors.ts'
import { HeldCommands } from './held-commands.ts'

export type Shortage = 'memory' | 'disk' | 'replica' | 'idle' | 'passive' | 'replicas' | 'loading'

export class Admission {
  /** Nothing is refused or held: all that a command looks at while the node is well. */
  isOpen = true
  readonly held = new HeldCommands()
  readonly #shortages = new Set<Shortage>()
  #holdsReads = false

  /** @param holdsReads  with the shortage `disk`: replies promise durability */
  begin(shortage: Shortage, holdsReads = false): void {
    this.#shortages.add(shortage)
    if (shortage === 'disk') this.#holdsReads = holdsReads
    this.isOpen = false
  }

  end(shortage: Shortage): void {
    this.#shortages.delete(shortage)
    this.isOpen = this.#shortages.size === 0
    if (shortage !== 'disk') return
    this.#holdsReads = false
    this.held.letGo()
  }

  has(shortage: Shortage): boolean {
    return this.#shortages.has(shortage)
  }

  /**
   * Why a command is refused, or undefined.
   * @param queued  for EXEC: what it would run
   * @param isQueueing  the client is between MULTI and EXEC
   */
  refusal(command: CommandDef, queued: readonly CommandDef[], isQueueing: boolean): CommandError | undefined {
    const asks = (flag: CommandFlag): boolean =>
      command.flags.includes(flag) || queued.some(({ flags }) => flags.includes(flag))
    const wouldQueue = isQueueing && !ENDS_A_QUEUE.has(command.name)
    if (this.has('memory') && (wouldQueue || asks('denyoom'))) return errors.outOfMemory
    if (this.has('disk') && (command.name === 'ping' || asks('write'))) return errors.diskFull
    if (asks('write')) {
      if (this.has('replicas')) return errors.noReplicas
      if (this.has('replica')) return errors.readOnlyReplica
      if (this.has('idle')) return errors.clusterDown
      // Those of Causeway's own that write change regions and no key: who may, may promote this one.
      if (this.has('passive') && command.group !== 'causeway') return errors.passiveRegion
    }
    const isReady =
      command.flags.includes('loading') && queued.every(({ flags }) => flags.includes('loading'))
    return this.has('loading') && !isReady ? errors.loading : undefined
  }

  /** A command that is not refused has to wait. */
  mustWait(command: CommandDef, queued: readonly CommandDef[]): boolean {
    if (!this.#holdsReads) return false
    return command.flags.includes('readonly') || queued.some(({ flags }) => flags.includes('readonly'))
  }
}

const ENDS_A_QUEUE: ReadonlySet<string> = new Set(['exec', 'discard', 'quit', 'reset'])
