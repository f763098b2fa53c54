/**
 * acl-log.ts: what was refused, newest first: ACL LOG. The same refusal of the same user is one entry with a
 * count, while it comes again within a minute.
 */
import type { Denial } from './permissions.ts'

export type LogReason = Denial['reason'] | 'auth'
/** Where the command came from. */
export type LogContext = 'toplevel' | 'multi' | 'lua'

/** What an entry is told apart by, and who did it. */
export interface Refused {
  readonly reason: LogReason
  readonly context: LogContext
  /** The command, key or channel; AUTH or HELLO for a wrong password. */
  readonly object: string
  readonly username: string
  /** The client, as CLIENT LIST shows it. */
  readonly clientInfo: string
}

export interface LogEntry extends Refused {
  readonly id: number
  readonly count: number
  /** Milliseconds since the Unix epoch. */
  readonly createdMs: number
  readonly updatedMs: number
}

const SAME_WITHIN_MS = 60_000
/** Entries that are looked at for the same. */
const SAME_WITHIN_ENTRIES = 10

export class AclLog {
  #entries: LogEntry[] = []
  #made = 0

  /** Newest first. */
  get entries(): readonly LogEntry[] {
    return this.#entries
  }

  clear(): void {
    this.#entries = []
  }

  /** @param lengthMax  `acllog-max-len` */
  add(refused: Refused, nowMs: number, lengthMax: number): void {
    const at = this.#entries.findIndex((one, i) => i < SAME_WITHIN_ENTRIES && isSame(one, refused, nowMs))
    const known = this.#entries[at]
    if (known === undefined) {
      this.#entries.unshift({ ...refused, id: this.#made++, count: 1, createdMs: nowMs, updatedMs: nowMs })
    } else {
      this.#entries.splice(at, 1)
      const { clientInfo } = refused
      this.#entries.unshift({ ...known, clientInfo, count: known.count + 1, updatedMs: nowMs })
    }
    if (this.#entries.length > lengthMax) this.#entries.length = lengthMax
  }
}

function isSame(a: LogEntry, b: Refused, nowMs: number): boolean {
  return (
    a.reason === b.reason &&
    a.context === b.context &&
    a.object === b.object &&
    a.username === b.username &&
    nowMs - a.updatedMs <= SAME_WITHIN_MS
  )
}
