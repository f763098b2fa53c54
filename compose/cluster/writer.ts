/**
 * writer.ts: a client of one region, by the protocol of Redis Cluster, that keeps account of what it was told.
 *
 * It adds members to sets through an ioredis `Cluster` as it comes, which sends again by itself what was not
 * answered; that does no harm to a member. Beside that it counts, through one that sends nothing twice, so that the
 * counter has to be what was acknowledged, plus at most what was never answered.
 *
 * A gap is the longest time between two acknowledgements one after another: what users notice of a fault.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type ClusterOptions, type Redis, Cluster as RedisCluster } from 'ioredis'
import { eventually } from './eventually.ts'

/** A connection that answers nothing for so long is given up, and one that is not made by then. */
export const SOCKET_TIMEOUT_MS = 1000
export const CLIENT_SENTENCE = `ioredis Cluster with its defaults, socketTimeout and connectTimeout ${SOCKET_TIMEOUT_MS} ms`

const LANES = 6
/** Between two writes of a lane: the machine is to be busy, not drowned. */
const PAUSE_MS = 3
const SETS = 32
/** Names asked for at a time. */
const CHUNK = 500
/** Longest wait for one more acknowledgement. */
const RECOVERY_MS_MAX = 60_000

export interface Address {
  readonly host: string
  readonly port: number
}

/** A node that can be asked what it has. */
export interface Witness {
  readonly name: string
  ask(...words: readonly [string, ...string[]]): Promise<unknown>
}

/** Connects a client of whatever kind. @param sendsAgain  as `ClientOptions` says */
export type Connect = (sendsAgain: boolean) => RedisCluster | Redis

interface Acknowledgement {
  readonly member: string
  readonly lane: number
  readonly sentMs: number
  readonly atMs: number
}

export class ClusterWriter {
  readonly name: string
  readonly acknowledged: Acknowledgement[] = []
  readonly errors: { readonly atMs: number; readonly sentence: string }[] = []
  readonly counted = { sent: 0, acknowledged: 0 }
  readonly #laneCount: number
  readonly #adding: RedisCluster | Redis
  readonly #counting: RedisCluster | Redis
  #next = 0
  #isStopped = false
  #lanes: readonly Promise<void>[] = []

  /**
   * @param name  of the keys it writes: no other writer has it
   * @param reach  nodes to begin with, or how to connect
   * @param lanes  writes on their way at a time
   */
  constructor(name: string, reach: readonly Address[] | Connect, lanes = LANES) {
    const connect: Connect =
      typeof reach === 'function'
        ? reach
        : (sendsAgain) => connectCluster(reach, { sendsAgain, hasTimeout: true })
    this.name = name
    this.#laneCount = lanes
    this.#adding = connect(true)
    this.#counting = connect(false)
  }

  /** Begins, and waits for the first acknowledgement. */
  async start(): Promise<void> {
    this.#lanes = [...Array.from({ length: this.#laneCount }, (_, lane) => this.#add(lane)), this.#count()]
    await this.acknowledgesAfter(performance.now())
  }

