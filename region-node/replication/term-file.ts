/**
 * term-file.ts: the highest term a node has heard of, in its data folder: `term.json`.
 *
 * Invariant: durable before anything is done under it, so a node that was restarted refuses what it refused before.
 */
import type { Env } from '../env.ts'
import { StartError } from '../start-error.ts'

export class TermFile {
  readonly #disk: Env['disk']
  readonly #path: string
  #term: number

  /** @throws StartError when the file is damaged */
  constructor(disk: Env['disk'], folder: string) {
    this.#disk = disk
    this.#path = `${folder}/term.json`
    this.#term = this.#read()
  }

  /** 0: the region never had another primary. */
  get term(): number {
    return this.#term
  }

  #read(): number {
    const bytes = this.#disk.readFile(this.#path)
    if (bytes === undefined) return 0
    const term = Number(/^\{"term":(\d{1,15})\}\n$/.exec(String.fromCharCode(...bytes))?.[1])
    if (Number.isSafeInteger(term)) return term
    throw new StartError(
      `${this.#path} is damaged: it says which primary of the region this node may follow. Remove it when you are ` +
        'sure that no node of an earlier primary runs any more.',
    )
  }

  /** A lower one changes nothing. @throws DiskError */
  raise(term: number): void {
    if (term <= this.#term) return
    const text = `{"term":${term}}\n`
    this.#disk.replaceFile(
      this.#path,
      Uint8Array.from(text, (letter) => letter.charCodeAt(0)),
    )
    this.#term = term
  }
}
