/**
 * sim-env.ts: what one simulated process sees of the world: virtual time, a wall clock of its own, seeded
 * chance, a simulated disk.
 *
 * Invariant: once `alive` is false no task of the process runs any more.
 */
import type { Disk, Env, MemoryReading, Timer } from '../../region-node/env.ts'
import type { Prng } from './prng.ts'
import type { SimClock } from './sim-clock.ts'

/** 2024-01-01T00:00:00Z */
const WALL_START_MS = 1_704_067_200_000
/** From a command to the end of its turn: time for other sockets to be read in the same turn. */
const TURN_MS_MAX = 0.3

/** A machine's wall clock: it may stand apart, run at another speed, and jump. */
export class SimWallClock {
  readonly #clock: SimClock
  readonly #rate: number
  offsetMs: number

  constructor(clock: SimClock, offsetMs: number, rate: number) {
    this.#clock = clock
    this.offsetMs = offsetMs
    this.#rate = rate
  }

  get nowMs(): number {
    return Math.floor(WALL_START_MS + this.#clock.nowMs * this.#rate + this.offsetMs)
  }
}

export class SimEnv implements Env {
  alive = true
  readonly disk: Disk
  readonly #clock: SimClock
  readonly #wall: SimWallClock
  readonly #prng: Prng

  constructor(clock: SimClock, wall: SimWallClock, prng: Prng, disk: Disk) {
    this.#clock = clock
    this.#wall = wall
    this.#prng = prng
    this.disk = disk
  }

  wallMs(): number {
    return this.#wall.nowMs
  }

  monoMs(): number {
    return this.#clock.nowMs
  }

  randomBytes(length: number): Uint8Array {
    return this.#prng.bytes(length)
  }

  random(): number {
    return this.#prng.random()
  }

  /** No virtual time passes while something runs. */
  busyShare(): number {
    return 0
  }

  after(delayMs: number, task: () => void): Timer {
    return this.#clock.after(delayMs, () => {
      if (this.alive) task()
    })
  }

  /** No simulated node runs out of memory. */
  memory(): MemoryReading {
    return { heapBytes: 0, bufferBytes: 0, heapBytesMax: 2 ** 32, machineBytes: 2 ** 33 }
  }

  collectGarbage(): void {}

  defer(task: () => void): void {
    this.after(this.#prng.random() * TURN_MS_MAX, task)
  }
}
