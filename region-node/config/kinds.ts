/**
 * kinds.ts: how a setting's text is read and written, one function per kind of value.
 *
 * Texts are words (binary strings), as they come from a client's CONFIG SET; files, environment and
 * arguments are brought to the same form first. Refusals use the sentences of Redis, because they
 * are also the answer of CONFIG SET.
 *
 * Invariant: `parse(format(value))` gives `value` again.
 * Source: Redis's config.c (numericParseString, memtoull, boolConfigSet, enumConfigSet).
 */
import { isSyncUrl } from '../../sync/sync-url.ts'
import { formatEventFlags, parseEventFlags } from '../engine/event-classes.ts'

export type Parsed<T> = { readonly value: T } | { readonly refusal: string }

export interface Kind<T> {
  /** `many`: may be written as several words, and in several lines of one file. */
  readonly words: 'one' | 'many'
  /** What may be written, in short, for the help page. */
  readonly shape: string
  /** `before` is the value until now, for kinds that change a part of it. */
  parse(text: string, before: T): Parsed<T>
  format(value: T): string
}

/** The region a node streams from, and where its sync server listens. */
export interface PeerAddress {
  readonly name: string
  readonly url: string
}

/** Limits of a client's unsent replies: disconnected above `hardBytes`, or above `softBytes` for `softSeconds`. */
export interface OutputLimit {
  readonly hardBytes: number
  readonly softBytes: number
  readonly softSeconds: number
}

export interface OutputLimits {
  readonly normal: OutputLimit
  readonly slave: OutputLimit
  readonly pubsub: OutputLimit
}

export function integer(min: number, max: number): Kind<number> {
  return {
    words: 'one',
    shape: max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`,
    parse(text) {
      if (!/^-?\d{1,15}$/.test(text)) return { refusal: "argument couldn't be parsed into an integer" }
      const value = Number(text)
      if (value >= min && value <= max) return { value }
      return { refusal: `argument must be between ${min} and ${max} inclusive` }
    },
    format: String,
  }
}

/** A number of bytes; above `cap` it counts as `cap`. */
export function bytes(min: number, max: number, cap = max): Kind<number> {
  return {
    words: 'one',
    shape: 'bytes, or with a unit: 64mb',
    parse(text) {
      const value = memory(text)
      if (value === undefined) return { refusal: 'argument must be a memory value' }
      if (value < min || value > max)
        return { refusal: `argument must be between ${min} and ${max} inclusive` }
      return { value: Math.min(value, cap) }
    },
    format: String,
  }
}

export function choice<const T extends string>(...words: readonly T[]): Kind<T> {
  return {
    words: 'one',
    shape: words.join(' | '),
    parse(text) {
      const value = words.find((word) => word === text.toLowerCase())
      if (value !== undefined) return { value }
      return { refusal: `argument(s) must be one of the following: ${words.join(', ')}` }
    },
    format: (value) => value,
  }
}

export function flag(): Kind<boolean> {
  return {
    words: 'one',
    shape: 'yes | no',
    parse(text) {
      const word = text.toLowerCase()
      if (word === 'yes' || word === 'no') return { value: word === 'yes' }
      return { refusal: "argument must be 'yes' or 'no'" }
    },
    format: (value) => (value ? 'yes' : 'no'),
  }
}

/** The letters of `notify-keyspace-events`. */
export function keyspaceEvents(): Kind<string> {
  return {
    words: 'one',
    shape: 'letters of Ag$lshzxeKEtmdn',
    parse(text) {
      const value = parseEventFlags(text)
      if (value !== undefined) return { value }
      return { refusal: "Invalid event class character. Use 'Ag$lshzxeKEtmdn'." }
    },
    format: formatEventFlags,
  }
}

/** A word kept byte for byte, such as a password. */
export function word(shape = 'text'): Kind<string> {
  return { words: 'one', shape, parse: (text) => ({ value: text }), format: (value) => value }
}

/** Text for people and file systems: UTF-8 as a word, an ordinary string as a value. */
export function text(shape: string, mayBeEmpty = false): Kind<string> {
  return {
    words: 'one',
    shape,
    parse(bytesOfText) {
      const value = wordToText(bytesOfText)
      return value === '' && !mayBeEmpty ? { refusal: 'argument must not be empty' } : { value }
    },
    format: textToWord,
  }
}

export function regionName(): Kind<string> {
  return {
    words: 'one',
    shape: 'name',
    parse(name) {
      if (isRegionName(name)) return { value: name }
      return { refusal: 'argument must be 1 to 32 letters, digits, dots, dashes or underscores' }
    },
    format: (value) => value,
  }
}

export function peers(): Kind<readonly PeerAddress[]> {
  return {
    words: 'many',
    shape: 'NAME@ws://HOST:PORT',
    parse(list) {
      const value: PeerAddress[] = []
      for (const item of list.split(/[\s,]+/).filter((part) => part !== '')) {
        const at = item.indexOf('@')
        const name = item.slice(0, at)
        const url = item.slice(at + 1)
        if (at < 0 || !isRegionName(name) || !isSyncUrl(url)) {
          return { refusal: 'argument must be NAME@ws://HOST:PORT, or wss:// where TLS is spoken' }
        }
        value.push({ name, url })
      }
      return { value }
    },
    format: (value) => value.map(({ name, url }) => `${name}@${url}`).join(' '),
  }
}

/** Where one sync port is reached; empty for where it listens. */
export function syncAddress(): Kind<string> {
  return {
    words: 'one',
    shape: 'ws://HOST:PORT',
    parse(url) {
      if (url === '' || isSyncUrl(url)) return { value: url }
      return { refusal: 'argument must be ws://HOST:PORT, or wss:// where TLS is spoken' }
    },
    format: (value) => value,
  }
}

/** Where the coordinator is: addresses of an etcd, or a folder. */
export function coordinatorAddress(): Kind<string> {
  return {
    words: 'many',
    shape: 'http://HOST:PORT | file:FOLDER',
    parse(list) {
      const value = list
        .trim()
        .split(/[\s,]+/)
        .join(' ')
      if (value === '' || /^file:\S+$/.test(value)) return { value }
      if (value.split(' ').every(isHttpUrl)) return { value }
      return { refusal: 'argument must be http://HOST:PORT of each member of an etcd, or file:FOLDER' }
    },
    format: (value) => value,
  }
}

/** `host:port` of the node's client port, or the form of `replicaof`: `host port`, `no one`. */
export function primaryAddress(): Kind<string> {
  return {
    words: 'many',
    shape: 'HOST:PORT',
    parse(address) {
      const value = /^\s*no\s+one\s*$/i.test(address) ? '' : address.trim().replace(/\s+/, ':')
      if (value === '' || isSyncUrl(`ws://${value}`)) return { value }
      return { refusal: 'argument must be HOST:PORT, the address at which clients reach the primary' }
    },
    format: (value) => value,
  }
}

