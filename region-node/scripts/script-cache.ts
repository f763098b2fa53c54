/**
 * script-cache.ts: the scripts that EVALSHA finds, by the SHA-1 of their source.
 *
 * They are kept by each node for itself, as in Redis, and in memory only: a client that gets NOSCRIPT sends
 * the source. Redis lets the cache grow without end; this one forgets the oldest, because clients exist that
 * write their arguments into the source.
 */
import type { Script, ScriptHost } from './port.ts'
import { readScript } from './shebang.ts'

export const SCRIPTS_MAX = 10_000
/** Bytes of source; compiled they take three to five times as much of the host's memory. */
export const SCRIPT_BYTES_MAX = 4 * 1024 * 1024

export class ScriptCache {
  readonly #bySha = new Map<string, Script>()
  /** EVAL finds its script by the text: to compute its SHA-1 each time would cost as much as a command. */
  readonly #byText = new Map<string, Script>()
  /** Found last by its text: comparing two texts is cheaper than hashing one, which came in new from a client. */
  #last: { readonly text: string; readonly script: Script } | undefined = undefined
  #bytes = 0

  get size(): number {
    return this.#bySha.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** @param sha  in lower case */
  get(sha: string): Script | undefined {
    return this.#bySha.get(sha)
  }

  /**
   * The script of that text, known already or compiled now.
   * @throws CommandError when its shebang says what cannot be
   * @returns what Lua says is wrong with it, when it does not compile
   */
  take(text: string, host: ScriptHost): Script | string {
    if (this.#last?.text === text) return this.#last.script
    const known = this.#byText.get(text)
    if (known !== undefined) {
      this.#last = { text, script: known }
      return known
    }
    const script: Script = { sha: host.sha1(text), ...readScript(text) }
    const complaint = host.compile(script)
    if (complaint !== undefined) return complaint
    this.#bySha.set(script.sha, script)
    this.#byText.set(text, script)
    this.#bytes += text.length
    this.#shrink(host)
    return script
  }

  #shrink(host: ScriptHost): void {
    for (const [text, { sha }] of this.#byText) {
      if (this.size === 1 || (this.size <= SCRIPTS_MAX && this.#bytes <= SCRIPT_BYTES_MAX)) return
      if (this.#last?.text === text) this.#last = undefined
      this.#byText.delete(text)
      this.#bySha.delete(sha)
      this.#bytes -= text.length
      host.forget(sha)
    }
  }

  clear(): void {
    this.#bySha.clear()
    this.#byText.clear()
    this.#last = undefined
    this.#bytes = 0
  }
}
