/**
 * sums-read.ts: with synchronous replication a read of a primary shows what its region had acknowledged before the
 * read was sent, whoever was primary then; but for what a node lost
 * with its power: if the others are lost as well before it has that again, it may be promoted without it.
 */
import { Finding } from '../../checker.ts'
import { type Command, isAcknowledged } from '../commands.ts'
import type { Judge, World } from '../judge.ts'

export class SumsRead implements Judge {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  answered(command: Command): void {
    const { ask, reply, sentMs, region, node } = command
    if (this.#world.options.ackMode === 'async' || ask.kind !== 'sum' || !isAcknowledged(command)) return
    let least = 0
    for (const other of this.#world.commands) {
      if (other.ask.kind !== 'increment' || other.ask.key !== ask.key || other.region !== region) continue
      if (isAcknowledged(other) && !other.isShaken && other.answeredMs! < sentMs) least += other.ask.amount
    }
    if (Number(reply ?? 0) < least) {
      throw new Finding(
        'sums read',
        `${node} says that ${ask.key} is ${reply}, and ${least} was acknowledged before in region ${region}`,
      )
    }
  }
}
