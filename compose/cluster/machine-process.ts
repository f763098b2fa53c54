/**
 * machine-process.ts: one machine of a region as processes of this one: `causeway machine` and the nodes it runs.
 *
 * They stand in a group of their own, as on a machine of their own: `lose` ends all of them at one moment, and with them
 * the guards that would speak for the nodes.
 *
 * Invariant: no process of it outlives the one who started it, unless that one is killed itself: the nodes end with
 * their machine.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CAUSEWAY } from '../project-root.ts'

/** An orderly stop that takes longer is none. */
const STOP_MS_MAX = 30_000

export interface MachinePlan {
  readonly name: string
  readonly zone: string
  /** Where its nodes listen: partition p at `firstPort` + p. */
  readonly host: string
  readonly firstPort: number
  /** Holds its data and its log. */
  readonly folder: string
  /** Further words behind `causeway machine`. */
  readonly words: readonly string[]
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) killAll([child.pid!, ...descendantsOf(child.pid!)])
})

export class MachineProcess {
  readonly plan: MachinePlan
  #child: ChildProcess | undefined

  constructor(plan: MachinePlan) {
    this.plan = plan
  }

  get name(): string {
    return this.plan.name
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Of `causeway machine`, its nodes and their guards. */
  get pids(): readonly number[] {
    const pid = this.#child?.pid
    return pid === undefined || !this.isRunning ? [] : [pid, ...descendantsOf(pid)]
  }

  /** Where the copy of a partition is. */
  folderOf(partition: number): string {
    return join(this.plan.folder, this.name, `partition-${partition}`)
  }

  get logFile(): string {
    return join(this.plan.folder, `${this.name}.log`)
  }

  /** Starts it, without waiting for anything. */
  launch(): void {
    const { name, zone, host, firstPort, folder, words } = this.plan
    const own = { name, zone, bind: host, 'first-port': firstPort, dir: join(folder, name) }
    const options = Object.entries(own).flatMap(([option, value]) => [`--${option}`, String(value)])
    const log = openSync(this.logFile, 'a')
    const child = spawn(process.execPath, [CAUSEWAY, 'machine', ...options, ...words], {
      detached: true,
      stdio: ['ignore', 'ignore', log],
    })
    closeSync(log)
    running.add(child)
    child.once('exit', () => running.delete(child))
    this.#child = child
  }

  /** Ends it in order, its nodes with it. */
  async stop(): Promise<void> {
    if (!this.isRunning) return
    const timer = setTimeout(() => killAll(this.pids), STOP_MS_MAX)
    await this.#gone(() => this.#child!.kill('SIGTERM'))
    clearTimeout(timer)
  }

  /** As a loss of power: everything of it ends at once, and nobody says so. */
  async lose(): Promise<void> {
    if (this.isRunning) await this.#gone(() => killAll(this.pids))
  }

  /** Its own process dies, and nothing else: its nodes end in order by themselves. */
  async crash(): Promise<void> {
    if (this.isRunning) await this.#gone(() => this.#child!.kill('SIGKILL'))
  }

  async #gone(end: () => void): Promise<void> {
    const gone = new Promise((resolve) => this.#child!.once('exit', resolve))
    end()
    await gone
  }
}

/** Standing still first, so that none of them sees another one die. */
function killAll(pids: readonly number[]): void {
  for (const signal of ['SIGSTOP', 'SIGKILL'] as const)
    for (const pid of pids)
      try {
        process.kill(pid, signal)
      } catch {
        // It has ended by itself meanwhile.
      }
}

/** Processes that this one has started, and that those have. */
function descendantsOf(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((other) => parentOf(other) === pid)
  return children.flatMap((child) => [child, ...descendantsOf(child)])
}

/** Of the words of /proc/<pid>/stat the fourth; the second, the program's name, may hold spaces. */
function parentOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined
  }
}