  /** Waits for an acknowledgement of what was sent after that moment. @returns when it came */
  acknowledgesAfter(moment: number): Promise<number> {
    return eventually(`writer ${this.name} is answered`, RECOVERY_MS_MAX, async () => {
      const last = this.acknowledged.at(-1)
      return last !== undefined && last.sentMs > moment ? last.atMs : undefined
    })
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await Promise.all(this.#lanes)
    this.#adding.disconnect()
    this.#counting.disconnect()
  }

  /** @returns the longest time without an acknowledgement between two moments, milliseconds */
  longestGapMs(fromMs: number, toMs = performance.now()): number {
    let longestMs = 0
    let lastMs = fromMs
    for (const { atMs } of this.acknowledged) {
      if (atMs <= lastMs || atMs > toMs) continue
      longestMs = Math.max(longestMs, atMs - lastMs)
      lastMs = atMs
    }
    return Math.max(longestMs, toMs - lastMs)
  }

  /**
   * What one user after another notices, where the rest of the keys may be served all the time.
   * @returns the longest time that any lane was without an acknowledgement from then on, milliseconds
   */
  longestLaneGapMs(fromMs: number, toMs = performance.now()): number {
    const lastMs = Array.from({ length: this.#laneCount }, () => fromMs)
    let longestMs = 0
    for (const { lane, atMs } of this.acknowledged) {
      if (atMs <= fromMs || atMs > toMs) continue
      longestMs = Math.max(longestMs, atMs - lastMs[lane]!)
      lastMs[lane] = atMs
    }
    return Math.max(longestMs, ...lastMs.map((last) => toMs - last))
  }

  errorsSince(fromMs: number): readonly string[] {
    return this.errors.filter(({ atMs }) => atMs >= fromMs).map(({ sentence }) => sentence)
  }

  /** Acknowledged members that a node does not have. */
  async missingAt(node: Witness): Promise<string[]> {
    const bySet = new Map<string, string[]>()
    for (const { member } of this.acknowledged) {
      const set = this.#setOf(member)
      const members = bySet.get(set)
      if (members === undefined) bySet.set(set, [member])
      else members.push(member)
    }
    const missing: string[] = []
    for (const [set, members] of bySet)
      for (let at = 0; at < members.length; at += CHUNK) {
        const chunk = members.slice(at, at + CHUNK)
        const isThere = (await node.ask('SMISMEMBER', set, ...chunk)) as number[]
        missing.push(...chunk.filter((_, index) => isThere[index] !== 1))
      }
    return missing
  }

  /** @returns why the counter of a node is wrong; undefined when it is right */
  async miscountAt(node: Witness): Promise<string | undefined> {
    const value = Number((await node.ask('GET', this.#counter)) ?? 0)
    const { sent, acknowledged } = this.counted
    if (value >= acknowledged && value <= sent) return undefined
    return `the counter at ${node.name} is ${value}, of ${sent} increments ${acknowledged} were acknowledged`
  }

  get #counter(): string {
    return `count:${this.name}`
  }

  #setOf(member: string): string {
    return `members:${this.name}:${Number(member) % SETS}`
  }

  async #add(lane: number): Promise<void> {
    while (!this.#isStopped) {
      const member = String(this.#next++)
      const sentMs = performance.now()
      try {
        await this.#adding.sadd(this.#setOf(member), member)
        this.acknowledged.push({ member, lane, sentMs, atMs: performance.now() })
      } catch (error) {
        this.#failed(error)
      }
      await delay(PAUSE_MS)
    }
  }

  async #count(): Promise<void> {
    while (!this.#isStopped) {
      this.counted.sent++
      try {
        await this.#counting.incr(this.#counter)
        this.counted.acknowledged++
      } catch {
        // It may have happened, or not: the sum allows for both.
      }
      await delay(PAUSE_MS)
    }
  }

  #failed(error: unknown): void {
    this.errors.push({ atMs: performance.now(), sentence: (error as Error).message })
  }
}

export interface ClientOptions {
  /** What was sent over a connection that ended is sent again: it may then have been done twice. */
  readonly sendsAgain: boolean
  readonly hasTimeout: boolean
  readonly password?: string
  /** Where nodes are reached from here, by what they call themselves. */
  readonly natMap?: NonNullable<ClusterOptions['natMap']>
}

export function connectCluster(
  seeds: readonly Address[],
  { sendsAgain, hasTimeout, password, natMap }: ClientOptions,
): RedisCluster {
  const cluster = new RedisCluster([...seeds], {
    ...(sendsAgain ? {} : { retryDelayOnFailover: 0 }),
    ...(natMap === undefined ? {} : { natMap }),
    redisOptions: {
      ...(password === undefined ? {} : { password }),
      protocol: 2,
      connectTimeout: SOCKET_TIMEOUT_MS,
      ...(hasTimeout ? { socketTimeout: SOCKET_TIMEOUT_MS } : {}),
    },
  })
  // Whoever waits for a reply learns of a lost connection by that.
  cluster.on('error', () => {})
  return cluster
}
