/**
 * further-families.ts: families of commands that a run can leave out as if they did not exist: a seed that was
 * found without them is the same run then.
 */
import { PAYLOADS } from '../harness/redis-model/payloads.ts'
import type { Words } from '../harness/redis-model/plain-data.ts'
import type { Draws } from './draws.ts'
import type { FurtherFamily } from './options.ts'
import { LIBRARY_TEXTS } from './script-words.ts'

/** @param nowMs  a client's idea of the time */
type Draw = (draws: Draws, nowMs: number) => Words

const CONDITIONS = ['NX', 'XX', 'GT', 'LT'] as const

/** Other commands for what those of the types do, and lists in which an element comes more than once. */
const spellings: Draw = (draws) => {
  const { prng } = draws
  const key = (kind: string) => draws.key(kind)
  return prng.pick<() => Words>([
    () => ['SETNX', key('string'), draws.value()],
    () => ['SET', key('string'), draws.value(), 'XX'],
    () => ['SET', key('string'), draws.value(), prng.pick(['NX', 'XX']), 'GET'],
    () => ['MSETNX', key('string'), draws.value(), draws.anyKey(), draws.value()],
    () => ['DECRBY', key('count'), String(prng.between(-3, 9))],
    () => ['HMSET', key('hash'), draws.member(), draws.value(), draws.member(), draws.value()],
    () => ['SPOP', key('set'), String(prng.between(0, 3))],
    () => ['SINTERSTORE', key('set'), key('set'), key('set')],
    () => ['SORT', draws.key(prng.pick(['list', 'set', 'zset'])), 'STORE', key('list')],
    () => ['SORT', key('list'), 'LIMIT', '1', '2', 'DESC', 'ALPHA', 'STORE', draws.anyKey()],
    () => [prng.pick(['LPUSH', 'RPUSH']), key('list'), draws.member(), 'a', draws.member(), 'a'],
    () => ['LREM', key('list'), String(prng.between(-3, 3)), 'a'],
    () => ['LINSERT', key('list'), prng.pick(['BEFORE', 'AFTER']), 'a', draws.member()],
    () => ['LLEN', key('list')],
    () => ['HMGET', key('hash'), 'a', 'b'],
    () => ['SCARD', key('set')],
    () => ['STRLEN', key('string')],
  ])()
}

const bits: Draw = (draws) => {
  const { prng } = draws
  const key = () => draws.key(prng.pick(['string', 'string', 'count']))
  const type = () => prng.pick(['u4', 'i5', 'u8', 'i16', 'i64', 'u63'])
  const offset = () => prng.pick(['0', '3', '#1', '13'])
  const number = () => prng.pick(['1', '-1', '7', '100', '-9223372036854775808'])
  const overflow = () => ['OVERFLOW', prng.pick(['WRAP', 'SAT', 'FAIL'])]
  return prng.pick<() => Words>([
    () => ['SETBIT', key(), String(prng.between(0, 40)), prng.pick(['0', '1'])],
    () => ['BITOP', prng.pick(['AND', 'OR', 'XOR']), draws.anyKey(), key(), key()],
    () => ['BITOP', 'NOT', key(), key()],
    () => ['BITFIELD', key(), 'SET', type(), offset(), number()],
    () => ['BITFIELD', key(), 'GET', type(), offset(), 'INCRBY', type(), offset(), number()],
    () => ['BITFIELD', key(), ...overflow(), 'INCRBY', type(), offset(), number(), 'GET', type(), offset()],
    () => ['BITFIELD', key(), ...overflow(), 'SET', type(), offset(), number()],
    () => ['GETBIT', key(), String(prng.between(0, 40))],
    () => ['BITCOUNT', key()],
  ])()
}

const deadlines: Draw = (draws, nowMs) => {
  const { prng } = draws
  const ms = () => String(prng.pick([1, 30, 300, 3000, 60_000]))
  const seconds = () => String(prng.pick([1, 2, 60]))
  const momentMs = () => String(nowMs + prng.between(-10, 3000))
  const moment = () => String(Math.floor(nowMs / 1000) + prng.between(-1, 4))
  const condition = () => (prng.chance(0.5) ? [prng.pick(CONDITIONS)] : [])
  const fields = () =>
    prng.chance(0.5) ? ['FIELDS', '1', draws.member()] : ['FIELDS', '2', draws.member(), draws.member()]
  const hash = () => draws.key('hash')
  const string = () => draws.key('string')
  return prng.pick<() => Words>([
    () => ['EXPIRE', draws.anyKey(), seconds(), ...condition()],
    () => ['PEXPIRE', draws.anyKey(), ms(), ...condition()],
    () => ['EXPIREAT', draws.anyKey(), moment(), ...condition()],
    () => ['PEXPIREAT', draws.anyKey(), momentMs(), ...condition()],
    () => ['HEXPIRE', hash(), seconds(), ...condition(), ...fields()],
    () => ['HPEXPIRE', hash(), ms(), ...condition(), ...fields()],
    () => ['HEXPIREAT', hash(), moment(), ...condition(), ...fields()],
    () => ['HPEXPIREAT', hash(), momentMs(), ...condition(), ...fields()],
    () => ['HPERSIST', hash(), ...fields()],
    () => ['HSET', hash(), draws.member(), draws.value(), draws.member(), draws.value()],
    () => ['SETEX', string(), seconds(), draws.value()],
    () => ['PSETEX', string(), ms(), draws.value()],
    () => ['SET', string(), draws.value(), 'EX', seconds()],
    () => ['SET', string(), draws.value(), 'PXAT', momentMs()],
    () => ['GETEX', string(), ...prng.pick([['EX', seconds()], ['PXAT', momentMs()], ['PERSIST'], []])],
    () => [prng.pick(['TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME']), draws.anyKey()],
    () => [prng.pick(['HTTL', 'HPTTL', 'HEXPIRETIME', 'HPEXPIRETIME']), hash(), ...fields()],
  ])()
}

