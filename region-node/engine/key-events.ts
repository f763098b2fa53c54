/**
 * key-events.ts: keyspace notifications: which events an effect is, and who is told.
 *
 * Redis names events after commands. An effect of this region is named by the command that made it; one of
 * another region, of which only the effect is known, by what it does: `set`, `hset`, `sadd`, `del` ... A removal
 * that leaves nothing of a key is followed by `del`, one that makes room for the value written behind it is no
 * event, and a key that is past its deadline goes as `expired`, in every region.
 *
 * Invariant: nothing is told before the command, or the received op, is over: who is told can read what has
 * happened. Source: notify.c of Redis 7.2 and its page on keyspace notifications.
 */
import { type OnKey, TAG } from '../../crdt/effects/effect.ts'
import { deadlineOf, visibleState } from '../../crdt/key.ts'
import type { KeyEffect, KeyspaceEffect } from '../../crdt/registry.ts'
import type { Channels } from './channels.ts'
import type { EventClass } from './event-classes.ts'
import type { Keyspace } from './keyspace.ts'

interface KeyEvent {
  readonly class: EventClass
  readonly name: string
}

/** What is known of a command's events. */
type Naming = KeyEvent | ((words: readonly string[], effect: KeyEffect) => KeyEvent)

function event(eventClass: EventClass, name: string): KeyEvent {
  return { class: eventClass, name }
}

const DEL = event('g', 'del')
const EXPIRED = event('x', 'expired')
const EXPIRE = event('g', 'expire')
const NEW = event('n', 'new')
const MISS = event('m', 'keymiss')

/** Effects by what they do. Those that are missing are no events, or more than one: see `eventsOf`. */
const BY_TAG: ReadonlyMap<number, KeyEvent> = new Map([
  [TAG.SET, event('$', 'set')],
  [TAG.PUT, event('$', 'set')],
  [TAG.INCREMENT, event('$', 'incrby')],
  [TAG.HASH_PUT, event('h', 'hset')],
  [TAG.HASH_INCREMENT, event('h', 'hincrby')],
  [TAG.HASH_REMOVE, event('h', 'hdel')],
  [TAG.FIELD_DEADLINE, event('h', 'hexpire')],
  [TAG.SET_ADD, event('s', 'sadd')],
  [TAG.SET_REMOVE, event('s', 'srem')],
  [TAG.ZSET_ADD, event('z', 'zadd')],
  [TAG.ZSET_INCREMENT, event('z', 'zincr')],
  [TAG.ZSET_REMOVE, event('z', 'zrem')],
  [TAG.LIST_INSERT, event('l', 'linsert')],
  [TAG.LIST_REMOVE, event('l', 'lrem')],
  [TAG.LIST_SET, event('l', 'lset')],
  [TAG.STREAM_ADD, event('t', 'xadd')],
  [TAG.STREAM_REMOVE, event('t', 'xdel')],
  [TAG.STREAM_TRIM, event('t', 'xtrim')],
  [TAG.STREAM_GROUP, event('t', 'xgroup-create')],
  [TAG.STREAM_UNGROUP, event('t', 'xgroup-destroy')],
  [TAG.STREAM_CONSUMER, event('t', 'xgroup-createconsumer')],
  [TAG.STREAM_NO_CONSUMER, event('t', 'xgroup-delconsumer')],
  [TAG.STREAM_POSITION, event('t', 'xgroup-setid')],
  [TAG.HLL_RAISE, event('$', 'pfadd')],
  [TAG.HLL_JOIN, event('$', 'pfadd')],
  [TAG.CLEAR, DEL],
])

/** Commands that are named as their event is. */
const NAMESAKES: Readonly<Partial<Record<EventClass, string>>> = {
  $: 'append setrange setbit incrbyfloat',
  h: 'hincrbyfloat hpersist',
  s: 'spop sinterstore sunionstore sdiffstore',
  l: 'lpush rpush lpop rpop ltrim',
  z:
    'zpopmin zpopmax zremrangebyrank zremrangebyscore zremrangebylex zunionstore zinterstore zdiffstore ' +
    'zrangestore geosearchstore',
  t: 'xsetid',
  g: 'restore',
}

/** Commands whose events are not those of their effects. */
const BY_COMMAND: ReadonlyMap<string, Naming> = new Map<string, Naming>([
  ...Object.entries(NAMESAKES).flatMap(([eventClass, names]) =>
    names.split(' ').map((name) => [name, event(eventClass as EventClass, name)] as const),
  ),
  ['bitfield', event('$', 'setbit')],
  ['lpushx', event('l', 'lpush')],
  ['rpushx', event('l', 'rpush')],
  ['blpop', event('l', 'lpop')],
  ['brpop', event('l', 'rpop')],
  ['lmpop', (words) => popped(words[2 + Number(words[1])])],
  ['blmpop', (words) => popped(words[3 + Number(words[2])])],
  ['lmove', (words, effect) => moved(effect, words[3], words[4])],
  ['blmove', (words, effect) => moved(effect, words[3], words[4])],
  ['rpoplpush', (_words, effect) => moved(effect, 'right', 'left')],
  ['brpoplpush', (_words, effect) => moved(effect, 'right', 'left')],
  ['bzpopmin', event('z', 'zpopmin')],
  ['bzpopmax', event('z', 'zpopmax')],
  ['zmpop', (words) => event('z', `zpop${words[2 + Number(words[1])]!.toLowerCase()}`)],
  ['bzmpop', (words) => event('z', `zpop${words[3 + Number(words[2])]!.toLowerCase()}`)],
  ['georadius', event('z', 'georadiusstore')],
  ['georadiusbymember', event('z', 'georadiusstore')],
  ['rename', fromTo('rename')],
  ['renamenx', fromTo('rename')],
  ['move', (_words, effect) => event('g', effect.tag === TAG.CLEAR ? 'move_from' : 'move_to')],
  ['copy', event('g', 'copy_to')],
  ['sort', event('l', 'sortstore')],
  ['eviction', event('e', 'evicted')],
])

