/**
 * last-will.ts: speaks for a node at once when its process ends, however suddenly: even by kill -9.
 *
 * A lease alone would run on for its whole time while nobody is primary. So a second, small process, the guard
 * (`last-will-guard.ts`), holds the reading end of a pipe. The kernel closes the other end with this process,
 * whatever ended it, and then the guard ends the node's term and its lease (`farewell.ts`). It is told everything through that pipe, and nothing
 * on its command line, where others could read the password.
 *
 * The guard is started while this process is still small, because to start a process takes the longer the more
 * memory the starting one has. It has a session of its own, so that whoever ends the whole group of this process
 * does not end the guard with it. In a container it ends with the container's first process: if that is the node,
 * the lease has to run out.
 *
 * A process that hangs or is frozen keeps its pipe, so the guard does nothing: then, too, the lease has to run out.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { EtcdSettings } from '../coordinator/etcd-gateway.ts'
import type { Lease } from '../coordinator/port.ts'
import type { Env, Timer } from '../env.ts'

/** One line of JSON through the pipe; the last one counts. */
export interface Will extends Testator {
  /** Absent: there is nothing to end. */
  readonly lease?: Lease
}

/** For whom a guard speaks. */
export interface Testator {
  readonly etcd: EtcdSettings
  readonly database: string
  readonly region: string
  readonly partition: number
}

const PROGRAM = fileURLToPath(new URL('./last-will-guard.js', import.meta.url))
/** It waits, and then makes one call: no room for garbage, no compiler, and one thread for V8's own work. */
const FLAGS = ['--max-old-space-size=32', '--max-semi-space-size=1', '--max-lazy', '--v8-pool-size=1']
/** Between the end of a guard that nobody asked for and the start of another one, milliseconds. */
const RESTART_MS = 1000

export class LastWill {
  readonly #testator: Testator
  readonly #env: Pick<Env, 'after'>
  #guard: ChildProcess
  #lease: Lease | undefined
  #restart: Timer | undefined
  #isClosed = false

  constructor(testator: Testator, env: Pick<Env, 'after'>) {
    this.#testator = testator
    this.#env = env
    this.#guard = this.#start()
  }

  /** Of the guard; undefined when it could not be started. */
  get pid(): number | undefined {
    return this.#guard.pid
  }

  /** This lease is to end with this process. It takes the place of the one that was named before. */
  name(lease: Lease): void {
    this.#lease = lease
    this.#tell()
  }

  /** No lease is to end: it was revoked in order, or is to run out. */
  withdraw(): void {
    this.#lease = undefined
    this.#tell()
  }

  /** Withdraws, and ends the guard. */
  close(): void {
    this.withdraw()
    this.#isClosed = true
    this.#restart?.cancel()
    this.#guard.stdin!.end()
  }

  #start(): ChildProcess {
    const guard = spawn(process.execPath, [...FLAGS, PROGRAM], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      // Options that are meant for a node, an inspector's port say, are not meant for its guard.
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    // Neither keeps this process alive.
    guard.unref()
    const pipe = guard.stdin as Socket
    pipe.unref()
    // What a broken pipe means is told by the end of the guard.
    pipe.on('error', () => {})
    const ended = (): void => {
      if (this.#isClosed || guard !== this.#guard) return
      this.#restart?.cancel()
      this.#restart = this.#env.after(RESTART_MS, () => {
        this.#guard = this.#start()
        this.#tell()
      })
    }
    guard.once('exit', ended)
    guard.once('error', ended)
    return guard
  }

  #tell(): void {
    const will: Will = this.#lease === undefined ? this.#testator : { ...this.#testator, lease: this.#lease }
    this.#guard.stdin!.write(`${JSON.stringify(will)}\n`)
  }
}
