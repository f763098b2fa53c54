/**
 * expiry.ts: a due key is removed in the end, and never one whose life somebody has extended meanwhile.
 *
 * Ops that no client asked for are removals of due keys. Such a removal has gone wrong when another op that
 * neither saw it nor was seen by it gives the key a later deadline: the value is gone, and somebody was told
 * that it would stay.
 */
import { TAG } from '../../../crdt/effects/effect.ts'
import { isKeyEffect } from '../../../crdt/registry.ts'
import { FSYNC_INTERVAL_MS } from '../../../region-node/persistence/op-log.ts'
import { observe } from '../../harness/observe.ts'
import { type AnsweredValue, answerOf, type KeyAnswer, type OracleOp } from '../../harness/oracle.ts'
import type { SimNode } from '../../harness/sim-node.ts'
import { type Checker, Finding, type World } from '../checker.ts'
import { Ledger } from '../ledger.ts'

/** Longer than the head start of the region that owns the deadline, and all that is announced once it is on disk. */
const REMOVAL_MS_MAX = 15_000

export class Expiry implements Checker {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  settled(): void {
    this.#nothingLeft()
    this.#nothingExtended()
  }

  #nothingLeft(): void {
    const { nodes, options } = this.#world
    const waitMs = REMOVAL_MS_MAX + FSYNC_INTERVAL_MS[options.policy]
    const latestMs = Math.min(...nodes.map(({ core }) => core!.engine.clock.read())) - waitMs
    for (const { name, core } of nodes) {
      for (const [key, { deadlineMs, states }] of observe(core!.engine.keyspace)) {
        if (deadlineMs < latestMs)
          throw new Finding('expiry', `${name} still holds ${key}, long past its deadline`)
        for (const { type, value } of states)
          if (type === 'hash' && firstDueMs(value) < latestMs)
            throw new Finding('expiry', `${name} still holds a field of ${key}, long past its deadline`)
      }
    }
  }

  #nothingExtended(): void {
    const { ledger } = this.#world
    const asked = new Set(
      ledger.commands.map(({ dot }) => (dot === undefined ? '' : Ledger.nameOf(dot.origin, dot.seq))),
    )
    const [{ vector }] = this.#world.nodes as [SimNode]
    const ops = ledger.within(vector)
    for (const removal of ops) {
      if (asked.has(Ledger.nameOf(removal.origin, removal.seq))) continue
      for (const other of ops)
        if (areConcurrent(removal, other) && !isMintedAgain(other)) this.#compare(removal, other, ops)
    }
  }

  #compare(removal: OracleOp, other: OracleOp, ops: readonly OracleOp[]): void {
    for (const effect of removal.effects) {
      if (effect.tag !== TAG.CLEAR) continue
      const same = other.effects.filter(
        (one) => isKeyEffect(one) && one.db === effect.db && one.key === effect.key,
      )
      // One that brings a value of its own has not counted on the old one.
      if (same.some(({ tag }) => tag === TAG.SET || tag === TAG.CLEAR)) continue
      const later = same.find(({ tag }) => tag === TAG.DEADLINE)
      if (later?.tag !== TAG.DEADLINE) continue
      const before = answerOf(ops.filter((op) => hasSeen(removal, op))).get(`${effect.db}:${effect.key}`)
      if (before === undefined || later.deadlineMs <= before.deadlineMs) continue
      // Where the life that was extended is that of a newer value, which the removal had not seen, all is well.
      const merged = answerOf(ops.filter((op) => op === removal || op === other || hasSeen(other, op)))
      if (merged.has(`${effect.db}:${effect.key}`)) continue
      // Nor may a removal leave what it wins over, seen or not: a HyperLogLog, or groups of a stream without entries.
      const newer = answerOf(ops.filter((op) => hasSeen(other, op) && !hasSeen(removal, op)))
      if (newer.get(`${effect.db}:${effect.key}`)?.states.some(yieldsToRemoval)) continue
      const names = `${removal.origin}:${removal.seq} and ${other.origin}:${other.seq}`
      throw new Finding('expiry', `${effect.key} was removed as due while its life was extended: ${names}`)
    }
  }
}

/** Written in the dark. Nobody waited for who did that, so it may have been removed meanwhile. */
function isMintedAgain({ effects }: OracleOp): boolean {
  return effects[0]?.tag === TAG.WAS
}

function yieldsToRemoval({ type, value }: KeyAnswer['states'][number]): boolean {
  return type === 'hll' || (type === 'stream' && [...value].every(([name]) => name === 'group'))
}

/** The earliest deadline of a field. */
function firstDueMs(value: AnsweredValue): number {
  let first = Number.POSITIVE_INFINITY
  for (const one of value) {
    const due = typeof one === 'string' ? undefined : / until ([0-9]+)$/.exec(one[1]!)?.[1]
    if (due !== undefined) first = Math.min(first, Number(due))
  }
  return first
}

function hasSeen(op: OracleOp, other: OracleOp): boolean {
  return op.origin === other.origin ? other.seq < op.seq : other.seq <= (op.deps.get(other.origin) ?? 0)
}

function areConcurrent(a: OracleOp, b: OracleOp): boolean {
  return a !== b && !hasSeen(a, b) && !hasSeen(b, a)
}
