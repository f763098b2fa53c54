/**
 * differential.test.ts: the same random commands to an engine and to redis-server, every reply compared.
 *
 * Replies must be the same text, but for order where Redis promises none, for random draws, where kind
 * and number count, and for time that went by. What differs on purpose is in `differences.ts`.
 *
 *   DIFFERENTIAL_COMMANDS=1000000 DIFFERENTIAL_SEED=7 npx vitest run test/clients/differential.test.ts
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commandTable } from '../../region-node/commands/families.ts'
import { RedisReference, redisIsInstalled } from '../harness/redis-reference.ts'
import { integerIn, isError, partsOf } from '../harness/reply-text.ts'
import { TestEngine } from '../harness/test-engine.ts'
import { differenceFor } from './differences.ts'
import { RandomCommands } from './random-commands.ts'

const COMMANDS = Number(process.env.DIFFERENTIAL_COMMANDS ?? 30_000)
const SEED = Number(process.env.DIFFERENTIAL_SEED ?? 1)
/** Commands that are on their way to redis-server at once. */
const CHUNK = 1000
/** How far apart the clocks of both may be when a chunk runs. */
const CLOCK_TOLERANCE_MS = 10_000
/** A thousand commands in a minute are enough on the slowest machine. */
const TIMEOUT_MS = 30_000 + COMMANDS * 60

type Sameness = (redis: string, ours: string, words: readonly string[]) => boolean

function sameUnordered(redis: string, ours: string): boolean {
  return sorted(redis, 1) === sorted(ours, 1)
}

function samePairs(redis: string, ours: string): boolean {
  return sorted(redis, 2) === sorted(ours, 2)
}

/** An aggregate with its parts in order, `width` of them at a time; anything else as it is. */
function sorted(reply: string, width: number): string {
  const whole = partsOf(reply)
  if (whole === undefined) return reply
  const groups: string[] = []
  for (let i = 0; i < whole.parts.length; i += width) groups.push(whole.parts.slice(i, i + width).join(''))
  return [whole.head, ...groups.sort()].join('\n')
}

/** Random draws: the same kind of reply, and as many parts of the same kinds. */
function sameShape(redis: string, ours: string): boolean {
  return shape(redis) === shape(ours)
}

function shape(reply: string): string {
  const whole = partsOf(reply)
  if (whole !== undefined) return whole.head + whole.parts.map(shape).join('')
  return reply.startsWith('$') && reply !== '$-1\r\n' ? '$' : reply
}

function sameTime(redis: string, ours: string, words: readonly string[]): boolean {
  const a = integerIn(redis)
  const b = integerIn(ours)
  if (a === undefined || b === undefined || a < 0 || b < 0) return redis === ours
  const isMs = words[0]!.toLowerCase().startsWith('p')
  return Math.abs(a - b) <= (isMs ? CLOCK_TOLERANCE_MS : CLOCK_TOLERANCE_MS / 1000)
}

/** A walk that both end in one step returned the same; one that goes on looks the same from outside. */
function sameStep(redis: string, ours: string, words: readonly string[]): boolean {
  const a = partsOf(redis)?.parts
  const b = partsOf(ours)?.parts
  if (a === undefined || b === undefined) return redis === ours
  const isScan = words[0]!.toLowerCase() === 'scan'
  const isWhole = a[0] === '$1\r\n0\r\n' && b[0] === a[0] && words[isScan ? 1 : 2] === '0'
  if (!isWhole) return a.length === b.length && shape(b[0]!) === '$'
  return words[0]!.toLowerCase() === 'hscan' ? samePairs(a[1]!, b[1]!) : sameUnordered(a[1]!, b[1]!)
}

/** Redis leaves the order open of what ALPHA or BY find to be alike, and of a set that is not sorted at all. */
function sameSorted(redis: string, ours: string, words: readonly string[]): boolean {
  const lower = words.map((word) => word.toLowerCase())
  const by = lower.indexOf('by')
  const isOpen = lower.includes('alpha') || (by > 0 && !(lower[by + 1] ?? '').includes('*'))
  const gets = lower.filter((word) => word === 'get').length
  return isOpen && sorted(redis, Math.max(1, gets)) === sorted(ours, Math.max(1, gets))
}