function popped(where: string | undefined): KeyEvent {
  return event('l', where?.toLowerCase() === 'left' ? 'lpop' : 'rpop')
}

function moved(effect: KeyEffect, from: string | undefined, to: string | undefined): KeyEvent {
  if (effect.tag !== TAG.LIST_INSERT) return popped(from)
  return event('l', to?.toLowerCase() === 'left' ? 'lpush' : 'rpush')
}

/** The first key of the command is where the value came from. */
function fromTo(verb: string): Naming {
  return ([, from], effect) => event('g', `${verb}_${effect.key === from ? 'from' : 'to'}`)
}

/** A command, as far as events are named after it. */
export interface Cause {
  readonly command: string
  readonly words: readonly string[]
}

/** What stood under a key before an effect. */
interface Before {
  readonly existed: boolean
  readonly wasDue: boolean
}

interface Noted extends OnKey {
  readonly event: KeyEvent
  /** The effect took the whole key away. */
  readonly isClear: boolean
}

export class KeyEvents {
  readonly #channels: Channels
  readonly #keyspace: Keyspace
  readonly #nowMs: () => number
  /** The letters of the setting, A written out; '' when nobody is told of anything. */
  #flags = ''
  #before: Before = { existed: false, wasDue: false }
  /** By database and key, in the order in which keys were touched. */
  #noted = new Map<string, Noted[]>()

  constructor(channels: Channels, keyspace: Keyspace, nowMs: () => number) {
    this.#channels = channels
    this.#keyspace = keyspace
    this.#nowMs = nowMs
  }

  /** @param flags  `notify-keyspace-events` with A written out */
  configure(flags: string): void {
    const isTold = flags.includes('K') || flags.includes('E')
    this.#flags = isTold ? flags : ''
  }

  get isOn(): boolean {
    return this.#flags !== ''
  }

  /** Reads of keys that are not there are events. */
  get wantsMisses(): boolean {
    return this.#flags.includes('m')
  }

  /** An effect is about to be applied. */
  touching(effect: KeyspaceEffect): void {
    if (effect.tag === TAG.FLUSH) return
    const entry = this.#keyspace.get(effect.db, effect.key)
    const existed = entry !== undefined && visibleState(entry) !== undefined
    this.#before = { existed, wasDue: existed && deadlineOf(entry) < this.#nowMs() }
  }

  /** It was applied. @param cause  undefined for an effect of another region */
  touched(effect: KeyspaceEffect, cause: Cause | undefined): void {
    if (effect.tag === TAG.FLUSH) return
    const { existed, wasDue } = this.#before
    const isClear = effect.tag === TAG.CLEAR
    if (wasDue) this.#note(effect, EXPIRED, isClear)
    if (isClear && (wasDue || !existed)) return
    const exists = this.#exists(effect)
    if (exists && (!existed || wasDue)) this.#note(effect, NEW, false)
    for (const one of eventsOf(effect, cause)) this.#note(effect, one, isClear)
    if (existed && !exists && !isClear) this.#note(effect, DEL, false)
  }

  /** A key was read that is not there. */
  missed(db: number, key: string): void {
    this.#tell({ db, key }, MISS)
  }

  /** Several effects of a command on one key may be one event. */
  #note({ db, key }: OnKey, one: KeyEvent, isClear: boolean): void {
    const name = `${db}:${key}`
    const known = this.#noted.get(name)
    if (known === undefined) this.#noted.set(name, [{ db, key, event: one, isClear }])
    else if (!known.some(({ event: other }) => other.name === one.name))
      known.push({ db, key, event: one, isClear })
  }

  #exists({ db, key }: OnKey): boolean {
    const entry = this.#keyspace.get(db, key)
    return entry !== undefined && visibleState(entry) !== undefined
  }

  /** The command, or the received op, is over. */
  ended(): void {
    if (this.#noted.size === 0) return
    const noted = this.#noted
    this.#noted = new Map()
    for (const ofKey of noted.values()) {
      ofKey.forEach((one, i) => {
        // What was removed only to be written anew is no event.
        const makesRoom = one.isClear && one.event === DEL && i < ofKey.length - 1
        if (!makesRoom) this.#tell(one, one.event)
      })
    }
  }

  #tell({ db, key }: OnKey, { class: eventClass, name }: KeyEvent): void {
    if (!this.#flags.includes(eventClass)) return
    if (this.#flags.includes('K')) this.#channels.tell('channel', `__keyspace@${db}__:${key}`, name)
    if (this.#flags.includes('E')) this.#channels.tell('channel', `__keyevent@${db}__:${name}`, key)
  }
}

function eventsOf(effect: KeyEffect, cause: Cause | undefined): KeyEvent[] {
  const naming = cause === undefined ? undefined : BY_COMMAND.get(cause.command)
  const named = typeof naming === 'function' ? naming(cause!.words, effect) : naming
  // A command about whole keys is one event for each of them, whatever it does.
  if (named?.class === 'g' || named?.class === 'e') return [named]
  if (effect.tag === TAG.DEADLINE) {
    return [effect.deadlineMs === Number.POSITIVE_INFINITY ? event('g', 'persist') : EXPIRE]
  }
  const one = effect.tag === TAG.CLEAR ? DEL : (named ?? BY_TAG.get(effect.tag))
  if (one === undefined) return []
  const expires = effect.tag === TAG.SET && effect.deadlineMs !== Number.POSITIVE_INFINITY
  return expires ? [one, EXPIRE] : [one]
}
