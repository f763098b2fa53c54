/**
 * log-effects.ts: an effect as one readable line.
 *
 * Words are quoted as Redis quotes them, so that binary ones survive a terminal.
 */
import { amountText } from '../../crdt/amount.ts'
import { unreachable } from '../../crdt/assert.ts'
import { TAG } from '../../crdt/effects/effect.ts'
import { EVERY_DB } from '../../crdt/effects/key-effects.ts'
import type { StreamEffect } from '../../crdt/effects/stream-effects.ts'
import type { GroupEffect } from '../../crdt/effects/stream-group-effects.ts'
import { exactText } from '../../crdt/exact-sum.ts'
import { type NodeName, RUN_PLACES } from '../../crdt/list-names.ts'
import { type Effect, isKeyEffect, type KeyEffect } from '../../crdt/registry.ts'
import type { SeenCounter } from '../../crdt/state.ts'
import { idText } from '../../crdt/stream-id.ts'

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
  const parts = seen.map((one) => {
    const where = one.field === undefined ? '' : `${quote(one.field)} `
    const total = one.type === 'zset' ? exactText(one.total) : amountText(one.total)
    return `${where}${one.origin.id} run ${one.run} total ${total}`
  })
  return ` (saw counters: ${parts.join('; ')})`
}

/** A node of a list: its op, the effect in it and the place in its run. */
function nodeText({ origin, seq, sub }: NodeName): string {
  return `${origin.id}:${seq}.${Math.floor(sub / RUN_PLACES)}.${sub % RUN_PLACES}`
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
    case TAG.CUT:
      return `cut announced: ${effect.ends.map(([origin, seq]) => `${origin.id}:${seq}`).join(' ')}`
    case TAG.MODE:
      return `mode of region ${effect.regionId}: ${effect.mode}, epoch ${effect.epoch}`
    default:
      return unreachable(effect)
  }
}

/** @param key  as it is to be shown */
function describeOnStream(key: string, effect: StreamEffect): string {
  switch (effect.tag) {
    case TAG.STREAM_ADD:
      return `stream add ${key} ${idText(effect.id)} ${quoted(effect.fields)}${creating(effect.creates)}`
    case TAG.STREAM_REMOVE:
      return `stream remove ${key} ${effect.ids.map(idText).join(' ')}`
    case TAG.STREAM_TRIM:
      return `stream trim ${key} up to ${idText(effect.bound)}`
    case TAG.STREAM_BAR:
      return `stream remove ${key} all groups`
    case TAG.STREAM_HINTS:
      return `stream hints ${key} last ${idText(effect.lastId)} added ${effect.entriesAdded} deleted ${idText(effect.maxDeletedId)}`
    default:
      return describeOnGroup(`${key} ${quote(effect.group)}`, effect)
  }
}

function describeOnGroup(group: string, effect: GroupEffect): string {
  switch (effect.tag) {
    case TAG.STREAM_GROUP:
      return `group create ${group} from ${idText(effect.start)}${creating(effect.creates)}`
    case TAG.STREAM_UNGROUP:
      return `group destroy ${group}`
    case TAG.STREAM_ACK:
      return `group ack ${group} ${effect.ids.map(idText).join(' ')}`
    case TAG.STREAM_DELIVER:
      return `group deliver ${group} to ${quote(effect.consumer)} ${effect.entries.map(idText).join(' ')}`
    case TAG.STREAM_CLAIM:
      return `group claim ${group} for ${quote(effect.consumer)} ${effect.claims.map(idText).join(' ')}, gone ${effect.gone.map(idText).join(' ')}`
    case TAG.STREAM_CONSUMER:
      return `group consumer ${group} ${quote(effect.consumer)}`
    case TAG.STREAM_NO_CONSUMER:
      return `group remove consumer ${group} ${quote(effect.consumer)}`
    case TAG.STREAM_POSITION:
      return `group position ${group} ${idText(effect.cursor)}, late ${effect.late.map(idText).join(' ')}`
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
    case TAG.ZSET_ADD: {
      const pairs = effect.members.map((member, i) => `${quote(member)} ${effect.scores[i]}`)
      return `zset add ${key} ${pairs.join(' ')}${creating(effect.creates)}${saw(effect.seen)}`
    }
    case TAG.ZSET_INCREMENT:
      return `zset increment ${key} ${quote(effect.member)} by ${effect.delta}, run ${effect.run} total ${exactText(effect.total)}${creating(effect.creates)}`
    case TAG.ZSET_REMOVE:
      return `zset remove ${key} ${quoted(effect.members)}${saw(effect.seen)}`
    case TAG.LIST_INSERT: {
      const { parent, side } = effect.place
      const where = parent === undefined ? 'in it' : `${side} of ${nodeText(parent)}`
      const order = effect.toLeft ? ', each before the last' : ''
      return `list insert ${key} ${quoted(effect.values)} ${where}${order}${creating(effect.creates)}`
    }
    case TAG.LIST_REMOVE: {
      const nodes = effect.ranges.map(
        (range) => `${nodeText(range)}${range.count > 1 ? `+${range.count - 1}` : ''}`,
      )
      return `list remove ${key} ${nodes.join(' ')}`
    }
    case TAG.LIST_SET:
      return `list set ${key} ${nodeText(effect.name)} ${quote(effect.value)}`
    case TAG.STREAM_ADD:
    case TAG.STREAM_REMOVE:
    case TAG.STREAM_TRIM:
    case TAG.STREAM_BAR:
    case TAG.STREAM_GROUP:
    case TAG.STREAM_UNGROUP:
    case TAG.STREAM_ACK:
    case TAG.STREAM_DELIVER:
    case TAG.STREAM_CLAIM:
    case TAG.STREAM_CONSUMER:
    case TAG.STREAM_NO_CONSUMER:
    case TAG.STREAM_POSITION:
    case TAG.STREAM_HINTS:
      return describeOnStream(key, effect)
    case TAG.HLL_RAISE:
      return `hll raise ${key} ${effect.raises.length} registers${effect.isDense ? ' (dense)' : ''}${creating(effect.creates)}`
    case TAG.HLL_JOIN:
      return `hll join ${key} ${effect.text.length} bytes${creating(effect.creates)}`
    case TAG.HLL_REMOVE:
      return `hll remove ${key}`
    case TAG.FIELD_DEADLINE:
      return `field deadline ${key} ${quoted(effect.fields)} ${moment(effect.deadlineMs)}`
    case TAG.DEADLINE:
      return `deadline ${key} ${moment(effect.deadlineMs)}`
    case TAG.CLEAR:
      return `clear ${key}${saw(effect.seen)}`
    default:
      return unreachable(effect)
  }
}
