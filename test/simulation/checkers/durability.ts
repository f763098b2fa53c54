/**
 * durability.ts: what a node has promised is there after its crash, and what a client was told is there
 * in the end.
 *
 * Promised are: whatever an answered command had seen or written (under `always` at once; under the other
 * policies after the policy's interval, or at once where only the process was killed), what the node
 * claims to have durably, and what peers believe it has, because it told them.
 */

import { TAG } from '../../../crdt/effects/effect.ts'
import { type Effect, isKeyEffect } from '../../../crdt/registry.ts'
import type { NodeCore } from '../../../region-node/core.ts'
import type { FsyncPolicy } from '../../../region-node/persistence/op-log.ts'
import type { SentCommand } from '../../harness/sim-client.ts'
import type { Ending, SimNode } from '../../harness/sim-node.ts'
import { type Checker, Finding, firstLacking, type World } from '../checker.ts'
import { Ledger } from '../ledger.ts'

/** How old an answer may be and still be lost with the power, milliseconds; the syncs themselves not counted. */
const INTERVAL_MS: Record<FsyncPolicy, number> = { always: 0, everysec: 1000, no: 30_000 }

type Vector = Map<string, number>

/** A process that has ended, as far as its machine may have to answer for it. */
interface Ended {
  readonly atMs: number
  readonly answers: readonly SentCommand[]
  /** The machine lost its power with it, or later. */
  lostPower: boolean
}

export class Durability implements Checker {
  readonly #world: World
  /** Answers of the process that runs now, by node. */
  readonly #answers = new Map<SimNode, SentCommand[]>()
  readonly #ended = new Map<SimNode, Ended>()
  /** What the next process must find whatever happens, by node. */
  readonly #promised = new Map<SimNode, Vector>()

  readonly #lostDisk = new Set<SimNode>()

  constructor(world: World) {
    this.#world = world
  }

  answered(command: SentCommand): void {
    const node = this.#world.nodes.find(({ name }) => name === command.node)!
    this.#answers.get(node)!.push(command)
  }

  ended(node: SimNode, how: Ending, core: NodeCore): void {
    const { clock, nodes } = this.#world
    const answers = this.#answers.get(node)!
    this.#ended.set(node, { atMs: clock.nowMs, answers, lostPower: how === 'power' })
    const promised = this.#promised.get(node)!
    join(promised, core.durable.toWire())
    // What peers remember may be from before the loss of a disk.
    if (this.#lostDisk.has(node)) return
    for (const peer of nodes) join(promised, peer.core?.mesh.acknowledged(node.name)?.toWire() ?? [])
  }

  lostPower(node: SimNode): void {
    const ended = this.#ended.get(node)
    if (ended !== undefined) ended.lostPower = true
  }

  /** What a lost disk held and nobody else has durably is lost with it; the rest comes back from the others. */
  lostDisk(node: SimNode): void {
    const { ledger, nodes } = this.#world
    this.#lostDisk.add(node)
    this.#promised.delete(node)
    this.#ended.delete(node)
    const others = nodes.filter((other) => other !== node).map(({ core }) => core?.durable.toWire() ?? [])
    for (const command of ledger.commands) {
      const { dot } = command
      if (dot === undefined) continue
      const isHeld = others.some((vector) => vector.some(([id, seq]) => id === dot.origin && seq >= dot.seq))
      if (!isHeld) ledger.forgivable.add(command)
    }
  }

  recovered(node: SimNode): void {
    const promised = this.#promised.get(node) ?? new Map<string, number>()
    const ended = this.#ended.get(node)
    if (ended !== undefined) this.#addAnswers(promised, ended)
    const lacking = firstLacking(node.vector, promised)
    if (lacking !== undefined)
      throw new Finding('durability', `${node.name} starts again and lacks what it promised: ${lacking}`)
    // It starts from here, and has made it durable first.
    this.#promised.set(node, new Map(node.vector))
    this.#answers.set(node, [])
    this.#ended.delete(node)
  }

  #addAnswers(promised: Vector, { atMs, answers, lostPower }: Ended): void {
    const safeUntilMs = lostPower ? atMs - this.#windowMs : Number.POSITIVE_INFINITY
    for (const command of answers) {
      if (command.answeredMs! <= safeUntilMs) join(promised, command.seen ?? [])
      else if (command.dot !== undefined) this.#world.ledger.forgivable.add(command)
    }
  }

  /** Two syncs: one that was under way when the answer left, and the one that covers it. */
  get #windowMs(): number {
    const { policy, disk } = this.#world.options
    if (policy === 'always') return 0
    return INTERVAL_MS[policy] + 2 * Math.max(disk.syncMsMax, disk.slowSyncMs)
  }

  settled(): void {
    const { ledger, nodes } = this.#world
    const [{ vector }] = nodes as [SimNode]
    for (const command of ledger.commands) {
      const { dot, answeredMs, words } = command
      if (dot === undefined || answeredMs === undefined || ledger.forgivable.has(command)) continue
      if ((vector.get(dot.origin) ?? 0) < dot.seq && !this.#isMintedAgain(dot, vector)) {
        throw new Finding(
          'durability',
          `'${words.join(' ')}' was answered and is lost: ${dot.origin}:${dot.seq}`,
        )
      }
    }
  }

  /** The op counts under another dot, or held nothing but removals, which may be dropped. */
  #isMintedAgain(
    { origin, seq }: { origin: string; seq: number },
    vector: ReadonlyMap<string, number>,
  ): boolean {
    const { ledger } = this.#world
    const op = ledger.ops.get(Ledger.nameOf(origin, seq))
    if (op === undefined || !op.effects.some(isWrite)) return true
    for (const { origin: newOrigin, seq: newSeq, effects } of ledger.ops.values()) {
      const was = effects[0]
      if (was?.tag !== TAG.WAS || was.origin.id !== origin || was.seq !== seq) continue
      if (newSeq <= (vector.get(newOrigin) ?? 0)) return true
    }
    return false
  }
}

function isWrite(effect: Effect): boolean {
  return (
    isKeyEffect(effect) &&
    effect.tag !== TAG.CLEAR &&
    effect.tag !== TAG.SET_REMOVE &&
    effect.tag !== TAG.HASH_REMOVE
  )
}

function join(vector: Vector, other: Iterable<readonly [string, number]>): void {
  for (const [origin, seq] of other) vector.set(origin, Math.max(seq, vector.get(origin) ?? 0))
}
