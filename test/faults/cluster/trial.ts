/**
 * trial.ts: one fault, tried on a scene: what is done, what a client sees of it, and what must hold afterwards.
 *
 * Whatever the fault was, afterwards everything is mended and every node runs; then all nodes must have applied the
 * same ops, show equal digests, and hold all that was acknowledged.
 */
import type { ClusterNode } from '../../../compose/cluster/cluster-node.ts'
import type { ClusterWriter } from '../../../compose/cluster/writer.ts'
import type { Scene } from './scene.ts'

export type AckMode = 'async' | 'sync'

export interface FaultTitle {
  /** Of the list in the design: `8a` is a part of 8. */
  readonly number: string
  readonly fault: string
  readonly done: string
  readonly ack: AckMode
}

export interface Fault extends FaultTitle {
  readonly run: (trial: Trial) => Promise<void>
}

export interface Report {
  readonly windowMs: number | undefined
  /** Of the commands that the client gave up. */
  readonly errors: number
  readonly acknowledged: number
  readonly found: number
  readonly failures: readonly string[]
  readonly remarks: readonly string[]
}

export class Trial {
  readonly scene: Scene
  readonly #patience: number
  readonly #writers: ClusterWriter[] = []
  readonly #failures: string[] = []
  readonly #remarks: string[] = []
  #windowMs: number | undefined
  #errors = 0

  private constructor(scene: Scene, patience: number) {
    this.scene = scene
    this.#patience = patience
  }

  /** @param patience  how many times what was promised clients may wait: a machine may be busy with other work */
  static async of(fault: Fault, scene: Scene, patience = 1): Promise<Report> {
    await scene.configure('replica-ack', fault.ack)
    await scene.cluster.settle()
    const trial = new Trial(scene, patience)
    try {
      await fault.run(trial)
    } catch (error) {
      trial.expect(false, (error as Error).message)
    }
    return trial.#conclude()
  }

  expect(holds: boolean, sentence: string): void {
    if (!holds) this.#failures.push(sentence)
  }

  remark(sentence: string): void {
    this.#remarks.push(sentence)
  }

  /** A client that writes from now on until the end of the trial. */
  async writer(region: string): Promise<ClusterWriter> {
    const writer = await this.scene.writer(region)
    this.#writers.push(writer)
    return writer
  }

  /** Waits until another node is primary. */
  successorOf(node: ClusterNode): Promise<ClusterNode> {
    return this.scene.cluster.primaryOf(node.plan.region, node)
  }

  /** Waits until a client is answered again, and notes how long it was not. @param limitMs  what was promised */
  async window(writer: ClusterWriter, fromMs: number, limitMs: number): Promise<void> {
    const answeredMs = await writer.acknowledgesAfter(performance.now())
    const gapMs = writer.longestGapMs(fromMs, answeredMs)
    this.#windowMs = Math.max(this.#windowMs ?? 0, gapMs)
    const errors = writer.errorsSince(fromMs)
    this.#errors += errors.length
    for (const sentence of new Set(errors)) this.remark(`a client was told: ${sentence}`)
    this.expect(
      gapMs <= limitMs * this.#patience,
      `no answer for ${Math.round(gapMs)} ms, promised are ${limitMs} ms`,
    )
  }

  /** Everything acknowledged so far is on that node. */
  async expectAllAt(node: ClusterNode): Promise<void> {
    for (const writer of this.#writers) {
      const missing = await writer.missingAt(node)
      this.expect(missing.length === 0, `${node.name} lacks ${missing.length} acknowledged writes`)
    }
  }

  async #conclude(): Promise<Report> {
    const { scene } = this
    let found = 0
    const acknowledged = (): number =>
      this.#writers.reduce((sum, writer) => sum + writer.acknowledged.length, 0)
    try {
      await restore(scene)
      await Promise.all(this.#writers.map((writer) => writer.stop()))
      const digests = await scene.cluster.agree()
      this.expect(new Set(digests.values()).size === 1, `digests differ: ${[...digests].join(' ')}`)
      found = acknowledged() - (await this.#lost())
    } catch (error) {
      this.expect(false, (error as Error).message)
    }
    return {
      windowMs: this.#windowMs,
      errors: this.#errors,
      acknowledged: acknowledged(),
      found,
      failures: this.#failures,
      remarks: this.#remarks,
    }
  }

  /** @returns how many acknowledged writes some node lacks */
  async #lost(): Promise<number> {
    const lost = new Set<string>()
    for (const node of this.scene.cluster.nodes)
      for (const writer of this.#writers) {
        for (const member of await writer.missingAt(node)) lost.add(`${writer.name} ${member}`)
        const miscount = await writer.miscountAt(node)
        if (miscount !== undefined) this.expect(false, miscount)
      }
    this.expect(lost.size === 0, `${lost.size} acknowledged writes are lost`)
    return lost.size
  }
}

/** Everything runs and reaches everything. */
export async function restore(scene: Scene): Promise<void> {
  const { cluster } = scene
  scene.mend()
  for (const node of cluster.nodes) node.process.thaw()
  for (const at of cluster.etcd.endpoints.keys()) cluster.etcd.revive(at)
  await cluster.etcd.serves()
  await Promise.all(
    cluster.nodes.filter(({ process }) => !process.isRunning).map(({ process }) => process.start()),
  )
  await cluster.settle()
}
