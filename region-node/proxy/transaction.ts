/**
 * transaction.ts: MULTI and WATCH of one client, of which one node must see all.
 *
 * A transaction runs in one partition. Which one is known with the first key, watched or queued; until then MULTI and
 * commands without keys are kept here, and answered as the node would. From then on everything goes there, and the
 * node does the rest. A key of another partition is CROSSSLOT, and breaks the transaction.
 *
 * Invariants: (1) commands are kept only before the partition is known. (2) A transaction that was broken here is
 * discarded at its node. (3) All of a transaction goes over one connection, and so do the WATCHes before it.
 */
import type { CommandDef } from '../commands/command.ts'
import { errors } from '../errors.ts'
import { requestText } from '../resp/request.ts'
import type { Link } from './link.ts'
import { type Layout, placeOf, type Target } from './plan.ts'
import { verbOf } from './subscriptions.ts'

export interface TransactionPorts {
  readonly layout: () => Layout
  /** The connection for a transaction there; undefined: not yet, ask again. @throws CommandError there is none */
  readonly link: (target: Target) => Link | undefined
  /** Answers the client at once. */
  readonly say: (text: string) => void
  /** Sends a request and relays its reply, but for the replies to what comes first in it. */
  readonly ask: (pin: Pin, request: string, skips: number) => void
  /** Sends a request whose reply nobody wants. */
  readonly tell: (pin: Pin, request: string) => void
}

/** Where it runs. */
export interface Pin {
  readonly target: Target
  readonly link: Link
}

/** What is kept of a transaction without a key, bytes. */
const KEPT_BYTES_MAX = 64 * 1024 * 1024
const MULTI = requestText(['MULTI'])
const EXEC = requestText(['EXEC'])
const DISCARD = requestText(['DISCARD'])

export class Transaction {
  readonly #ports: TransactionPorts
  /** Between MULTI and EXEC. */
  #isOpen = false
  #isBroken = false
  /** MULTI, and commands without keys, that the node has not been sent. */
  #kept = ''
  #keptCount = 0
  #pin: Pin | undefined = undefined

  constructor(ports: TransactionPorts) {
    this.#ports = ports
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** It ends with that connection. */
  isOn(link: Link): boolean {
    return this.#pin?.link === link
  }

  /** Whatever there was, is not. */
  reset(): void {
    this.#isOpen = false
    this.#isBroken = false
    this.#kept = ''
    this.#keptCount = 0
    this.#pin = undefined
  }

  /** A command of it was refused before its node heard of it. */
  break(): void {
    this.#isBroken = this.#isOpen
  }

  /** @returns false: not yet. @throws CommandError */
  watch(command: CommandDef, words: readonly string[]): boolean {
    const target = placeOf(command, words, this.#ports.layout().partitions)
    if (this.#pin !== undefined && this.#pin.target !== target) throw errors.crossSlot
    if (!this.#settle(target)) return false
    this.#send(requestText(words))
    return true
  }

  unwatch(words: readonly string[]): boolean {
    if (!this.#settle('here')) return false
    this.#send(requestText(words))
    this.#pin = undefined
    return true
  }

  begin(): boolean {
    // With one partition there is nothing to wait for.
    if (this.#ports.layout().partitions === 1 && !this.#settle(0)) return false
    this.#isOpen = true
    if (this.#pin === undefined) {
      this.#keep(MULTI)
      this.#ports.say('+OK\r\n')
    } else {
      this.#send(MULTI)
    }
    return true
  }

  /** A command between MULTI and EXEC, or EXEC. @returns false: not yet. @throws CommandError */
  take(command: CommandDef, words: readonly string[]): boolean {
    switch (command.name) {
      case 'exec':
        return this.#exec()
      case 'discard':
        this.#discard()
        return true
      case 'multi':
        throw errors.nestedMulti
      case 'watch':
        throw errors.watchInsideMulti
      default:
        return this.#queue(command, words)
    }
  }

  #queue(command: CommandDef, words: readonly string[]): boolean {
    if (concernsConnection(command)) throw this.#broken(errors.notInsideMulti)
    const target = this.#targetOf(command, words)
    if (target === 'here' && this.#pin === undefined) {
      if (this.#kept.length > KEPT_BYTES_MAX) throw this.#broken(errors.transactionTooLarge)
      this.#keep(requestText(words))
      this.#ports.say('+QUEUED\r\n')
      return true
    }
    if (!this.#settle(target)) return false
    if (target !== 'here' && target !== this.#pin!.target) throw this.#broken(errors.crossSlot)
    this.#send(requestText(words))
    return true
  }

  #targetOf(command: CommandDef, words: readonly string[]): Target {
    const { partitions } = this.#ports.layout()
    const { request } = command
    if (partitions > 1 && request !== undefined && request !== 'multi_shard')
      throw this.#broken(errors.notInTransaction(command.name))
    try {
      return placeOf(command, words, partitions)
    } catch (error) {
      this.#isBroken = true
      throw error
    }
  }

  #broken<E extends Error>(error: E): E {
    this.#isBroken = true
    return error
  }

  #exec(): boolean {
    if (this.#isBroken) {
      this.#drop()
      throw errors.execAbort
    }
    if (!this.#settle('here')) return false
    this.#send(EXEC)
    this.reset()
    return true
  }

  #discard(): void {
    this.#drop()
    this.#ports.say('+OK\r\n')
  }

  /** The node has a transaction, or watches, that nobody wants. */
  #drop(): void {
    if (this.#pin !== undefined) this.#ports.tell(this.#pin, DISCARD)
    this.reset()
  }

  /** From now on it is known where it runs, if it was not. @returns false: not yet */
  #settle(target: Target): boolean {
    if (this.#pin !== undefined) return true
    const link = this.#ports.link(target)
    if (link === undefined) return false
    this.#pin = { target, link }
    return true
  }

  #keep(request: string): void {
    this.#kept += request
    this.#keptCount++
  }

  #send(request: string): void {
    const skips = this.#keptCount
    const text = this.#kept + request
    this.#kept = ''
    this.#keptCount = 0
    this.#ports.ask(this.#pin!, text, skips)
  }
}

/** It would take effect on one of several connections, or out of turn. */
function concernsConnection({ name, isOfConnection }: CommandDef): boolean {
  return isOfConnection === true || LOCAL.has(name) || verbOf(name) !== undefined
}

const LOCAL: ReadonlySet<string> = new Set(['client|reply', 'client|caching', 'monitor'])
