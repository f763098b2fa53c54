/**
 * differential.test.ts: random commands in random pipelines through a proxy over four partitions, answered as one
 * engine with all the keys answers them, whatever time the bytes between the nodes take.
 *
 * What the proxy refuses because it belongs to several partitions (CROSSSLOT) the one engine is not asked.
 */
import { describe, expect, it } from 'vitest'
import { elementsOf } from '../../../../region-node/resp/reply-splitter.ts'
import { Prng } from '../../../harness/prng.ts'
import { ProxiedRegion } from '../../../harness/proxied-region.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

const PARTITIONS = 4
const SEEDS = 12
const BURSTS = 50
const BURST_COMMANDS_MAX = 25

const KEYS = Array.from({ length: 12 }, (_, i) => `k${i}`)
const LISTS = Array.from({ length: 6 }, (_, i) => `l${i}`)
const SCRIPT = "return redis.call('incr', KEYS[1])"
const SHA = 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db'
const LIBRARY =
  "#!lua name=lib\nredis.register_function('bump', function(keys) return redis.call('incr', keys[1]) end)"

/** One command; several, where one says something of the next. */
type Make = (r: Prng) => string[] | string[][]

const key: (r: Prng) => string = (r) => r.pick(KEYS)
const keys = (r: Prng): string[] => Array.from({ length: r.between(1, 6) }, () => key(r))

const MAKERS: readonly Make[] = [
  (r) => ['SET', key(r), String(r.below(1000))],
  (r) => ['SET', key(r), 'x'.repeat(r.below(5000))],
  (r) => ['get', key(r)],
  (r) => ['INCR', key(r)],
  (r) => ['MGET', ...keys(r)],
  (r) => ['mset', ...keys(r).flatMap((one) => [one, String(r.below(100))])],
  (r) => ['MSET', ...keys(r).flatMap((one) => [one, '1']), 'odd'],
  (r) => ['DEL', ...keys(r)],
  (r) => ['UNLINK', ...keys(r)],
  (r) => ['EXISTS', ...keys(r)],
  (r) => ['TOUCH', ...keys(r)],
  (r) => ['MSETNX', ...keys(r).flatMap((one) => [one, '1'])],
  (r) => ['RENAME', key(r), key(r)],
  (r) => ['SUNIONSTORE', key(r), key(r)],
  () => ['DBSIZE'],
  (r) => ['KEYS', r.pick(['*', 'k*', 'l?', 'none'])],
  (r) => ['RPUSH', r.pick(LISTS), ...keys(r)],
  (r) => ['LRANGE', r.pick(LISTS), '0', '-1'],
  (r) => ['BLPOP', r.pick(LISTS), '0.05'],
  (r) => ['BLPOP', r.pick(LISTS), r.pick(LISTS), '0.05'],
  (r) => ['LLEN', r.pick([...LISTS, ...KEYS])],
  (r) => ['EVAL', SCRIPT, '1', key(r)],
  () => ['EVAL', "return {1, 'two', {3}}", '0'],
  () => ['EVAL', 'return 1', '0'],
  (r) => ['EVAL', 'return 1', '1', key(r)],
  // Not in a transaction, where the proxy cannot load a script before.
  (r) => [['DISCARD'], ['EVALSHA', SHA, '1', key(r)]],
  () => ['SCRIPT', 'LOAD', 'return 1'],
  () => ['SCRIPT', 'FLUSH'],
  (r) => ['SCRIPT', 'EXISTS', r.pick(['0', 'f']).repeat(40)],
  () => ['FUNCTION', 'LOAD', LIBRARY],
  () => ['FUNCTION', 'FLUSH'],
  (r) => ['FCALL', 'bump', '1', key(r)],
  () => ['MULTI'],
  () => ['MULTI'],
  () => ['EXEC'],
  () => ['EXEC'],
  () => ['DISCARD'],
  (r) => ['WATCH', key(r)],
  () => ['UNWATCH'],
  () => ['PING'],
  (r) => ['ECHO', 'y'.repeat(r.below(100))],
  (r) => ['TYPE', key(r)],
  (r) => ['OBJECT', 'HELP', key(r)],
  () => ['NOSUCH', 'command'],
  () => ['GET'],
  () => ['SELECT', '0'],
  (r) => ['CLIENT', 'SETNAME', r.pick(['a', 'b', 'has space'])],
  () => ['CLIENT', 'GETNAME'],
  (r) => ['CLIENT', 'REPLY', r.pick(['ON', 'NO'])],
  () => [['CLIENT', 'REPLY', 'SKIP'], ['PING']],
  () => ['FLUSHALL'],
  () => ['WAIT', '0', '10'],
  (r) => ['HELLO', r.pick(['2', '3', '4'])],
  () => ['RESET'],
]

