/**
 * log-effects.ts: an effect as one readable line.
 *
 * Words are quoted as Redis quotes them, so that binary ones survive a terminal.
 */
import { amountText } from '../../crdt/amount.ts'
import { unreachable } from '../../crdt/assert.ts'
import { TAG } from '../../crdt/effects/effect.ts'
import { EVERY_DB } from '../../crdt/effects/key-effects.ts'
import { type Effect, isKeyEffect, type KeyEffect } from '../../crdt/registry.ts'
import type { SeenCounter } from '../../crdt/state.ts'

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}

/** `"text"` with everything that is not printable ASCII escaped. */
export function quote(word: string): string {
  const body = word.replace(
    /["\\]|[^ -~]/g,
    (c) => ESCAPES[c] ?? `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  return `"${body}"`
}

function quoted(words: readonly string[]): string {
  return words.map(quote).join(' ')
}

function moment(deadlineMs: number): string {
  return deadlineMs === Number.POSITIVE_INFINITY ? 'never' : new Date(deadlineMs).toISOString()
}

function creating(creates: boolean): string {
  return creates ? ' (creates)' : ''
}

function saw(seen: readonly SeenCounter[]): string {
  if (seen.length === 0) return ''
  const parts = seen.map(({ field, origin, run, total }) => {
    const where = field === undefined ? '' : `${quote(field)} `
    return `${where}${origin.id} run ${run} total ${amountText(total)}`
  })
  return ` (saw counters: ${parts.join('; ')})`
}

export function describeEffect(effect: Effect): string {
  return isKeyEffect(effect) ? describeOnKey(effect) : describeKeyless(effect)
}

function describeKeyless(effect: Exclude<Effect, KeyEffect>): string {
  switch (effect.tag) {
    case TAG.FLUSH:
      return `flush ${effect.db === EVERY_DB ? 'all databases' : `db${effect.db}`}${saw(effect.seen.flatMap(({ seen }) => seen))}`
    case TAG.REGION:
      return `region ${quote(effect.name)} id ${effect.regionId} ${effect.status}, epoch ${effect.epoch}`
    case TAG.FENCE:
      return `fence ${effect.origin.id}`
    case TAG.SEAL:
      return `seal ${effect.origin.id} at ${effect.end}`
    case TAG.WAS:
      return `was ${effect.origin.id}:${effect.seq}`
    default:
      return unreachable(effect)
  }
}

function describeOnKey(effect: KeyEffect): string {
  const key = `${effect.db === 0 ? '' : `db${effect.db} `}${quote(effect.key)}`
  switch (effect.tag) {
    case TAG.SET:
      return `set ${key} ${quote(effect.value)} deadline ${moment(effect.deadlineMs)}${saw(effect.seen)}`
    case TAG.PUT:
      return `put ${key} ${quote(effect.value)}${creating(effect.creates)}${saw(effect.seen)}`
    case TAG.INCREMENT:
      return `increment ${key} by ${amountText(effect.delta)}${creating(effect.creates)}, run ${effect.run} total ${amountText(effect.total)}`
    case TAG.HASH_PUT:
      return `hash put ${key} ${quoted(effect.pairs)}${creating(effect.creates)}${saw(effect.seen)}`
    case TAG.HASH_INCREMENT:
      return (
        `hash increment ${key} ${quote(effect.field)} by ${amountText(effect.delta)}${creating(effect.creates)}, ` +
        `run ${effect.run} total ${amountText(effect.total)}`
      )
    case TAG.HASH_REMOVE:
      return `hash remove ${key} ${quoted(effect.fields)}${saw(effect.seen)}`
    case TAG.SET_ADD:
      return `set add ${key} ${quoted(effect.members)}${creating(effect.creates)}`
    case TAG.SET_REMOVE:
      return `set remove ${key} ${quoted(effect.members)}`
    case TAG.DEADLINE:
      return `deadline ${key} ${moment(effect.deadlineMs)}`
    case TAG.CLEAR:
      return `clear ${key}${saw(effect.seen)}`
    default:
      return unreachable(effect)
  }
}
