/**
 * held-in-sync.ts: with synchronous replication whatever a client was told is held by every node that may be promoted
 * as it is: at the moment of the answer, by the latest state that the coordinator ever stored (I1).
 */
import { Finding } from '../../checker.ts'
import { type Command, isAcknowledged } from '../commands.ts'
import type { Judge, World } from '../judge.ts'

export class HeldInSync implements Judge {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  answered(command: Command): void {
    const { options, regions, copies } = this.#world
    const { dot, ran, region: name } = command
    if (options.ackMode === 'async' || dot === undefined || !isAcknowledged(command)) return
    const region = regions.find((one) => one.name === name)!
    // A later primary may have put others in sync, which it then sent all it had.
    if (region.latest?.term !== ran?.term) return
    for (const machine of region.inSync) {
      if (copies.hasHeld(machine, dot)) continue
      throw new Finding(
        'held in sync',
        `${command.node} answers for ${dot.origin}:${dot.seq}, and ${machine.name} is in sync without it`,
      )
    }
  }
}