const SAMENESS: Readonly<Record<string, Sameness>> = {
  smembers: sameUnordered,
  sinter: sameUnordered,
  sunion: sameUnordered,
  sdiff: sameUnordered,
  keys: sameUnordered,
  hkeys: sameUnordered,
  hvals: sameUnordered,
  hgetall: samePairs,
  spop: sameShape,
  sort: sameSorted,
  sort_ro: sameSorted,
  srandmember: sameShape,
  hrandfield: sameShape,
  randomkey: sameShape,
  ttl: sameTime,
  pttl: sameTime,
  expiretime: sameTime,
  pexpiretime: sameTime,
  scan: sameStep,
  hscan: sameStep,
  sscan: sameStep,
}

/** Compares the replies of one connection, of which EXEC holds those of the commands queued before. */
class Comparison {
  readonly counts = new Map<string, number>()
  #queued: (readonly string[])[] = []

  isSame(words: readonly string[], redis: string, ours: string): boolean {
    const name = words[0]!.toLowerCase()
    if (redis === '+QUEUED\r\n') this.#queued.push(words)
    if (name === 'exec') return this.#isSameExec(redis, ours)
    if (name === 'discard') this.#queued = []
    if (redis === ours) return true
    if (!isError(redis) && !isError(ours) && SAMENESS[name]?.(redis, ours, words)) return true
    const difference = differenceFor(words, redis, ours)
    if (difference === undefined) return false
    this.counts.set(difference.name, (this.counts.get(difference.name) ?? 0) + 1)
    return true
  }

  #isSameExec(redis: string, ours: string): boolean {
    const queued = this.#queued
    this.#queued = []
    const a = partsOf(redis)
    const b = partsOf(ours)
    if (a === undefined || b === undefined || a.head !== b.head) return redis === ours
    return a.parts.every((part, i) => this.isSame(queued[i]!, part, b.parts[i]!))
  }
}

async function compare(redis: RedisReference, protocol: 2 | 3, seed: number): Promise<void> {
  const engine = new TestEngine()
  const session = engine.session()
  session.out.protocol = protocol
  await redis.exchangeAll([['RESET'], ['FLUSHALL'], ['HELLO', String(protocol)], ['SELECT', '0']])
  const source = new RandomCommands(seed, (name) => commandTable.get(name) !== undefined)
  const comparison = new Comparison()
  let carried: string[][] = []
  for (let done = 0; done < COMMANDS; done += CHUNK) {
    const chunk = carried
    while (chunk.length < CHUNK) chunk.push(...source.next())
    carried = chunk.splice(CHUNK)
    engine.wallMs = Math.max(engine.wallMs, Date.now())
    const replies = await redis.exchangeAll(chunk)
    for (const [i, words] of chunk.entries()) {
      engine.engine.execute(session, words)
      const ours = session.out.take()
      if (comparison.isSame(words, replies[i]!, ours)) continue
      const before = chunk
        .slice(Math.max(0, i - 40), i)
        .filter((one) => one.some((word) => words.includes(word, 1)))
      expect.fail(
        `command ${done + i} of seed ${seed}: ${JSON.stringify(words)}\n` +
          `redis: ${JSON.stringify(replies[i])}\n ours: ${JSON.stringify(ours)}\n` +
          `before it:\n${before.map((one) => JSON.stringify(one)).join('\n')}`,
      )
    }
    engine.journal.records.length = 0
  }
}

describe.skipIf(!redisIsInstalled)('random commands, against redis-server', () => {
  let redis: RedisReference

  beforeAll(async () => {
    redis = await RedisReference.start()
  })

  afterAll(() => redis?.stop())

  it.each([2, 3] as const)('RESP%i', { timeout: TIMEOUT_MS }, async (protocol) => {
    await compare(redis, protocol, SEED * 10 + protocol)
  })
})
