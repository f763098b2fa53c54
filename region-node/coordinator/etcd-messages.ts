/**
 * etcd-messages.ts: what is said to etcd's JSON gateway, and what it says, as far as a coordinator needs it.
 *
 * The gateway writes protobuf as JSON: keys and values are base64, 64-bit integers are strings, and a field that
 * has its default (0, '', false, an empty list) is left out.
 * Source: etcd's api/etcdserverpb/rpc.proto, and the gateway's reference in etcd.io/docs.
 */
import type { Change, Condition, Entry, Event, Revision } from './port.ts'

export interface Header {
  readonly revision: string
  readonly raft_term: string
}

interface KeyValue {
  readonly key: string
  readonly value?: string
  readonly mod_revision: string
}

export interface RangeReply {
  readonly header: Header
  readonly kvs?: readonly KeyValue[]
}

export interface TxnReply {
  readonly header: Header
  readonly succeeded?: boolean
}

export interface LeaseReply {
  readonly ID: string
  /** Seconds. */
  readonly TTL: string
}

export interface KeepAliveReply {
  /** `TTL` is absent when the lease is gone. */
  readonly result: { readonly header: Header; readonly TTL?: string }
}

export interface WatchFrame {
  readonly result?: {
    readonly header: Header
    readonly created?: boolean
    readonly canceled?: boolean
    /** Beside `canceled`: everything before it was compacted. */
    readonly compact_revision?: string
    readonly cancel_reason?: string
    readonly events?: readonly { readonly type?: 'DELETE'; readonly kv: KeyValue }[]
  }
}

/** Every key that begins so. */
export function keysUnder(prefix: string): object {
  // A zero byte stands for the first key of all, and as the end for none.
  if (prefix === '') return { key: base64([0]), range_end: base64([0]) }
  // The last byte of UTF-8 is never 255, so the first key behind the prefix has a last byte one higher.
  const end = bytesOf(prefix)
  end[end.length - 1]!++
  return { key: base64(bytesOf(prefix)), range_end: base64(end) }
}

/** Asks for as little as can be: for when only the header of the answer counts. */
export function oneKeyUnder(prefix: string): object {
  return { ...keysUnder(prefix), limit: '1', keys_only: true }
}

/** @param root  what stands before every key */
export function txnOf(root: string, conditions: readonly Condition[], changes: readonly Change[]): object {
  return {
    compare: conditions.map(({ key, revision }) => ({
      key: base64(bytesOf(root + key)),
      target: 'MOD',
      result: 'EQUAL',
      mod_revision: String(revision),
    })),
    success: changes.map((change) => {
      const key = base64(bytesOf(root + change.key))
      if (change.do === 'delete') return { request_delete_range: { key } }
      const { value, lease } = change
      return { request_put: { key, value: base64(bytesOf(value)), lease: lease?.id ?? '0' } }
    }),
  }
}

/** @param root  is taken off the keys */
export function entriesOf(root: string, { kvs = [] }: RangeReply): Entry[] {
  return kvs.map((kv) => ({ ...keyOf(root, kv), value: textOf(kv.value) }))
}

export function eventsOf(root: string, { events = [] }: NonNullable<WatchFrame['result']>): Event[] {
  return events.map(({ type, kv }) => ({
    ...keyOf(root, kv),
    value: type === 'DELETE' ? undefined : textOf(kv.value),
  }))
}

function keyOf(root: string, { key, mod_revision }: KeyValue): { key: string; revision: Revision } {
  return { key: textOf(key).slice(root.length), revision: Number(mod_revision) }
}

function textOf(encoded = ''): string {
  return Buffer.from(encoded, 'base64').toString('utf8')
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'utf8')
}

function base64(bytes: Buffer | readonly number[]): string {
  return Buffer.from(bytes).toString('base64')
}
