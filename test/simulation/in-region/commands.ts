/**
 * commands.ts: what clients of a run ask for, and what is known of each command afterwards.
 *
 * Every write can be told from all others, so that the end of a run says of each one whether it counts: increments
 * of counters that nothing else touches, members and fields that are added once, values that are written once, and
 * keys that are made once and deleted once.
 */
import type { Reply } from '../../../region-node/resp/parse-reply.ts'
import { RespError } from '../../../region-node/resp/parse-reply.ts'
import type { Prng } from '../../harness/prng.ts'

/** What a command is for the checkers. */
export type Ask =
  | { readonly kind: 'increment'; readonly key: string; readonly amount: number }
  | { readonly kind: 'member'; readonly key: string; readonly name: string }
  | { readonly kind: 'field'; readonly key: string; readonly name: string }
  /** Answers with the value that it took the place of. */
  | { readonly kind: 'value'; readonly key: string; readonly name: string }
  | { readonly kind: 'make'; readonly key: string }
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'sum'; readonly key: string }

export interface Command {
  readonly region: string
  /** The node that it was sent to. */
  readonly node: string
  readonly ask: Ask
  readonly sentMs: number
  /** Where and as what it ran; undefined: it did not, as far as is known. */
  ran: { readonly term: number; readonly asPrimary: boolean } | undefined
  /** The op it became. */
  dot: { readonly origin: string; readonly seq: number } | undefined
  answeredMs: number | undefined
  reply: Reply | undefined
  /** A machine of its region held it and lost it, with its power before the fsync or with its disk. */
  isShaken: boolean
  /** So did the last machine of its region that held it. */
  isLost: boolean
}

export function wordsOf(ask: Ask): readonly string[] {
  switch (ask.kind) {
    case 'increment':
      return ['INCRBY', ask.key, String(ask.amount)]
    case 'member':
      return ['SADD', ask.key, ask.name]
    case 'field':
      return ['HSET', ask.key, ask.name, '1']
    case 'value':
      return ['SET', ask.key, ask.name, 'GET']
    case 'make':
      return ['SET', ask.key, '1']
    case 'delete':
      return ['DEL', ask.key]
    case 'sum':
      return ['GET', ask.key]
  }
}

/** A primary did what was asked, and said so. */
export function isAcknowledged({ reply, ran, answeredMs }: Command): boolean {
  return answeredMs !== undefined && ran?.asPrimary === true && !(reply instanceof RespError)
}

/** It was refused, or not run by a primary: it has changed nothing. */
export function isRefused({ reply, ran, answeredMs }: Command): boolean {
  return answeredMs !== undefined && (reply instanceof RespError || ran?.asPrimary === false)
}

export class Workload {
  readonly #prng: Prng
  readonly #keyCount: number
  #made = 0
  /** Keys that were made, acknowledged by this region, and not deleted yet. */
  readonly #deletable = new Map<string, string[]>()

  constructor(prng: Prng, keyCount: number) {
    this.#prng = prng
    this.#keyCount = keyCount
  }

  next(region: string): Ask {
    const prng = this.#prng
    const key = (kind: string): string => `${kind}:${prng.below(this.#keyCount)}`
    const name = `v${++this.#made}`
    const deletable = this.#deletable.get(region) ?? []
    return prng.weighted<() => Ask>([
      [4, () => ({ kind: 'increment', key: key('counter'), amount: prng.between(1, 1000) })],
      [3, () => ({ kind: 'member', key: key('set'), name })],
      [2, () => ({ kind: 'field', key: key('hash'), name })],
      [3, () => ({ kind: 'value', key: key('string'), name })],
      [2, () => ({ kind: 'make', key: `made:${name}` })],
      [deletable.length > 0 ? 2 : 0, () => ({ kind: 'delete', key: deletable.shift()! })],
      [2, () => ({ kind: 'sum', key: key('counter') })],
    ])()
  }

  answered(command: Command): void {
    const { ask, region } = command
    if (ask.kind !== 'make' || !isAcknowledged(command)) return
    const deletable = this.#deletable.get(region)
    if (deletable === undefined) this.#deletable.set(region, [ask.key])
    else deletable.push(ask.key)
  }
}
