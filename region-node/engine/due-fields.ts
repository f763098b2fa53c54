/**
 * due-fields.ts: which hash fields of a database are past a deadline of their own.
 *
 * The same question as of keys (`due-keys.ts`), asked of fields: a field is named by its key and itself in one
 * word. Only fields with a finite deadline are here.
 *
 * Invariant: every live field with a finite deadline waits in here, or is in `due` and hidden in its hash.
 */
import type { HashState } from '../../crdt/hash-aw.ts'
import { DueKeys } from './due-keys.ts'

const NEVER = Number.POSITIVE_INFINITY

export interface FieldName {
  readonly key: string
  readonly field: string
}

export class DueFields {
  readonly #queue = new DueKeys()
  /** By name: the deadline of each field that has one. */
  readonly #moments = new Map<string, number>()
  /** No deadline comes before this, milliseconds since the Unix epoch. */
  nextMs = NEVER

  /** Takes over what has changed in a hash since it was asked last. */
  take(key: string, hash: HashState): void {
    const { timed } = hash
    if (timed === undefined || timed.changed.size === 0) return
    for (const field of timed.changed) this.#changed(nameOf(key, field), hash.deadlineOf(field))
    timed.changed.clear()
  }

  #changed(name: string, moment: number): void {
    if (moment === NEVER) this.#moments.delete(name)
    else this.#moments.set(name, moment)
    this.#queue.changed(name, moment)
    this.#queue.sweep(this.#moments.size, this.#momentOf)
    if (moment < this.nextMs) this.nextMs = moment
  }

  readonly #momentOf = (name: string): number => this.#moments.get(name) ?? NEVER

  /** Hands out the fields that have become due by `nowMs`. */
  advance(nowMs: number, onDue: (name: FieldName) => void): void {
    if (nowMs <= this.nextMs) return
    this.#queue.advance(nowMs, this.#momentOf, (name) => onDue(partsOf(name)))
    this.nextMs = this.#queue.nextMs
  }

  /** Fields that were handed out and are still there, one after the other: see `DueKeys.nextInRound`. */
  nextInRound(): FieldName | undefined {
    const name = this.#queue.nextInRound()
    return name === undefined ? undefined : partsOf(name)
  }
}

function nameOf(key: string, field: string): string {
  return `${key.length}:${key}${field}`
}

function partsOf(name: string): FieldName {
  const colon = name.indexOf(':')
  const end = colon + 1 + Number(name.slice(0, colon))
  return { key: name.slice(colon + 1, end), field: name.slice(end) }
}
