/**
 * durability.ts: what a node has promised is there after its crash, and what a client was told is there
 * in the end.
 *
 * Promised are: whatever an answered command had seen or written (under `always` at once; under the other
 * policies after the policy's interval, or at once where only the process was killed), what the node
 * claims to have durably, and what peers believe it has, because it told them.
 */
import type { FsyncPolicy } from '../../../region-node/persistence/op-log.ts'
import type { NodeCore } from '../../../region-node/core.ts'
import type { SentCommand } from '../../harness/sim-client.ts'
import type { Ending, SimNode } from '../../harness/sim-node.ts'
import { type Checker, Finding, firstLacking, type World } from '../checker.ts'

/** How old an answer may be and still be lost with the power, milliseconds; the syncs themselves not counted. */
const INTERVAL_MS: Record<FsyncPolicy, number> = { always: 0, everysec: 1000, no: 30_000 }

type Vector = Map<string, number>

export class Durability implements Checker {
  readonly #world: World
  /** Answers of the process that runs now, by node. */
  readonly #answers = new Map<string, SentCommand[]>()
  /** What the next process must find, by node. */
  readonly #promised = new Map<string, Vector>()

  constructor(world: World) {
    this.#world = world
  }

  answered(command: SentCommand): void {
    const answers = this.#answers.get(command.node) ?? []
    answers.push(command)
    this.#answers.set(command.node, answers)
  }

  ended(node: SimNode, how: Ending, core: NodeCore): void {
    const promised: Vector = this.#promised.get(node.name) ?? new Map()
    const safeBeforeMs = how === 'power' ? this.#world.clock.nowMs - this.#windowMs : Number.POSITIVE_INFINITY
    for (const command of this.#answers.get(node.name) ?? []) {
      if (command.answeredMs! <= safeBeforeMs) join(promised, command.seen ?? [])
      else if (command.dot !== undefined) this.#world.ledger.forgivable.add(command)
    }
    join(promised, core.durable.toWire())
    for (const peer of this.#world.nodes) join(promised, peer.core?.mesh.acknowledged(node.name)?.toWire() ?? [])
    this.#promised.set(node.name, promised)
    this.#answers.delete(node.name)
  }

  /** Two syncs: one that was under way when the answer left, and the one that covers it. */
  get #windowMs(): number {
    const { policy, disk } = this.#world.options
    if (policy === 'always') return 0
    return INTERVAL_MS[policy] + 2 * Math.max(disk.syncMsMax, disk.slowSyncMs)
  }

  recovered(node: SimNode): void {
    const lacking = firstLacking(node.vector, this.#promised.get(node.name) ?? [])
    if (lacking !== undefined) throw new Finding('durability', `${node.name} had promised ${lacking} after its restart`)
    // It starts from here, and has made it durable first.
    this.#promised.set(node.name, new Map(node.vector))
  }

  settled(): void {
    const { ledger, nodes } = this.#world
    const [{ vector }] = nodes as [SimNode]
    for (const command of ledger.commands) {
      const { dot, answeredMs, words } = command
      if (dot === undefined || answeredMs === undefined || ledger.forgivable.has(command)) continue
      if ((vector.get(dot.origin) ?? 0) < dot.seq) {
        throw new Finding('durability', `'${words.join(' ')}' was answered and is lost: ${dot.origin}:${dot.seq}`)
      }
    }
  }
}

function join(vector: Vector, other: Iterable<readonly [string, number]>): void {
  for (const [origin, seq] of other) vector.set(origin, Math.max(seq, vector.get(origin) ?? 0))
}
