/**
 * process-facts.ts: what Linux says about a process: processor time, resident memory, and how long a thread
 * that could have run waited for a core.
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'

/** Ticks per second of /proc/<pid>/stat; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100
/** Places of utime and stime, counted from the field after the program's name. */
const USER_TIME_FIELD = 11
const SYSTEM_TIME_FIELD = 12

/** Seconds of processor time since its start, all threads, in the program and in the system for it. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The name may hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[USER_TIME_FIELD]) + Number(fields[SYSTEM_TIME_FIELD])) / TICKS_PER_SECOND
}

export function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? []
  return Number(kilobytes) * 1024
}

/** Three numbers: nanoseconds on a core, nanoseconds waiting for one, turns. */
const SCHEDSTAT_BYTES_MAX = 64

/** How long the busiest thread of a process has waited for a core. A node runs in one thread. */
export class CoreWait {
  readonly #file: number
  readonly #bytes = Buffer.alloc(SCHEDSTAT_BYTES_MAX)

  /** @param pid  of a process that has done its work in one thread so far */
  constructor(pid: number) {
    const paths = readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}/schedstat`)
    const ranNs = (path: string): number => Number.parseInt(readFileSync(path, 'latin1'), 10)
    const [busiest] = paths.toSorted((a, b) => ranNs(b) - ranNs(a))
    this.#file = openSync(busiest!, 'r')
  }

  /** Milliseconds since the thread began; a wait that is not over is not in it. */
  get totalMs(): number {
    const length = readSync(this.#file, this.#bytes, 0, SCHEDSTAT_BYTES_MAX, 0)
    return Number(this.#bytes.toString('latin1', 0, length).split(' ')[1]) / 1e6
  }

  close(): void {
    closeSync(this.#file)
  }
}
