/**
 * subscriptions.ts: what a client listens to at one node, as the node's confirmations say; and what its messages look
 * like, which in RESP2 are arrays like any reply.
 */
import { elementsOf } from '../resp/reply-splitter.ts'

export type ListenKind = 'channel' | 'pattern' | 'shard'

interface Verb {
  readonly kind: ListenKind
  readonly isLeaving: boolean
}

const VERBS: ReadonlyMap<string, Verb> = new Map([
  ['subscribe', { kind: 'channel', isLeaving: false }],
  ['unsubscribe', { kind: 'channel', isLeaving: true }],
  ['psubscribe', { kind: 'pattern', isLeaving: false }],
  ['punsubscribe', { kind: 'pattern', isLeaving: true }],
  ['ssubscribe', { kind: 'shard', isLeaving: false }],
  ['sunsubscribe', { kind: 'shard', isLeaving: true }],
])

/** The commands that listen, by their names, which their confirmations bear too. */
export function verbOf(command: string): Verb | undefined {
  return VERBS.get(command)
}

export interface Confirmation extends Verb {
  /** Undefined: there was nothing to leave. */
  readonly name: string | undefined
}

const CONFIRMATION = /^[*>]3\r\n\$(?:9|10|11|12)\r\n([ps]?(?:un)?subscribe)\r\n/

/** @param reply  whole */
export function confirmationIn(reply: string): Confirmation | undefined {
  const found = CONFIRMATION.exec(reply)
  if (found === null) return undefined
  const [, name] = elementsOf(`*${reply.slice(1)}`)!
  const isNil = name![0] !== '$' || name!.startsWith('$-')
  return { ...VERBS.get(found[1]!)!, name: isNil ? undefined : name!.slice(name!.indexOf('\n') + 1, -2) }
}

/** @param reply  of a node at which the client listens, in RESP2 */
export function isMessage(reply: string): boolean {
  return /^\*[34]\r\n\$[78]\r\n[ps]?message\r\n/.test(reply)
}

export function isMonitorLine(reply: string): boolean {
  return /^\+\d+\.\d+ \[/.test(reply)
}

export class Subscriptions {
  readonly #names: Readonly<Record<ListenKind, Set<string>>> = {
    channel: new Set(),
    pattern: new Set(),
    shard: new Set(),
  }

  get count(): number {
    const { channel, pattern, shard } = this.#names
    return channel.size + pattern.size + shard.size
  }

  countOf(kind: ListenKind): number {
    return this.#names[kind].size
  }

  clear(): void {
    for (const names of Object.values(this.#names)) names.clear()
  }

  heed({ kind, isLeaving, name }: Confirmation): void {
    if (name === undefined) return
    if (isLeaving) this.#names[kind].delete(name)
    else this.#names[kind].add(name)
  }
}
