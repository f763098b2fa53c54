/**
 * weather.ts: what happens to a mesh that is not left in peace: links are cut and healed, nodes are killed.
 *
 * A seed draws it, though what it meets is decided by the real clock.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Prng } from '../harness/prng.ts'
import { REGION_NAMES, type RegionName, type Regions } from '../harness/three-regions.ts'

/** Between two changes of links. */
const CHANGE_MS_MIN = 100
const CHANGE_MS_MAX = 1200

const LINKS: readonly (readonly [RegionName, RegionName])[] = [
  ['A', 'B'],
  ['A', 'C'],
  ['B', 'C'],
]

export class Weather {
  cuts = 0
  kills = 0
  readonly #regions: Regions
  readonly #prng: Prng
  #stopped = false
  /** CRDT.LINK and restarts of one region must not cross. */
  #turn: Promise<void> = Promise.resolve()

  constructor(regions: Regions, prng: Prng) {
    this.#regions = regions
    this.#prng = prng
  }

  /** Runs until `stop`. */
  async run(killEveryMs: number): Promise<void> {
    await Promise.all([this.#changeLinks(), this.#killNodes(killEveryMs)])
  }

  async #changeLinks(): Promise<void> {
    while (!this.#stopped) {
      await delay(this.#prng.between(CHANGE_MS_MIN, CHANGE_MS_MAX))
      if (!this.#stopped) await this.#inTurn(() => this.#changeOne())
    }
  }

  async #changeOne(): Promise<void> {
    const [a, b] = this.#prng.pick(LINKS)
    const state = this.#prng.chance(0.5) ? 'UP' : 'DOWN'
    if (state === 'DOWN') this.cuts++
    if (this.#prng.chance(0.5)) this.#regions.setNetwork(a, b, state)
    else await this.#regions.setLink(a, b, state)
  }

  /** At fixed times, so that a slow restart does not make kills rarer. */
  async #killNodes(everyMs: number): Promise<void> {
    for (let nextMs = performance.now() + everyMs; !this.#stopped; nextMs += everyMs) {
      // In small steps: the last interval of a run is cut short by `stop`.
      while (!this.#stopped && performance.now() < nextMs) await delay(CHANGE_MS_MIN)
      if (this.#stopped) return
      const name = this.#prng.pick(REGION_NAMES)
      await this.#inTurn(() => this.#regions.restart('kill', [name]))
      this.kills++
    }
  }

  #inTurn(task: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(task)
    this.#turn = done.catch(() => {})
    return done
  }

  /** No more faults; what was cut stays cut until `clear`. */
  stop(): void {
    this.#stopped = true
  }

  /** Heals every link. To be called when `run` is over. */
  async clear(): Promise<void> {
    for (const [a, b] of LINKS) this.#regions.setNetwork(a, b, 'UP')
    await this.#regions.heal()
  }
}
