/**
 * machine.ts: a machine of the simulated region: its two clocks, and what keeps its processes from running.
 *
 * Both clocks may run a little apart from true time; the wall clock jumps when it is told to. A machine that sleeps,
 * as a virtual one does when it is moved, does nothing and its monotonic clock stands still; one that stalls
 * does nothing while its clocks go on. What arrives meanwhile is done afterwards.
 */
import type { Timer } from '../../region-node/env.ts'
import type { Prng } from '../harness/prng.ts'
import type { SimClock } from '../harness/sim-clock.ts'

const WALL_START_MS = 1_704_067_200_000
/** Either way. */
const DRIFT_MAX = 0.002

export class Machine {
  readonly #clock: SimClock
  readonly #rate: number
  readonly #startMs: number
  readonly #prng: Prng
  #sleptMs = 0
  #jumpedMs = 0
  #isStill = false
  #isAsleep = false
  #waiting: (() => void)[] = []
  /** Called when the machine goes on, before anything that has waited. */
  awoken: () => void = () => {}

  constructor(clock: SimClock, prng: Prng) {
    this.#clock = clock
    this.#prng = prng
    this.#rate = 1 + (prng.random() * 2 - 1) * DRIFT_MAX
    this.#startMs = prng.below(1e6)
  }

  get isStill(): boolean {
    return this.#isStill
  }

  monoMs(): number {
    return this.#startMs + (this.#clock.nowMs - this.#sleptMs) * this.#rate
  }

  wallMs(): number {
    return Math.floor(WALL_START_MS + this.#clock.nowMs * this.#rate + this.#jumpedMs)
  }

  random(): number {
    return this.#prng.random()
  }

  after(delayMs: number, task: () => void): Timer {
    return this.#clock.after(delayMs / this.#rate, () => this.run(task))
  }

  /** Something has come in from outside. */
  run(task: () => void): void {
    if (this.#isStill) this.#waiting.push(task)
    else task()
  }

  /** Not while the machine sleeps: nothing could tell then that it has slept. */
  jump(ms: number): void {
    if (!this.#isAsleep) this.#jumpedMs += ms
  }

  stall(ms: number): void {
    this.#stop(ms, () => {})
  }

  sleep(ms: number): void {
    if (this.#isStill) return
    this.#isAsleep = true
    this.#stop(ms, () => {
      this.#isAsleep = false
      this.#sleptMs += ms
    })
  }

  #stop(ms: number, awaking: () => void): void {
    if (this.#isStill) return
    this.#isStill = true
    this.#clock.after(ms, () => {
      this.#isStill = false
      awaking()
      this.awoken()
      const waiting = this.#waiting
      this.#waiting = []
      for (const task of waiting) task()
    })
  }
}

/** What dies at once. */
export class Process {
  readonly machine: Machine
  isAlive = true

  constructor(machine: Machine) {
    this.machine = machine
  }

  monoMs = (): number => this.machine.monoMs()
  wallMs = (): number => this.machine.wallMs()
  random = (): number => this.machine.random()

  after = (delayMs: number, task: () => void): Timer => this.machine.after(delayMs, this.#ifAlive(task))

  run(task: () => void): void {
    this.machine.run(this.#ifAlive(task))
  }

  #ifAlive(task: () => void): () => void {
    return () => {
      if (this.isAlive) task()
    }
  }
}
