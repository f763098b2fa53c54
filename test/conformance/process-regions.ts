/**
 * process-regions.ts: the regions of a case as real processes.
 *
 * The processes are kept from case to case, and each case has a logical database of its own: the index
 * is part of every key's identity, so a database never used holds nothing, metadata included. (FLUSHALL
 * between cases would not do: it leaves behind what an observed-remove leaves.) Cases that ask for
 * settings get processes that have them.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type Reply, RespError } from '../../region-node/resp/parse-reply.ts'
import type { RespClient } from '../harness/resp-client.ts'
import { type Ending, REGION_NAMES, type RegionName, Regions } from '../harness/three-regions.ts'
import type { ConflictCase } from './case.ts'
import type { CaseRegions } from './run-case.ts'

/** Logical databases, so many that a run does not come to the end of them. */
const DATABASES = 1024

export class RegionPool {
  readonly #settings: Readonly<Record<string, string>>
  readonly #bySettings = new Map<string, { regions: Regions; nextDatabase: number }>()

  constructor(settings: Readonly<Record<string, string>> = {}) {
    // A region is restarted hundreds of times: without the admin server that takes less.
    this.#settings = { databases: String(DATABASES), 'admin-port': '0', ...settings }
  }

  /** Regions with all links cut, and a database that nobody has used. */
  async take({ config = {}, regions: count }: ConflictCase): Promise<ProcessRegions> {
    const name = JSON.stringify(config)
    let entry = this.#bySettings.get(name)
    if (entry === undefined || entry.nextDatabase === DATABASES) {
      await entry?.regions.dispose()
      entry = {
        regions: await Regions.start({ settings: { ...this.#settings, ...config } }),
        nextDatabase: 0,
      }
      this.#bySettings.set(name, entry)
    }
    await entry.regions.cutAll()
    return new ProcessRegions(entry.regions, REGION_NAMES.slice(0, count), entry.nextDatabase++)
  }

  /** The processes with these settings have failed: the next case gets new ones. */
  async discard({ config = {} }: ConflictCase): Promise<void> {
    const name = JSON.stringify(config)
    const entry = this.#bySettings.get(name)
    this.#bySettings.delete(name)
    await entry?.regions.dispose()
  }

  async dispose(): Promise<void> {
    for (const { regions } of this.#bySettings.values()) await regions.dispose()
    this.#bySettings.clear()
  }
}

export class ProcessRegions implements CaseRegions {
  readonly #regions: Regions
  /** Those that take part. The others stay cut off. */
  readonly #names: readonly RegionName[]
  readonly #database: number
  readonly #clients = new Map<RegionName, RespClient>()

  constructor(regions: Regions, names: readonly RegionName[], database: number) {
    this.#regions = regions
    this.#names = names
    this.#database = database
  }

  async command(region: RegionName, words: readonly string[]): Promise<Reply> {
    let client = this.#clients.get(region)
    if (client === undefined) {
      client = await this.#regions.connect(region)
      this.#clients.set(region, client)
      const reply = await client.command('SELECT', String(this.#database))
      if (reply instanceof RespError) throw new Error(reply.line)
    }
    return client.send(words)
  }

  async sync(names: readonly RegionName[]): Promise<void> {
    await this.#regions.heal(names)
    await this.#regions.awaitEqualVectors(names)
    await this.#regions.cutAll()
  }

  cutAll(): Promise<void> {
    return this.#regions.cutAll()
  }

  pass(ms: number): Promise<void> {
    return delay(ms)
  }

  /** Ends every region of the case and starts it again from its folder. */
  async restart(ending: Ending): Promise<void> {
    await this.close()
    await this.#regions.restart(ending, this.#names)
  }

  /** Ends the connections of the case. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#clients.values(), (client) => client.close()))
    this.#clients.clear()
  }
}

/** What processes can do that a case may ask for. */
export const PROCESS_ABILITIES: ReadonlySet<string> = new Set(['partial-sync', 'sleep'])
