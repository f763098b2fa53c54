/**
 * region.ts: a region as its clients know it, one that is also a process of ours, and what can be asked of
 * several at once.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { RegionPlan } from './plan.ts'
import { RegionProcess } from './region-process.ts'

/** Longest time for the regions to agree. */
const AGREE_MS_MAX = 20_000
const POLL_MS = 2

/** A region by its name, with a connection to it. Where it runs is not its clients' business. */
export class RegionClient {
  readonly name: string
  #client: Redis | undefined = undefined

  constructor(name: string) {
    this.name = name
  }

  get client(): Redis {
    if (this.#client === undefined) throw new Error(`no client is connected to region ${this.name}`)
    return this.#client
  }

  /** Connects to a port of this machine. @throws Error when nobody answers there */
  async open(port: number, password?: string): Promise<void> {
    this.#client = await connect(port, password === undefined ? {} : { password })
  }

  /** Runs a command given as words. @throws ReplyError */
  run(...[name, ...words]: readonly [string, ...string[]]): Promise<unknown> {
    return this.client.call(name, words)
  }

  disconnect(): void {
    this.#client?.disconnect()
    this.#client = undefined
  }

  /** Ops applied here: origin ids with their seqs, in one text that is equal where the vectors are. */
  async vector(): Promise<string> {
    return ((await this.run('CRDT.VECTOR')) as (string | number)[]).join(' ')
  }

  digest(): Promise<unknown> {
    return this.run('CRDT.DIGEST')
  }

  /** Waits until the region takes writes: a new one does once it has met a peer. @throws Error when it does not */
  async takesWrites(): Promise<void> {
    const start = performance.now()
    while (!String(await this.run('INFO', 'crdt')).includes('lacking:0')) {
      if (performance.now() - start > AGREE_MS_MAX) {
        throw new Error(`region ${this.name} has not met a peer after ${AGREE_MS_MAX / 1000} s`)
      }
      await delay(POLL_MS)
    }
  }
}

/** A region that was started here. */
export class Region extends RegionClient {
  readonly plan: RegionPlan
  readonly process: RegionProcess

  /** @param nodeFlags  flags for Node itself */
  constructor(plan: RegionPlan, nodeFlags: readonly string[] = []) {
    super(plan.name)
    this.plan = plan
    this.process = new RegionProcess(plan, nodeFlags)
  }

  async start(): Promise<void> {
    await this.process.start()
    await this.open(this.plan.port)
  }

  async stop(): Promise<void> {
    this.disconnect()
    await this.process.stop()
  }
}

/** A client that fails instead of trying again, so that what was not answered is known. */
export async function connect(
  port: number,
  login: { readonly host?: string; readonly password?: string } = {},
): Promise<Redis> {
  const client = new Redis({ port, protocol: 2, lazyConnect: true, retryStrategy: null, ...login })
  // Whoever waits for a reply learns of a lost connection by that.
  client.on('error', () => {})
  await client.connect()
  return client
}

/** Waits until all have applied the same ops. @returns milliseconds it took. @throws Error when they do not */
export async function awaitAgreement(
  regions: readonly RegionClient[],
  timeoutMs = AGREE_MS_MAX,
): Promise<number> {
  const start = performance.now()
  while (new Set(await Promise.all(regions.map((region) => region.vector()))).size > 1) {
    if (performance.now() - start > timeoutMs) {
      throw new Error(`the regions have not applied the same ops after ${timeoutMs / 1000} s`)
    }
    await delay(POLL_MS)
  }
  return performance.now() - start
}
