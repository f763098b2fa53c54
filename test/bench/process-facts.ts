/**
 * process-facts.ts: what Linux says about a process: processor time and resident memory.
 */
import { readFileSync } from 'node:fs'

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
