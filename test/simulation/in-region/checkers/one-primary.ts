/**
 * one-primary.ts: at no moment two nodes of a region answer as its primary (I2).
 *
 * A term has one primary, and once a later term has answered no earlier one does any more. So the answers of two
 * primaries never interleave.
 */
import { Finding } from '../../checker.ts'
import type { Command } from '../commands.ts'
import type { Judge } from '../judge.ts'
import type { Machine } from '../machine.ts'

interface Latest {
  readonly term: number
  readonly by: Machine
}

export class OnePrimary implements Judge {
  readonly #latest = new Map<string, Latest>()

  answered({ region, ran }: Command, machine: Machine): void {
    if (ran?.asPrimary !== true) return
    const { term } = ran
    const latest = this.#latest.get(region)
    if (latest !== undefined && latest.term === term && latest.by !== machine)
      throw new Finding('one primary', `${machine.name} and ${latest.by.name} both answer in term ${term}`)
    if (latest !== undefined && latest.term > term) {
      throw new Finding(
        'one primary',
        `${machine.name} answers in term ${term}, after ${latest.by.name} has answered in term ${latest.term}`,
      )
    }
    this.#latest.set(region, { term, by: machine })
  }
}