/** Redis's form: `class hard soft seconds`, repeated; classes not named keep their limits. */
export function outputLimits(): Kind<OutputLimits> {
  return {
    words: 'many',
    shape: 'CLASS HARD SOFT SECONDS',
    parse(line, before) {
      const parts = line.split(/\s+/).filter((part) => part !== '')
      if (parts.length === 0 || parts.length % 4 !== 0) {
        return { refusal: 'Wrong number of arguments in buffer limit configuration.' }
      }
      const value = { ...before }
      for (let i = 0; i < parts.length; i += 4) {
        const name = OUTPUT_CLASSES.get(parts[i]!.toLowerCase())
        if (name === undefined) {
          return { refusal: 'Invalid client class specified in buffer limit configuration.' }
        }
        const hardBytes = memory(parts[i + 1]!)
        const softBytes = memory(parts[i + 2]!)
        const seconds = parts[i + 3]!
        if (hardBytes === undefined || softBytes === undefined || !/^\d{1,9}$/.test(seconds)) {
          return { refusal: 'Error in hard, soft or soft_seconds setting in buffer limit configuration.' }
        }
        value[name] = { hardBytes, softBytes, softSeconds: Number(seconds) }
      }
      return { value }
    },
    format: ({ normal, slave, pubsub }) =>
      Object.entries({ normal, slave, pubsub })
        .map(([name, limit]) => `${name} ${limit.hardBytes} ${limit.softBytes} ${limit.softSeconds}`)
        .join(' '),
  }
}

/** A point of `save`: a snapshot after so many seconds, if there were at least so many changes. */
export interface SaveRule {
  readonly seconds: number
  readonly changes: number
}

/** Redis's form: `seconds changes`, repeated; empty is none. */
export function saveRules(): Kind<readonly SaveRule[]> {
  return {
    words: 'many',
    shape: 'SECONDS CHANGES',
    parse(line) {
      const parts = line.split(/\s+/).filter((part) => part !== '')
      const value: SaveRule[] = []
      for (let i = 0; i < parts.length; i += 2) {
        const seconds = parts[i]!
        const changes = parts[i + 1] ?? ''
        if (!/^\d{1,9}$/.test(seconds) || !/^\d{1,9}$/.test(changes) || Number(seconds) < 1)
          return { refusal: 'Invalid save parameters' }
        value.push({ seconds: Number(seconds), changes: Number(changes) })
      }
      return { value }
    },
    format: (value) => value.map(({ seconds, changes }) => `${seconds} ${changes}`).join(' '),
  }
}

export function textToWord(value: string): string {
  return Buffer.from(value, 'utf8').toString('latin1')
}

export function wordToText(value: string): string {
  return Buffer.from(value, 'latin1').toString('utf8')
}

const REGION_NAME = /^[A-Za-z0-9._-]{1,32}$/

const OUTPUT_CLASSES: ReadonlyMap<string, keyof OutputLimits> = new Map([
  ['normal', 'normal'],
  ['slave', 'slave'],
  ['replica', 'slave'],
  ['pubsub', 'pubsub'],
])

const MEMORY_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1000,
  kb: 1024,
  m: 1000 ** 2,
  mb: 1024 ** 2,
  g: 1000 ** 3,
  gb: 1024 ** 3,
}

/** `64mb` in bytes, as Redis counts: `m` is a million, `mb` is 1024 squared. */
function memory(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,15})([a-z]*)$/.exec(text.toLowerCase()) ?? []
  const factor = unit === undefined ? undefined : MEMORY_UNITS[unit]
  if (digits === undefined || factor === undefined) return undefined
  const value = Number(digits) * factor
  return Number.isSafeInteger(value) ? value : undefined
}

export function isRegionName(name: string): boolean {
  return REGION_NAME.test(name)
}

/** Credentials in the address are refused: they would be shown wherever the peer is. */
function isHttpUrl(url: string): boolean {
  return /^https?:\/\/[^/@\s]+\/?$/.test(url) && URL.canParse(url)
}
