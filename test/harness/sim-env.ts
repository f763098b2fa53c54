/**
 * sim-env.ts: what one simulated process sees of the world: virtual time, a wall clock of its own, seeded
 * chance, a simulated disk.
 *
 * A process may be frozen, as by SIGSTOP: whatever reaches it meanwhile, its own timers among it, waits, and runs in
 * quick succession when it goes on. Time goes on all the same.
 *
 * Invariant: once `alive` is false no task of the process runs any more; while it is frozen none does.
 */
import type { Disk, Env, MemoryReading, Timer } from '../../region-node/env.ts'
import type { Prng } from './prng.ts'
import type { SimClock } from './sim-clock.ts'

/** 2024-01-01T00:00:00Z */
const WALL_START_MS = 1_704_067_200_000
/** From a command to the end of its turn: time for other sockets to be read in the same turn. */
const TURN_MS_MAX = 0.3
/** From one task that waited for a frozen process to the next. */
const CATCH_UP_MS = 0.01

interface WaitingTask {
  readonly run: () => void
  readonly isTimer: boolean
}

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

const GIGABYTE = 2 ** 30

/** A machine's memory. What a node of the simulation holds is next to nothing. */
export class SimMemory {
  /** Something else on the machine has taken all of it. */
  isTaken = false

  read(): MemoryReading {
    const bufferBytes = this.isTaken ? 8 * GIGABYTE : 0
    return { heapBytes: 0, bufferBytes, heapBytesMax: 4 * GIGABYTE, machineBytes: 8 * GIGABYTE }
  }
}

export class SimEnv implements Env {
  alive = true
  readonly disk: Disk
  readonly #clock: SimClock
  readonly #wall: SimWallClock
  readonly #prng: Prng
  readonly #memory: SimMemory
  /** What has reached the process since it was frozen; undefined: it runs, and everything runs as it comes. */
  #waiting: WaitingTask[] | undefined
  #catchUp: Timer | undefined

  constructor(clock: SimClock, wall: SimWallClock, prng: Prng, disk: Disk, memory = new SimMemory()) {
    this.#clock = clock
    this.#wall = wall
    this.#prng = prng
    this.disk = disk
    this.#memory = memory
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
    let isCancelled = false
    const run = (): void => {
      if (!isCancelled) task()
    }
    const timer = this.#clock.after(delayMs, () => this.#enter({ run, isTimer: true }))
    return {
      cancel: () => {
        isCancelled = true
        timer.cancel()
      },
    }
  }

  /** Something has reached the process: it runs at once, or once the process is not frozen any more. */
  enter(run: () => void): void {
    this.#enter({ run, isTimer: false })
  }

  #enter(task: WaitingTask): void {
    if (!this.alive) return
    if (this.#waiting === undefined) task.run()
    else this.#waiting.push(task)
  }

  freeze(): void {
    this.#waiting ??= []
    this.#catchUp?.cancel()
  }

  /** After `freeze`. @param first  what an event loop turns to first is a matter of where it was stopped */
  thaw(first: 'timers' | 'input'): void {
    this.#waiting?.sort(
      (a, b) => Number(a.isTimer !== (first === 'timers')) - Number(b.isTimer !== (first === 'timers')),
    )
    this.#runWaiting()
  }

  #runWaiting(): void {
    this.#catchUp = this.#clock.after(CATCH_UP_MS, () => {
      const next = this.#waiting?.shift()
      if (next === undefined) {
        this.#waiting = undefined
        return
      }
      if (this.alive) next.run()
      this.#runWaiting()
    })
  }

  memory(): MemoryReading {
    return this.#memory.read()
  }

  collectGarbage(): void {}

  defer(task: () => void): void {
    this.after(this.#prng.random() * TURN_MS_MAX, task)
  }
}
