/**
 * cluster-progress.ts: tells how far the moves are that machines carry out, until they are done.
 */
import type { Timer } from '../env.ts'
import { type Stage, stageOf } from './cluster-stages.ts'
import type { CliHost } from './host.ts'
import type { RegionDocuments } from './region-documents.ts'

/** After so long without news it is said what is waited for. */
const SILENCE_MS_MAX = 30_000
/** Partitions that are named then. */
const SHOWN_MAX = 3

/** @returns when all of these partitions are as their placements say; whoever ends the process ends only the telling */
export async function followMoves(
  documents: RegionDocuments,
  host: CliHost,
  partitions: Iterable<number>,
): Promise<void> {
  const telling = new Telling(host, [...partitions])
  host.print('\nwritten; the machines carry it out. Ctrl-C ends only this report.\n')
  try {
    await documents.until((view) => telling.look(telling.partitions.map((one) => stageOf(view, one))))
  } finally {
    telling.end()
  }
  host.print(`done after ${telling.seconds} s\n`)
}

class Telling {
  readonly partitions: readonly number[]
  readonly #host: CliHost
  readonly #startMs: number
  readonly #told = new Map<number, string>()
  #pending: readonly Stage[] = []
  #silence: Timer | undefined

  constructor(host: CliHost, partitions: readonly number[]) {
    this.#host = host
    this.partitions = partitions
    this.#startMs = host.env.monoMs()
    this.#remindLater()
  }

  get seconds(): string {
    return ((this.#host.env.monoMs() - this.#startMs) / 1000).toFixed(1)
  }

  /** @returns true when all are done */
  look(stages: readonly Stage[]): boolean {
    for (const { partition, key, sentence } of stages) {
      if (this.#told.get(partition) === key) continue
      this.#told.set(partition, key)
      this.#print(`partition ${partition}: ${sentence}`)
    }
    this.#pending = stages.filter(({ isDone }) => !isDone)
    return this.#pending.length === 0
  }

  end(): void {
    this.#silence?.cancel()
  }

  #print(sentence: string): void {
    this.#silence?.cancel()
    this.#remindLater()
    this.#host.print(`${this.seconds.padStart(7)} s  ${sentence}\n`)
  }

  #remindLater(): void {
    this.#silence = this.#host.env.after(SILENCE_MS_MAX, () => {
      const shown = this.#pending
        .slice(0, SHOWN_MAX)
        .map((one) => `partition ${one.partition}: ${one.sentence}`)
      const more = this.#pending.length - shown.length
      const rest = more > 0 ? `; and ${more} more` : ''
      this.#print(`still waiting for ${shown.join('; ') || 'the coordinator'}${rest}`)
    })
  }
}
