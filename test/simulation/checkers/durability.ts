/**
 * durability.ts: what a node has promised is there after its crash, and what a client was told is there
 * in the end.
 *
 * Promised are: whatever an answered command had seen or written (under `always` at once; under the other
 * policies after the policy's interval, or at once where only the process was killed), what the node
 * claims to have durably, and what peers believe it has, because it told them.
 *
 * An op that came behind the end of its origin is not lost when every write in it counts under another dot or
 * stands behind a later one that it had not seen. What it removed may come back.
 */

import { TAG } from '../../../crdt/effects/effect.ts'
import { isRegional } from '../../../crdt/effects/stream-effects.ts'
import { type Effect, isKeyEffect, type KeyEffect } from '../../../crdt/registry.ts'
import type { NodeCore } from '../../../region-node/core.ts'
import type { FsyncPolicy } from '../../../region-node/persistence/op-log.ts'
import type { OracleOp } from '../../harness/oracle.ts'
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
  /** Origins under which a node that came back has ops that do not count, by node. */
  readonly #leftBehind = new Map<SimNode, Set<string>>()
  /** How often its region had come and gone as far as a node knew when it was last looked at. */
  readonly #epochs = new Map<SimNode, number>()

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

  /**
   * It may have come back: what it minted in the dark, and what it took there from others, is judged when all is
   * settled.
   */
  adopted(node: SimNode): void {
    const { vector } = node
    const known = this.#epochs.get(node) ?? 0
    // A node that broke in this very turn is judged when it has started again.
    const epoch = node.core?.membership.epochOf(node.regionId) ?? known
    const isBack = epoch > known
    this.#epochs.set(node, epoch)
    const left = this.#leftBehind.get(node) ?? new Set()
    this.#leftBehind.set(node, left)
    for (const { origin, region, seq } of this.#world.ledger.ops.values())
      if ((isBack || region === node.regionId) && seq > (vector.get(origin) ?? 0)) left.add(origin)
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
    const ends = this.#world.ledger.endsWithin(node.vector)
    for (const origin of this.#leftBehind.get(node) ?? []) promised.delete(origin)
    // What lies behind the end of its origin counts under another dot.
    for (const [origin, seq] of promised) promised.set(origin, Math.min(seq, ends.get(origin) ?? seq))
    const lacking = firstLacking(node.vector, promised)
    if (lacking !== undefined)
      throw new Finding('durability', `${node.name} starts again and lacks what it promised: ${lacking}`)
    // It starts from here, and has made it durable first.
    this.#promised.set(node, new Map(node.vector))
    this.#epochs.set(node, node.core!.membership.epochOf(node.regionId))
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
      if ((vector.get(dot.origin) ?? 0) < dot.seq && this.#isLost(dot, ledger.within(vector))) {
        throw new Finding(
          'durability',
          `'${words.join(' ')}' was answered and is lost: ${dot.origin}:${dot.seq}`,
        )
      }
    }
  }

  /** @param counted  ops that count in the end */
  #isLost({ origin, seq }: { origin: string; seq: number }, counted: readonly OracleOp[]): boolean {
    const op = this.#world.ledger.ops.get(Ledger.nameOf(origin, seq))
    if (op === undefined) return false
    const again = counted.find(({ effects: [was] }) => {
      return was?.tag === TAG.WAS && was.origin.id === origin && was.seq === seq
    })
    return op.effects.some((effect) => {
      if (!isKeyEffect(effect) || !isLasting(effect)) return false
      if (again?.effects.some((one) => isSameKey(one, effect))) return false
      if (counted.some((other) => isSweptAway(effect, op, other))) return false
      return !isValue(effect) || !counted.some((other) => isBeaten(effect, op, other))
    })
  }
}

/** Removals are dropped from an op that came too late; a deadline may find its key gone, or a later one there. */
function isLasting({ tag }: KeyEffect): boolean {
  const passing: readonly number[] = [
    TAG.CLEAR,
    TAG.SET_REMOVE,
    TAG.HASH_REMOVE,
    TAG.ZSET_REMOVE,
    TAG.LIST_REMOVE,
    // Its element may be gone.
    TAG.LIST_SET,
    TAG.HLL_REMOVE,
    TAG.STREAM_REMOVE,
    TAG.STREAM_TRIM,
    TAG.STREAM_BAR,
    TAG.STREAM_UNGROUP,
    // Its group may be gone.
    TAG.STREAM_ACK,
    TAG.DEADLINE,
    TAG.FIELD_DEADLINE,
  ]
  // What a region's readers did stays with them, and is not minted again.
  return !passing.includes(tag) && !isRegional(tag)
}

/** Of several such writes one wins; increments and members never lose. */
function isValue({ tag }: KeyEffect): boolean {
  return tag === TAG.SET || tag === TAG.PUT || tag === TAG.HASH_PUT || tag === TAG.ZSET_ADD
}

function isSameKey(effect: Effect, { db, key }: KeyEffect): boolean {
  return isKeyEffect(effect) && effect.db === db && effect.key === key
}

/** The other op writes a value there, later by its stamp, and the op had not seen it. */
function isBeaten(effect: KeyEffect, op: OracleOp, other: OracleOp): boolean {
  const [was] = other.effects
  const hlc = was?.tag === TAG.WAS ? was.hlc : other.hlc
  if (hlc < op.hlc || other.seq <= (op.deps.get(other.origin) ?? 0)) return false
  return other.effects.some((one) => isKeyEffect(one) && isSameKey(one, effect) && isValue(one))
}

/** Removals that win over what they had not seen, by the effects they win over; or after which nothing is left. */
const SWEEPERS: ReadonlyMap<number, readonly number[]> = new Map([
  [TAG.HLL_RAISE, [TAG.HLL_REMOVE]],
  [TAG.HLL_JOIN, [TAG.HLL_REMOVE]],
  [TAG.STREAM_GROUP, [TAG.STREAM_BAR, TAG.STREAM_UNGROUP, TAG.STREAM_REMOVE, TAG.STREAM_TRIM]],
])

/** The other op removes what the effect adds to, and the op had not seen that. */
function isSweptAway(effect: KeyEffect, op: OracleOp, other: OracleOp): boolean {
  const sweepers = SWEEPERS.get(effect.tag)
  if (sweepers === undefined || other.seq <= (op.deps.get(other.origin) ?? 0)) return false
  return other.effects.some((one) => sweepers.includes(one.tag) && isSameKey(one, effect))
}

function join(vector: Vector, other: Iterable<readonly [string, number]>): void {
  for (const [origin, seq] of other) vector.set(origin, Math.max(seq, vector.get(origin) ?? 0))
}
