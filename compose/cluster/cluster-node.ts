/**
 * cluster-node.ts: one node of a region: its process, and what it says of itself.
 */
import { rmSync } from 'node:fs'
import { ReplyError } from 'ioredis'
import { connect } from '../region.ts'
import { RegionProcess } from '../region-process.ts'
import type { NodePlan } from './cluster-plan.ts'

export type Role = 'primary' | 'replica' | 'idle'

/** One that does not answer by then is taken for gone. */
const ANSWER_MS_MAX = 1000

export class ClusterNode {
  readonly plan: NodePlan
  readonly process: RegionProcess

  constructor(plan: NodePlan) {
    this.plan = plan
    this.process = new RegionProcess(plan)
  }

  get name(): string {
    return this.plan.name
  }

  /** What it is now by its own word; undefined when it does not answer. */
  async role(): Promise<Role | undefined> {
    if (!this.process.isRunning) return undefined
    const { bind, adminPort } = this.plan
    try {
      const signal = AbortSignal.timeout(ANSWER_MS_MAX)
      const response = await fetch(`http://${bind}:${adminPort}/v1/status`, { signal })
      return ((await response.json()) as { role: Role }).role
    } catch {
      return undefined
    }
  }

  /**
   * Asks this very node, where it listens, as a client that takes what a replica has.
   * @throws ReplyError; Error when it could not be reached, or closed the connection
   */
  async ask(...[name, ...words]: readonly [string, ...string[]]): Promise<unknown> {
    const client = await connect(this.plan.port, { host: this.plan.bind })
    try {
      await client.readonly()
      return await client.call(name, words)
    } catch (error) {
      if (error instanceof ReplyError) throw error
      throw new Error(`${this.name}, asked for ${name}: ${(error as Error).message}`, { cause: error })
    } finally {
      client.disconnect()
    }
  }

  /** Loses its disk; to be called while it is not running. */
  wipe(): void {
    rmSync(this.plan.folder, { recursive: true, force: true })
  }
}
