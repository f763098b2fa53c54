/**
 * region-process.ts: one real node in a process of its own, as a user runs it: `causeway node ...`.
 *
 * It can be stopped (SIGTERM), killed (SIGKILL) and started again on the same ports and folder. What it
 * wrote to standard error is kept for the failure message.
 *
 * Invariants: (1) every process started here is ended at the latest when this process exits. (2) A folder
 * made here is removed by `dispose`, and by nothing else.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePorts } from './free-ports.ts'
import { CAUSEWAY } from './project-root.ts'
import { RespClient } from './resp-client.ts'

/** A node that does not answer by then has failed. */
const START_MS_MAX = 30_000
/** An orderly stop that takes longer has failed. */
const STOP_MS_MAX = 20_000
const POLL_MS = 10
/** Standard error kept, characters. */
const STDERR_KEPT = 64 * 1024

/** What all regions of the tests prove to each other. */
export const SYNC_SECRET = 'of the tests'

export interface PeerOption {
  readonly name: string
  readonly url: string
}

export interface RegionOptions {
  readonly name: string
  readonly id: number
  readonly peers?: readonly PeerOption[]
  /** Further settings by name; they overrule the ones the harness gives. */
  readonly settings?: Readonly<Record<string, string>>
  /** A data folder to share or to keep; a temporary one otherwise. */
  readonly folder?: string
  readonly ports?: RegionPorts
}

export interface RegionPorts {
  readonly port: number
  readonly syncPort: number
  readonly adminPort: number
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) signal(child, 'SIGKILL')
})

export class RegionProcess {
  readonly name: string
  readonly id: number
  readonly folder: string
  readonly ports: RegionPorts
  /** The end of what the node wrote to standard error, over all its runs. */
  stderr = ''
  readonly #ownsFolder: boolean
  #peers: readonly PeerOption[]
  #settings: Readonly<Record<string, string>>
  #child: ChildProcess | undefined
  #ended: Promise<Ended> = Promise.resolve({ code: 0, signal: null })

  private constructor(options: RegionOptions, ports: RegionPorts) {
    this.name = options.name
    this.id = options.id
    this.ports = ports
    this.#ownsFolder = options.folder === undefined
    this.folder = options.folder ?? mkdtempSync(join(tmpdir(), `causeway-${options.name}-`))
    this.#peers = options.peers ?? []
    this.#settings = options.settings ?? {}
  }

  /** Chooses ports and a folder; starts nothing. */
  static async prepare(options: RegionOptions): Promise<RegionProcess> {
    return new RegionProcess(options, options.ports ?? (await freeRegionPorts()))
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get syncUrl(): string {
    return `ws://127.0.0.1:${this.ports.syncPort}`
  }

  /** Takes effect at the next start. */
  configure(settings: Readonly<Record<string, string>>, peers: readonly PeerOption[] = this.#peers): void {
    this.#settings = settings
    this.#peers = peers
  }

  /** Starts the process without waiting for it to serve. @returns how it ends */
  launch(): Promise<Ended> {
    if (this.#child !== undefined) throw new Error(`region ${this.name} runs already`)
    // A group of its own: whatever the command starts is ended with it.
    const child = spawn(process.execPath, [CAUSEWAY, 'node', ...this.#words()], {
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    })
    running.add(child)
    child.stderr!.setEncoding('utf8')
    child.stderr!.on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-STDERR_KEPT)
    })
    this.#child = child
    this.#ended = new Promise((resolve) => {
      child.once('close', (code, signalName) => {
        running.delete(child)
        this.#child = undefined
        resolve({ code, signal: signalName })
      })
    })
    return this.#ended
  }

  #words(): string[] {
    const { port, syncPort, adminPort } = this.ports
    const settings: Record<string, string> = {
      region: this.name,
      'region-id': String(this.id),
      dir: this.folder,
      port: String(port),
      'sync-port': String(syncPort),
      'admin-port': String(adminPort),
      'sync-secret': SYNC_SECRET,
      ...this.#settings,
    }
    const words = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
    for (const { name, url } of this.#peers) words.push('--peer', `${name}@${url}`)
    return words
  }

  /** Starts the node and waits until it answers clients. @throws with its standard error when it does not */
  async start(): Promise<void> {
    const ended = this.launch().then(() => 'ended' as const)
    const deadlineMs = performance.now() + START_MS_MAX
    for (;;) {
      const late = delay(deadlineMs - performance.now(), false, { ref: false })
      const answer = await Promise.race([ended, this.#answers(), late])
      if (answer === true) return
      if (answer === 'ended') throw this.#failure('ended while it started')
      if (performance.now() >= deadlineMs) throw this.#failure(`did not serve within ${START_MS_MAX} ms`)
      await delay(POLL_MS)
    }
  }

  /** Waits until the node takes writes: a new region does once it has met a peer. */
  async takesWrites(): Promise<void> {
    const deadlineMs = performance.now() + START_MS_MAX
    const client = await this.connect()
    try {
      while (!String(await client.command('INFO', 'crdt')).includes('lacking:0')) {
        if (performance.now() > deadlineMs) throw this.#failure(`took no writes within ${START_MS_MAX} ms`)
        await delay(POLL_MS)
      }
    } finally {
      await client.close()
    }
  }

  async #answers(): Promise<boolean> {
    let client: RespClient | undefined
    try {
      client = await RespClient.connect(this.ports.port)
      return (await client.command('PING')) === 'PONG'
    } catch {
      return false
    } finally {
      await client?.close()
    }
  }

  #failure(what: string): Error {
    return new Error(`region ${this.name} ${what}. It wrote:\n${this.stderr.slice(-4000)}`)
  }

  connect(): Promise<RespClient> {
    return RespClient.connect(this.ports.port)
  }

  /** An orderly stop. */
  async stop(): Promise<Ended> {
    const child = this.#child
    if (child === undefined) return this.#ended
    signal(child, 'SIGTERM')
    const ended = await Promise.race([this.#ended, delay(STOP_MS_MAX, undefined, { ref: false })])
    if (ended !== undefined) return ended
    await this.kill()
    throw this.#failure(`did not stop within ${STOP_MS_MAX} ms`)
  }

  /** kill -9. */
  kill(): Promise<Ended> {
    if (this.#child !== undefined) signal(this.#child, 'SIGKILL')
    return this.#ended
  }

  /** The body of a page of the admin server. */
  async page(path: string): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.ports.adminPort}${path}`)
    return response.text()
  }

  /** Ends the process and removes its folder. */
  async dispose(): Promise<void> {
    await this.kill()
    if (this.#ownsFolder) rmSync(this.folder, { recursive: true, force: true })
  }
}

export async function freeRegionPorts(): Promise<RegionPorts> {
  const [port, syncPort, adminPort] = await freePorts(3)
  return { port: port!, syncPort: syncPort!, adminPort: adminPort! }
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, name)
  } catch {
    // It has ended meanwhile.
  }
}
