/**
 * oracle-equality.ts: at any moment a region answers exactly what the oracle says of the ops it has applied.
 */
import { difference, observe } from '../../harness/observe.ts'
import { answerOf } from '../../harness/oracle.ts'
import { type Checker, Finding, type World } from '../checker.ts'

export class OracleEquality implements Checker {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  moment(): void {
    for (const { name, core, vector } of this.#world.nodes) {
      if (core === undefined) continue
      const expected = answerOf(this.#world.ledger.within(vector))
      const wrong = difference(observe(core.engine.keyspace), expected)
      if (wrong !== undefined) throw new Finding('oracle', `${name}: ${wrong}`)
    }
  }

  settled(): void {
    this.moment()
  }
}
