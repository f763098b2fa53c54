/**
 * copies.ts: which machine holds which ops, and which op nobody holds any more.
 *
 * A write is lost by nobody's fault when the last machine of its region that held it loses it: by a power failure
 * before its fsync, or with its disk. What other regions have of it may well bring it back, but only as far as their
 * primaries have it when its origin is ended. Whether a loss may happen with so many copies is for the judges to say.
 */
import type { NodeCore } from '../../../region-node/core.ts'
import type { Command } from './commands.ts'
import type { Machine } from './machine.ts'

export type Vector = ReadonlyMap<string, number>

interface Holding {
  /** All that it can be counted on to hold, as long as it loses nothing. */
  has: Map<string, number>
  /** Of it, what a power failure does not take. */
  durable: Map<string, number>
  /** All that it ever held. */
  readonly had: Map<string, number>
}

export class Copies {
  readonly #holdings = new Map<Machine, Holding>()

  #of(machine: Machine): Holding {
    let holding = this.#holdings.get(machine)
    if (holding === undefined) {
      holding = { has: new Map(), durable: new Map(), had: new Map() }
      this.#holdings.set(machine, holding)
    }
    return holding
  }

  /** The machine has applied all that its vector says. */
  applied(machine: Machine): void {
    const { has, had } = this.#of(machine)
    join(has, machine.node.vector)
    join(had, machine.node.vector)
  }

  /** The process has ended, and its files are as they were written. */
  ended(machine: Machine, core: NodeCore): void {
    const holding = this.#of(machine)
    this.applied(machine)
    join(holding.has, new Map(core.applied.toWire()))
    join(holding.had, new Map(core.applied.toWire()))
    join(holding.durable, new Map(core.log.durable.toWire()))
  }

  /**
   * The machine has lost everything but this.
   * @param commands  those of which this was a copy are marked
   */
  lost(machine: Machine, rest: 'durable' | 'nothing', commands: Iterable<Command>): void {
    const holding = this.#of(machine)
    if (rest === 'nothing') holding.durable = new Map()
    for (const command of this.#shrink(machine, new Map(holding.durable), commands))
      if (command.region === machine.region) command.isShaken = true
  }

  /**
   * A new process has read the files. What the one before had from others and had not written it never counted for
   * (`KeptWord`), and is gone. What it answered clients for itself it has to have.
   */
  recovered(machine: Machine, commands: readonly Command[]): void {
    const others = commands.filter(({ node }) => node !== machine.name)
    this.#shrink(machine, new Map(machine.node.vector), others)
    this.applied(machine)
  }

  /** The machine holds only this. @returns of `commands` those that it held, marked when it was the last one */
  #shrink(machine: Machine, has: Map<string, number>, commands: Iterable<Command>): Command[] {
    const gone: Command[] = []
    const holding = this.#of(machine)
    const before = holding.has
    holding.has = has
    for (const command of commands) {
      const { dot } = command
      if (dot === undefined || !holds(before, dot) || holds(has, dot)) continue
      const isHeld = [...this.#holdings].some(
        ([{ region }, { has }]) => region === command.region && holds(has, dot),
      )
      if (!isHeld) command.isLost = true
      gone.push(command)
    }
    return gone
  }

  /** The machine has held that op, whatever it lost since. */
  hasHeld(machine: Machine, dot: { readonly origin: string; readonly seq: number }): boolean {
    return holds(this.#of(machine).had, dot)
  }
}

function holds(vector: Vector, { origin, seq }: { readonly origin: string; readonly seq: number }): boolean {
  return (vector.get(origin) ?? 0) >= seq
}

export function join(into: Map<string, number>, from: Vector): void {
  for (const [origin, seq] of from) if (seq > (into.get(origin) ?? 0)) into.set(origin, seq)
}
