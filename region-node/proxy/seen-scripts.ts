/**
 * seen-scripts.ts: the texts of scripts that clients have sent by way of this proxy.
 *
 * A server that ran EVAL knows the script for EVALSHA; with several nodes the second may go to another one. Clients
 * that know nothing of nodes take NOSCRIPT there for an error, so the proxy loads the script beforehand. A text is
 * looked for by its SHA1 only then: EVAL costs a look into a set.
 */
import { sha1Hex } from '../scripts/sha1.ts'

/** Texts kept, characters; beyond it all are forgotten. */
const LENGTH_MAX = 16 * 1024 * 1024

export class SeenScripts {
  readonly #texts = new Set<string>()
  readonly #bySha = new Map<string, string>()
  /** Of them the SHA1 is not known yet. */
  #fresh: string[] = []
  #length = 0
  /** Rises whenever all are forgotten. */
  generation = 0

  saw(text: string): void {
    if (this.#texts.has(text)) return
    this.#texts.add(text)
    this.#fresh.push(text)
    this.#length += text.length
    if (this.#length > LENGTH_MAX) this.forget()
  }

  textOf(sha: string): string | undefined {
    for (const text of this.#fresh) this.#bySha.set(sha1Hex(text), text)
    this.#fresh = []
    return this.#bySha.get(sha.toLowerCase())
  }

  /** SCRIPT FLUSH, or there are too many. */
  forget(): void {
    this.#texts.clear()
    this.#bySha.clear()
    this.#fresh = []
    this.#length = 0
    this.generation++
  }
}
