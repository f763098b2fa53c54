/**
 * load.ts: clients of one region that know what they were promised.
 *
 * Each sends batches of writes to keys which all regions write, and keeps count: of what was acknowledged,
 * and of what was sent and never answered, which may or may not have happened. Keys that are only there to
 * collide (registers, removals) are not counted; they are compared between regions at the end.
 *
 * Invariant: for every counter, acknowledged <= value <= acknowledged + unanswered; every acknowledged
 * member and field is present; nothing is present that was never sent.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type Reply, RespError } from '../../region-node/resp/parse-reply.ts'
import type { Prng } from '../harness/prng.ts'
import type { RegionProcess } from '../harness/region-process.ts'
import { ConnectionLost, type RespClient } from '../harness/resp-client.ts'

const COUNTERS = 4
const COLLECTIONS = 4
const REGISTERS = 8
/** Members of the sets that come and go. */
const CHURN = 20
const COMMANDS_PER_BATCH = 16
const RECONNECT_MS = 20
/** A pause between two batches of one client leaves the processors some room for the nodes. */
const PAUSE_MS = 2

export const COUNTER_KEYS = names('counter', COUNTERS)
export const SET_KEYS = names('set', COLLECTIONS)
export const HASH_KEYS = names('hash', COLLECTIONS)
/** Two counters that are only ever written together, in one EXEC. */
export const PAIR_KEYS = ['{pair}:left', '{pair}:right'] as const

function names(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${name}:${i}`)
}

/** What a region owes its clients. */
export class Pledges {
  readonly acknowledged = new Map<string, number>()
  readonly unanswered = new Map<string, number>()
  /** `key` and member or field: true when acknowledged, false when sent only. */
  readonly elements = new Map<string, Map<string, boolean>>()
  commands = 0
  readonly errors: string[] = []

  count(key: string, amount: number, answered: boolean): void {
    const counts = answered ? this.acknowledged : this.unanswered
    counts.set(key, (counts.get(key) ?? 0) + amount)
  }

  element(key: string, name: string, answered: boolean): void {
    const elements = this.elements.get(key) ?? new Map<string, boolean>()
    this.elements.set(key, elements.set(name, answered))
  }
}

interface Planned {
  readonly commands: readonly (readonly string[])[]
  /** Told once: whether all commands were answered. */
  readonly settle: (answered: boolean) => void
}

export class Load {
  readonly pledges = new Pledges()
  readonly #region: RegionProcess
  readonly #prng: Prng
  readonly #name: string
  #element = 0
  #stopped = false

  /** @param name  different for each load: elements are named after it */
  constructor(region: RegionProcess, name: string, prng: Prng) {
    this.#region = region
    this.#name = name
    this.#prng = prng
  }

  stop(): void {
    this.#stopped = true
  }

  /** Runs until `stop`. Reconnects whenever the region is there again. */
  async run(): Promise<void> {
    let client: RespClient | undefined
    while (!this.#stopped) {
      try {
        client ??= await this.#region.connect()
        await this.#batch(client)
        await delay(PAUSE_MS)
      } catch {
        // The region is down. What was not answered is noted where it was sent.
        client = undefined
        await delay(RECONNECT_MS)
      }
    }
    await client?.close()
  }

  async #batch(client: RespClient): Promise<void> {
    const plans = Array.from({ length: COMMANDS_PER_BATCH }, () => this.#plan())
    const results = await Promise.all(plans.map((plan) => this.#perform(client, plan)))
    if (results.includes(false)) throw new ConnectionLost('within a batch')
  }

  /** @returns whether all was answered */
  async #perform(client: RespClient, { commands, settle }: Planned): Promise<boolean> {
    try {
      const replies = await client.pipeline(commands)
      if (replies.some(isLoading)) {
        settle(false)
        return false
      }
      this.pledges.commands += commands.length
      settle(true)
      for (const reply of replies) this.#note(reply)
      return true
    } catch {
      settle(false)
      return false
    }
  }

  #note(reply: Reply): void {
    if (reply instanceof RespError) this.pledges.errors.push(reply.line)
    else if (Array.isArray(reply)) for (const each of reply) this.#note(each)
  }

  #plan(): Planned {
    const prng = this.#prng
    return prng.weighted<() => Planned>([
      [4, () => this.#increment()],
      [4, () => this.#addMember()],
      [4, () => this.#setField()],
      [2, () => this.#incrementPair()],
      [2, () => uncounted(['SET', `register:${prng.below(REGISTERS)}`, this.#newName()])],
      [1, () => uncounted(['SADD', `churn:${prng.below(2)}`, String(prng.below(CHURN))])],
      [1, () => uncounted(['SREM', `churn:${prng.below(2)}`, String(prng.below(CHURN))])],
      [1, () => uncounted(['HINCRBY', 'tally', String(prng.below(REGISTERS)), '1'])],
      [1, () => uncounted(['DEL', prng.pick([`register:${prng.below(REGISTERS)}`, 'tally', 'churn:0'])])],
      [
        1,
        () =>
          uncounted(['SET', `fleeting:${prng.below(REGISTERS)}`, 'x', 'PX', String(prng.between(50, 2000))]),
      ],
    ])()
  }

  #newName(): string {
    return `${this.#name}-${this.#element++}`
  }

  #increment(): Planned {
    const key = this.#prng.pick(COUNTER_KEYS)
    const amount = this.#prng.between(1, 9)
    return {
      commands: [['INCRBY', key, String(amount)]],
      settle: (answered) => this.pledges.count(key, amount, answered),
    }
  }

  #incrementPair(): Planned {
    return {
      commands: [['MULTI'], ...PAIR_KEYS.map((key) => ['INCR', key]), ['EXEC']],
      settle: (answered) => {
        for (const key of PAIR_KEYS) this.pledges.count(key, 1, answered)
      },
    }
  }

  #addMember(): Planned {
    const key = this.#prng.pick(SET_KEYS)
    const member = this.#newName()
    return {
      commands: [['SADD', key, member]],
      settle: (answered) => this.pledges.element(key, member, answered),
    }
  }

  #setField(): Planned {
    const key = this.#prng.pick(HASH_KEYS)
    const field = this.#newName()
    return {
      commands: [['HSET', key, field, field]],
      settle: (answered) => this.pledges.element(key, field, answered),
    }
  }
}

function uncounted(words: readonly string[]): Planned {
  return { commands: [words], settle: () => {} }
}

/** The node has just come back, and nothing of it has run. */
export function isLoading(reply: Reply): boolean {
  return reply instanceof RespError && reply.line.startsWith('LOADING ')
}
