/**
 * restartable.ts: the two sides of a comparison of restarts: each one process that keeps its data over an
 * orderly stop: redis-server in a file of its own (RDB), Causeway in a snapshot and the log behind it.
 */
import type { ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'
import type { RegionPlan } from '../../compose/plan.ts'
import { Region } from '../../compose/region.ts'
import { RespClient } from '../harness/resp-client.ts'
import { endProcess, freshFolder, loneRegionPlan, REDIS_PORT, spawnRedis } from './contenders.ts'
import { infoField, saveSnapshot } from './region-info.ts'

export interface Restartable {
  readonly port: number
  /** Starts the process. Resolves between that moment and the one when it serves. */
  start(): Promise<void>
  /** Puts everything into the file from which the next start begins. */
  save(): Promise<void>
  /** @throws Error when the end was not an orderly one */
  stop(): Promise<void>
  /** Ends it if it runs, and removes its data. */
  dispose(): Promise<void>
}

/** Keeps no log, so that it starts from its RDB file. */
export class RestartableRedis implements Restartable {
  readonly port = REDIS_PORT
  readonly #folder = freshFolder()
  #child: ChildProcess | undefined = undefined

  async start(): Promise<void> {
    this.#child = spawnRedis(this.#folder, { appendonly: 'no' })
  }

  async save(): Promise<void> {
    const client = await RespClient.connect(this.port)
    await client.ask('SAVE')
    await client.close()
  }

  async stop(): Promise<void> {
    const child = this.#child!
    await endProcess(child, 'SIGTERM')
    if (child.exitCode !== 0) throw new Error(`redis-server ended with code ${child.exitCode}`)
  }

  async dispose(): Promise<void> {
    if (this.#child !== undefined) await endProcess(this.#child, 'SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

export class RestartableRegion implements Restartable {
  readonly #folder = freshFolder()
  readonly #plan: RegionPlan = loneRegionPlan(this.#folder)
  readonly #nodeFlags: readonly string[]
  #region: Region | undefined = undefined
  /** It mints under another origin after a stop that was not orderly. */
  #origin: string | undefined = undefined

  constructor(nodeFlags: readonly string[]) {
    this.#nodeFlags = nodeFlags
  }

  get port(): number {
    return this.#plan.port
  }

  async start(): Promise<void> {
    const region = new Region(this.#plan, this.#nodeFlags)
    this.#region = region
    await region.start()
    const origin = await infoField(region, 'crdt', 'origin')
    if (this.#origin !== undefined && origin !== this.#origin)
      throw new Error('the region had not been stopped in order')
    this.#origin = origin
  }

  async save(): Promise<void> {
    await saveSnapshot(this.#region!)
  }

  async stop(): Promise<void> {
    await this.#region!.stop()
  }

  async dispose(): Promise<void> {
    await this.#region?.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
