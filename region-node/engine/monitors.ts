/**
 * monitors.ts: the clients that watch all commands, MONITOR.
 *
 * Lines are gathered and handed out once per turn: a client that watches must not make every command of the
 * others pay for a reply.
 */
import type { Session } from '../commands/session.ts'

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '"': '\\"',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\x07': '\\a',
  '\b': '\\b',
}
const UNPRINTABLE = /[^ !#-[\]-~]/g

function quoted(word: string): string {
  const escaped = word.replace(UNPRINTABLE, (char) => {
    return ESCAPES[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
  return `"${escaped}"`
}

export class Monitors {
  readonly #sessions = new Set<Session>()
  #lines = ''

  get isEmpty(): boolean {
    return this.#sessions.size === 0
  }

  add(session: Session): void {
    this.flush()
    session.isMonitor = true
    this.#sessions.add(session)
  }

  remove(session: Session): void {
    this.flush()
    session.isMonitor = false
    this.#sessions.delete(session)
  }

  /** @param wallMs  milliseconds since the Unix epoch */
  feed(session: Session, words: readonly string[], wallMs: number): void {
    const micros = Math.floor(wallMs * 1000)
    const seconds = Math.floor(micros / 1_000_000)
    const fraction = String(micros % 1_000_000).padStart(6, '0')
    this.#lines += `+${seconds}.${fraction} [${session.db} ${session.address}] ${words.map(quoted).join(' ')}\r\n`
  }

  /** Hands out what has been gathered. */
  flush(): void {
    const lines = this.#lines
    if (lines === '') return
    this.#lines = ''
    for (const session of this.#sessions) {
      session.out.raw(lines)
      session.resume()
    }
  }
}