const moves: Draw = (draws) => {
  const { prng } = draws
  const db = () => String(prng.below(2))
  const ttl = () => prng.pick(['0', '0', '3000'])
  const { bytes } = prng.pick(PAYLOADS.keys)
  return prng.pick<() => Words>([
    () => ['RENAMENX', draws.anyKey(), draws.anyKey()],
    () => ['COPY', draws.anyKey(), draws.anyKey()],
    () => ['COPY', draws.anyKey(), draws.anyKey(), 'DB', db(), ...prng.pick([[], ['REPLACE']])],
    () => ['MOVE', draws.anyKey(), db()],
    () => ['RESTORE', draws.anyKey(), ttl(), bytes, ...prng.pick([[], ['REPLACE'], ['REPLACE']])],
    () => ['RESTORE', draws.anyKey(), '0', `${bytes.slice(0, -1)}x`, 'REPLACE'],
    () => ['SWAPDB', '0', db()],
    () => ['EXISTS', draws.anyKey(), draws.anyKey()],
  ])()
}

/** Many readers of few entries, with ids that they may well have been given. */
const readers: Draw = (draws) => {
  const { prng } = draws
  const key = () => draws.key('stream')
  const group = () => prng.pick(['g', 'g', 'g', 'h'])
  const consumer = () => prng.pick(['alice', 'bob'])
  const id = () => draws.entryId()
  const count = () => ['COUNT', String(prng.between(1, 3))]
  const read = () => ['XREADGROUP', 'GROUP', group(), consumer(), ...count()]
  return prng.pick<() => Words>([
    () => ['XADD', key(), draws.nextEntryId(), 'f', draws.value()],
    () => ['XADD', key(), draws.nextEntryId(), 'f', draws.value()],
    () => ['XADD', key(), draws.nextEntryId(), 'f', draws.value()],
    () => ['XADD', key(), id(), 'f', draws.value()],
    () => ['XADD', key(), id().replace('-0', '-*'), 'f', draws.value()],
    () => ['XGROUP', 'CREATE', key(), group(), prng.pick(['0', '0', id(), '$'])],
    () => ['XGROUP', 'CREATE', key(), group(), '0', 'MKSTREAM'],
    () => [...read(), 'STREAMS', key(), '>'],
    () => [...read(), 'STREAMS', key(), '>'],
    () => [...read(), 'STREAMS', key(), '>'],
    () => [...read(), 'NOACK', 'STREAMS', key(), '>'],
    () => [...read(), 'STREAMS', key(), prng.pick(['0', id()])],
    () => ['XACK', key(), group(), id(), id(), id()],
    () => ['XCLAIM', key(), group(), consumer(), prng.pick(['0', '50']), id(), id()],
    () => ['XCLAIM', key(), group(), consumer(), '0', id(), id(), 'JUSTID'],
    () => ['XCLAIM', key(), group(), consumer(), '0', id(), 'FORCE', 'RETRYCOUNT', '7'],
    () => ['XAUTOCLAIM', key(), group(), consumer(), prng.pick(['0', '50']), '-', ...count()],
    () => ['XGROUP', 'CREATECONSUMER', key(), group(), consumer()],
    () => ['XGROUP', 'DELCONSUMER', key(), group(), consumer()],
    () => ['XGROUP', 'SETID', key(), group(), prng.pick(['0', id(), '$'])],
    () => ['XDEL', key(), id()],
    () => ['XTRIM', key(), 'MINID', id()],
    () => ['XLEN', key()],
    () => ['XRANGE', key(), '-', '+'],
    () => ['XPENDING', key(), group()],
    () => ['XPENDING', key(), group(), '-', '+', '10'],
  ])()
}

const libraries: Draw = ({ prng }) => {
  const [name, text] = prng.pick(LIBRARY_TEXTS)
  return prng.pick<() => Words>([
    () => ['FUNCTION', 'LOAD', text],
    () => ['FUNCTION', 'LOAD', 'REPLACE', text],
    () => ['FUNCTION', 'LOAD', 'REPLACE', text],
    () => ['FUNCTION', 'DELETE', name],
    () => ['FUNCTION', 'FLUSH'],
    () => ['FUNCTION', 'RESTORE', PAYLOADS.library.bytes, prng.pick(['APPEND', 'REPLACE', 'FLUSH'])],
  ])()
}

export const FURTHER_FAMILIES: Readonly<Record<FurtherFamily, Draw>> = {
  spellings,
  bits,
  deadlines,
  moves,
  readers,
  libraries,
}
