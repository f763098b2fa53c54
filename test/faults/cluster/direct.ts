/**
 * direct.ts: a client of one node that goes nowhere else and tries nothing twice: what that very node answered.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { ClusterNode } from '../../../compose/cluster/cluster-node.ts'
import { connect } from '../../../compose/region.ts'

const PAUSE_MS = 5
/** A node that has not answered by then is frozen. */
const SILENT_MS = 300

export function connectTo({ plan }: ClusterNode): Promise<Redis> {
  return connect(plan.port, { host: plan.bind })
}

/** Writes to one node, again and again, and notes when it said OK. */
export class DirectWriter {
  readonly node: ClusterNode
  readonly okMs: number[] = []
  #isStopped = false
  #work: Promise<void> | undefined

  constructor(node: ClusterNode) {
    this.node = node
  }

  start(): void {
    this.#work = this.#write()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#work
  }

  async #write(): Promise<void> {
    const client = await connectTo(this.node)
    while (!this.#isStopped) {
      const reply = await client
        .set(`direct:${this.node.name}`, String(performance.now()))
        .catch(() => undefined)
      if (reply === 'OK') this.okMs.push(performance.now())
      await delay(PAUSE_MS)
    }
    client.disconnect()
  }
}

/** Waits until a node that was frozen has come to a stop: the signal takes its time. */
export async function fallsSilent(client: Redis): Promise<void> {
  while ((await Promise.race([client.ping(), delay(SILENT_MS)])) !== undefined);
}

/** Sends writes at once, without waiting. @returns how many of them were answered OK, when all are settled */
export async function queue(client: Redis, writes: number): Promise<number> {
  const replies = await Promise.all(
    Array.from({ length: writes }, (_, at) => client.set(`queued:${at}`, 'x').catch(() => undefined)),
  )
  return replies.filter((reply) => reply === 'OK').length
}
