/**
 * slow-log.ts: the commands that took long, as SLOWLOG shows them.
 *
 * Limits: `slowlog-max-len` entries, each of at most WORDS_MAX words of WORD_BYTES_MAX bytes; what is left
 * out is counted in its place.
 */
import type { Session } from '../commands/session.ts'

const WORDS_MAX = 32
const WORD_BYTES_MAX = 128

export interface SlowCommand {
  readonly id: number
  /** Seconds since the Unix epoch. */
  readonly seconds: number
  readonly micros: number
  readonly words: readonly string[]
  readonly address: string
  readonly clientName: string
}

export class SlowLog {
  /** Oldest first. */
  readonly #entries: SlowCommand[] = []
  #nextId = 0

  get length(): number {
    return this.#entries.length
  }

  add(session: Session, words: readonly string[], micros: number, wallMs: number, lengthMax: number): void {
    this.#entries.push({
      id: this.#nextId++,
      seconds: Math.floor(wallMs / 1000),
      micros: Math.round(micros),
      words: shortened(words),
      address: session.address,
      clientName: session.name,
    })
    const excess = this.#entries.length - lengthMax
    if (excess > 0) this.#entries.splice(0, excess)
  }

  /** Newest first. */
  latest(count: number): SlowCommand[] {
    return this.#entries.slice(Math.max(0, this.#entries.length - count)).reverse()
  }

  reset(): void {
    this.#entries.length = 0
  }
}

function shortened(words: readonly string[]): string[] {
  if (words.length <= WORDS_MAX) return words.map(shortWord)
  const shown = words.slice(0, WORDS_MAX - 1).map(shortWord)
  return [...shown, `... (${words.length - shown.length} more arguments)`]
}

function shortWord(word: string): string {
  if (word.length <= WORD_BYTES_MAX) return word
  // A slice would keep the whole word alive.
  const codes = Array.from({ length: WORD_BYTES_MAX }, (_, i) => word.charCodeAt(i))
  return `${String.fromCharCode(...codes)}... (${word.length - WORD_BYTES_MAX} more bytes)`
}