const SORTED = new Set(['KEYS'])

/** What is known of a transaction that is being compared. */
interface Course {
  isOpen: boolean
  isBroken: boolean
}

function isRefusal(reply: string): boolean {
  return /^-(?:CROSSSLOT|ERR Command not allowed inside|ERR '.*' concerns every partition)/.test(reply)
}

function sorted(reply: string): string {
  return [...(elementsOf(reply) ?? [reply])].sort().join('')
}

/** It and the next one are not answered, outside of a transaction. */
function isSkip(words: readonly string[] | undefined): boolean {
  return words?.[2] === 'SKIP'
}

/** One engine, in the place of the region. */
class Reference {
  readonly #engine: TestEngine
  readonly #advance: () => void
  readonly #course: Course = { isOpen: false, isBroken: false }

  constructor(engine: TestEngine, advance: () => void) {
    this.#engine = engine
    this.#advance = advance
  }

  get isInTransaction(): boolean {
    return this.#course.isOpen
  }

  /** @param proxied  what the proxy has answered */
  replyTo(words: readonly string[], proxied: string): string {
    const name = words[0]!.toUpperCase()
    const course = this.#course
    if (isRefusal(proxied)) {
      if (course.isOpen) course.isBroken = true
      return proxied
    }
    const reply = course.isBroken && name === 'EXEC' ? this.#abort() : this.#run(words)
    if (name === 'MULTI' && reply === '+OK\r\n') course.isOpen = true
    if (['EXEC', 'DISCARD', 'RESET'].includes(name)) Object.assign(course, { isOpen: false, isBroken: false })
    return reply
  }

  #abort(): string {
    this.#run(['DISCARD'])
    return '-EXECABORT Transaction discarded because of previous errors.\r\n'
  }

  #run(words: readonly string[]): string {
    const session = this.#engine.session()
    this.#engine.engine.execute(session, words)
    while (session.blocked !== undefined) this.#advance()
    return session.out.take()
  }
}

function run(seed: number): void {
  const prng = new Prng(seed)
  const members = Array.from({ length: PARTITIONS }, (_, partition) => ({ partition }))
  const region = new ProxiedRegion(seed, members, PARTITIONS)
  const client = region.client()
  const engine = new TestEngine(9, { region: 'here', after: (ms, task) => region.clock.after(ms, task) })
  const reference = new Reference(engine, () => region.clock.advance(10))
  for (let burst = 0; burst < BURSTS; burst++) {
    const commands = Array.from({ length: prng.between(1, BURST_COMMANDS_MAX) }, () => {
      const made = prng.pick(MAKERS)(prng)
      return typeof made[0] === 'string' ? [made as string[]] : (made as string[][])
    }).flat()
    client.send(...commands)
    region.clock.advance(2000)
    for (const [i, words] of commands.entries()) {
      if (!reference.isInTransaction && [words, commands[i - 1]].some(isSkip)) {
        expect(reference.replyTo(words, '')).toBe('')
        continue
      }
      const proxied = client.replies[0] ?? 'nothing'
      const expected = reference.replyTo(words, proxied)
      const where = `seed ${seed}, burst ${burst}, command ${i}: ${words.join(' ').slice(0, 100)}`
      client.replies.shift()
      if (words[0] === 'HELLO' && proxied.includes('mode')) continue
      if (SORTED.has(words[0]!)) expect(sorted(proxied), where).toBe(sorted(expected))
      else expect(proxied, where).toBe(expected)
    }
    expect(client.replies, `seed ${seed}, burst ${burst}`).toEqual([])
  }
}

describe('a proxy over four partitions', () => {
  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))('answers as one engine does, seed %i', (seed) =>
    run(seed),
  )
})
