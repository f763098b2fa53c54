/**
 * loading.ts: the data folder is read in slices of time, so that a node that recovers can say so.
 *
 * Between two slices sockets are served: clients get LOADING, INFO and the admin server say how far it is.
 * The slices are long, because nobody is kept waiting but those who ask for that.
 *
 * Progress counts bytes of the phase that is under way (a snapshot is checked, then loaded, then the log
 * behind it replayed); the estimate of what is left is for this phase.
 *
 * Invariant: a step that throws ends it; no step runs after that, or after `cancel`.
 */
import type { Env } from './env.ts'
import type { RecoveryProgress } from './persistence/recovery.ts'

/** A slice ends with the first step that is over after this. */
const SLICE_MS = 50
/** The log says how far it is this often. */
const REPORT_MS = 5000

export interface LoadingPorts {
  readonly env: Pick<Env, 'defer' | 'monoMs' | 'wallMs'>
  readonly report: (sentence: string) => void
}

export class Loading {
  readonly #ports: LoadingPorts
  /** Wall clock, milliseconds since the Unix epoch. */
  readonly startedWallMs: number
  #progress: RecoveryProgress = { phase: 'checking', bytesDone: 0, bytesTotal: 0 }
  #phaseStartMs: number
  #reportedMs: number
  #isCancelled = false

  constructor(ports: LoadingPorts) {
    this.#ports = ports
    this.startedWallMs = ports.env.wallMs()
    this.#phaseStartMs = ports.env.monoMs()
    this.#reportedMs = this.#phaseStartMs
  }

  get progress(): RecoveryProgress {
    return this.#progress
  }

  /** Of the phase, 0 to 100. */
  get percent(): number {
    const { bytesDone, bytesTotal } = this.#progress
    return bytesTotal === 0 ? 0 : (bytesDone / bytesTotal) * 100
  }

  /** Until the end of the phase if it goes on as until now; 1 before anything can be said, as in Redis. */
  get etaSeconds(): number {
    const { bytesDone, bytesTotal } = this.#progress
    const elapsedS = Math.floor((this.#ports.env.monoMs() - this.#phaseStartMs) / 1000)
    return elapsedS === 0 ? 1 : Math.floor((elapsedS * (bytesTotal - bytesDone)) / (bytesDone + 1))
  }

  /** In words, for people: `loading the snapshot, 42.0 %`. */
  get sentence(): string {
    return `${PHASES[this.#progress.phase]}, ${this.percent.toFixed(1)} %`
  }

  /**
   * Runs all steps, a slice per turn of the event loop.
   * @returns whether it came to the end: false after `cancel`. Rejects with what a step throws
   */
  run(steps: Iterator<RecoveryProgress, unknown>): Promise<boolean> {
    const { env } = this.#ports
    return new Promise((resolve, reject) => {
      const slice = (): void => {
        try {
          if (this.#isCancelled) resolve(false)
          else if (this.#runSlice(steps)) resolve(true)
          else env.defer(slice)
        } catch (error) {
          reject(error)
        }
      }
      env.defer(slice)
    })
  }

  /** Ends it before the next slice. */
  cancel(): void {
    this.#isCancelled = true
  }

  /** @returns whether all steps are done */
  #runSlice(steps: Iterator<RecoveryProgress, unknown>): boolean {
    const { env } = this.#ports
    const endMs = env.monoMs() + SLICE_MS
    do {
      const step = steps.next()
      if (step.done === true) return true
      this.#note(step.value)
    } while (env.monoMs() < endMs)
    return false
  }

  #note(progress: RecoveryProgress): void {
    const nowMs = this.#ports.env.monoMs()
    if (progress.phase !== this.#progress.phase) this.#phaseStartMs = nowMs
    this.#progress = progress
    if (nowMs - this.#reportedMs < REPORT_MS) return
    this.#reportedMs = nowMs
    this.#ports.report(this.sentence)
  }
}

const PHASES: Readonly<Record<RecoveryProgress['phase'], string>> = {
  checking: 'checking the snapshot',
  loading: 'loading the snapshot',
  replaying: 'replaying the log',
}
