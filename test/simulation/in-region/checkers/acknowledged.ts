/**
 * acknowledged.ts: what clients were told holds at the end (I1, I5, I6).
 *
 *   nothing is lost      members, fields and keys that were acknowledged are there; of the values that took each
 *                        other's place the present one is none that was replaced
 *   nothing is doubled   a counter is the sum of what was acknowledged, and of some of what was never answered
 *   nothing comes back   a key that was deleted is gone
 *
 * It looks when all disks are back, so it asks the same of asynchronous replication, with two exceptions. A write
 * whose last copy went with a disk, or with the power before its fsync, cannot be there. And a delete that a former
 * primary acknowledged alone may be dropped, as documented, when its origin was ended without it; so may one, with
 * synchronous replication too, that a node lost with its power before the fsync, if that node is promoted then.
 */
import { observe } from '../../../harness/observe.ts'
import { Finding } from '../../checker.ts'
import { type Command, isAcknowledged, isRefused } from '../commands.ts'
import type { Judge, World } from '../judge.ts'

/** What the database answers at the end, as far as the workload asks. */
interface Reading {
  readonly names: ReadonlyMap<string, ReadonlySet<string>>
  readonly texts: ReadonlyMap<string, string>
}

export class Acknowledged implements Judge {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  settled(): void {
    const reading = this.#read()
    for (const command of this.#world.commands)
      if (isAcknowledged(command) && !command.isLost) this.#judge(command, reading)
    this.#judgeCounters(reading)
  }

  #read(): Reading {
    const names = new Map<string, Set<string>>()
    const texts = new Map<string, string>()
    const { core } = this.#world.regions[0]!.machines[0]!
    for (const [name, { states }] of observe(core!.engine.keyspace)) {
      const key = name.slice(name.indexOf(':') + 1)
      const value = states[0]!.value
      if (typeof value === 'string') texts.set(key, value)
      else
        names.set(
          key,
          new Set((value as readonly unknown[]).map((one) => (Array.isArray(one) ? one[0] : one))),
        )
    }
    return { names, texts }
  }

  #judge(command: Command, { names, texts }: Reading): void {
    const { ask, reply } = command
    switch (ask.kind) {
      case 'member':
      case 'field':
        if (names.get(ask.key)?.has(ask.name) !== true) throw lost(command)
        break
      case 'value':
        // What is there was read by a later write, which took its place.
        if (texts.get(ask.key) === undefined) throw lost(command)
        if (texts.get(ask.key) === reply)
          throw new Finding('acknowledged', `${reply} is back at ${ask.key}: ${ask.name} had replaced it`)
        break
      case 'make':
        if (texts.get(ask.key) === undefined && !this.#mayBeDeleted(ask.key)) throw lost(command)
        break
      case 'delete':
        if (texts.get(ask.key) !== undefined && reply === 1 && this.#counts(command))
          throw new Finding('acknowledged', `${ask.key} was deleted at ${command.node}, and is back`)
        break
    }
  }

  #mayBeDeleted(key: string): boolean {
    return this.#world.commands.some(({ ask }) => ask.kind === 'delete' && ask.key === key)
  }

  /** Under its own dot; and with synchronous replication always, as long as nobody who held it has lost it. */
  #counts({ dot, isShaken }: Command): boolean {
    if (this.#world.options.ackMode !== 'async' && !isShaken) return true
    const { vector } = this.#world.regions[0]!.machines[0]!.node
    return dot !== undefined && (vector.get(dot.origin) ?? 0) >= dot.seq
  }

  #judgeCounters({ texts }: Reading): void {
    const least = new Map<string, number>()
    const most = new Map<string, number>()
    for (const command of this.#world.commands) {
      const { ask } = command
      if (ask.kind !== 'increment' || isRefused(command)) continue
      most.set(ask.key, (most.get(ask.key) ?? 0) + ask.amount)
      if (isAcknowledged(command) && !command.isLost)
        least.set(ask.key, (least.get(ask.key) ?? 0) + ask.amount)
    }
    for (const [key, limit] of most) {
      const sum = Number(texts.get(key) ?? 0)
      const acknowledged = least.get(key) ?? 0
      if (sum < acknowledged || sum > limit) {
        throw new Finding(
          'acknowledged',
          `${key} is ${sum}: ${acknowledged} was acknowledged, and ${limit} was asked for`,
        )
      }
    }
  }
}

function lost({ ask, node, dot, answeredMs }: Command): Finding {
  const name = dot === undefined ? 'no op' : `${dot.origin}:${dot.seq}`
  return new Finding(
    'acknowledged',
    `${JSON.stringify(ask)} (${name}) was acknowledged by ${node} at ${answeredMs?.toFixed(0)} ms, and is lost`,
  )
}
