/**
 * region-process.ts: one region as a process of its own: started, stopped, killed, started again.
 *
 * The process stands in a group of its own, so that Ctrl-C in a terminal reaches only the one who started
 * it, who then ends the regions in order. Its log lines go to a file beside its data folder.
 *
 * Invariants: (1) `start` resolves only when the process that it started answers on /ready. (2) After
 * `stop` the process is gone and is not started again. (3) No process outlives the one who started it,
 * unless that one is killed itself.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { MALLOC_ENV } from '../region-node/malloc-env.ts'
import type { RegionPlan } from './plan.ts'
import { CAUSEWAY } from './project-root.ts'

/** Longest time to get ready, recovery included. */
const START_MS_MAX = 30_000
/** Longest time to end in order; then the process is killed. */
const STOP_MS_MAX = 10_000
const POLL_MS = 20

export class RegionProcess {
  readonly plan: RegionPlan
  readonly #nodeFlags: readonly string[]
  readonly #killAtExit = (): void => void this.#child?.kill('SIGKILL')
  #child: ChildProcess | undefined = undefined
  #stopped = false

  /** @param nodeFlags  flags for Node itself */
  constructor(plan: RegionPlan, nodeFlags: readonly string[] = []) {
    this.plan = plan
    this.#nodeFlags = nodeFlags
  }

  get isRunning(): boolean {
    return this.#child !== undefined && !hasEnded(this.#child)
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error(`region ${this.plan.name} is not running`)
    return this.#child.pid
  }

  /** @throws Error with the region's own sentence when it cannot start */
  async start(): Promise<void> {
    const { plan } = this
    if (await isReady(plan)) {
      throw new Error(`port ${plan.adminPort} is in use: does another set of regions run already?`)
    }
    const child = this.#spawn()
    const deadline = performance.now() + START_MS_MAX
    while (!(await isReady(plan))) {
      if (hasEnded(child)) throw new Error(lastWords(plan))
      if (performance.now() > deadline) {
        throw new Error(
          `region ${plan.name} is not ready after ${START_MS_MAX / 1000} s; see ${plan.logFile}`,
        )
      }
      await delay(POLL_MS)
    }
  }

  #spawn(): ChildProcess {
    const { plan } = this
    if (this.#stopped) throw new Error(`region ${plan.name} was stopped`)
    const log = openSync(plan.logFile, 'a')
    const words = [...this.#nodeFlags, CAUSEWAY, 'node', ...plan.words]
    const child = spawn(process.execPath, words, {
      detached: true,
      stdio: ['ignore', 'ignore', log],
      env: { ...MALLOC_ENV, ...process.env },
    })
    closeSync(log)
    this.#child = child
    process.once('exit', this.#killAtExit)
    child.once('exit', () => process.removeListener('exit', this.#killAtExit))
    return child
  }

  /** Ends the process in order. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#end('SIGTERM')
  }

  /** Ends the process as a crash would: nothing of it runs any more. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Nothing of it runs, and its connections stay. */
  freeze(): void {
    this.#child?.kill('SIGSTOP')
  }

  /** It goes on as if nothing had happened. */
  thaw(): void {
    this.#child?.kill('SIGCONT')
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child === undefined || hasEnded(child)) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
    child.kill(signal)
    await ended
    clearTimeout(timer)
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

async function isReady({ bind, adminPort }: RegionPlan): Promise<boolean> {
  try {
    return (await fetch(`http://${bind}:${adminPort}/ready`)).ok
  } catch {
    return false
  }
}

/** The sentence with which a region refused to start. */
function lastWords({ name, logFile }: RegionPlan): string {
  const said = readFileSync(logFile, 'utf8').trimEnd().split('\n').at(-1) ?? ''
  return said.startsWith('causeway: ')
    ? `region ${name} did not start: ${said.slice('causeway: '.length)}`
    : `region ${name} ended by itself; see ${logFile}`
}
