/**
 * etcd-members.ts: a real etcd of one member or several, where one is installed, to be used and to be broken.
 *
 * Members listen on the loopback and keep their data in a folder each. Each can be killed and started again, or
 * frozen and thawed, by its own process id.
 *
 * Invariant: every process started here is ended at the latest when this process exits.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** `etcd` can be started here. */
export const etcdIsInstalled = spawnSync('etcd', ['--version']).status === 0

/** A cluster that serves nobody by then has failed. */
const START_MS_MAX = 30_000
const POLL_MS = 20
const ANSWER_MS_MAX = 1000
/** Standard error kept for the failure message, characters. */
const STDERR_KEPT = 16 * 1024

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export interface TlsFiles {
  readonly certificate: string
  readonly key: string
}

interface Member {
  readonly url: string
  readonly words: readonly string[]
  child: ChildProcess | undefined
}

export class EtcdMembers {
  /** The data of member `at` lies below, under `member-<at>`. */
  readonly folder: string
  readonly #members: readonly Member[]
  #stderr = ''

  /** @param ports  two for each member, for clients and for the other members */
  constructor(folder: string, ports: readonly number[], tls?: TlsFiles) {
    this.folder = folder
    this.#members = prepare(folder, ports, tls)
  }

  /** Starts all of them, without waiting until they serve. */
  launchAll(): void {
    for (const at of this.#members.keys()) this.launch(at)
  }

  /** Of all members. */
  get endpoints(): readonly string[] {
    return this.#members.map(({ url }) => url)
  }

  launch(at: number): void {
    const member = this.#members[at]!
    // A group of its own: Ctrl-C in a terminal is for whoever started it, who ends it in order.
    const child = spawn('etcd', member.words, { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
    running.add(child)
    child.stderr.setEncoding('utf8')
    child.stderr.on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT)
    })
    child.once('exit', () => running.delete(child))
    member.child = child
  }

  /** It runs, whatever was done to it. */
  revive(at: number): void {
    if (isRunning(this.#members[at]!.child)) this.thaw(at)
    else this.launch(at)
  }

  /** @returns when the process is gone */
  async kill(at: number): Promise<void> {
    const { child } = this.#members[at]!
    if (!isRunning(child)) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }

  /** It stays connected, and does nothing. */
  freeze(at: number): void {
    this.#members[at]!.child?.kill('SIGSTOP')
  }

  thaw(at: number): void {
    this.#members[at]!.child?.kill('SIGCONT')
  }

  /** Waits until a member that runs answers a linearizable read. */
  async serves(): Promise<void> {
    await this.#eventually('quorum', () => this.#tryAll('/v3/kv/range', { key: 'AA==' }))
  }

  /** Which member leads, as it says itself. */
  leader(): Promise<number> {
    return this.#eventually('leader', async () => {
      for (const [at, { url }] of this.#members.entries()) {
        const status = await tryPost(url, '/v3/maintenance/status', {})
        const { header, leader } = (status ?? {}) as { header?: { member_id: string }; leader?: string }
        if (leader !== undefined && leader === header?.member_id) return at
      }
      return undefined
    })
  }

  /** Asks a member as any other client would. @throws when it refuses */
  async post(path: string, body: object, at = 0): Promise<Record<string, unknown>> {
    const { url } = this.#members[at]!
    const response = await fetch(url + path, { method: 'POST', body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`)
    return (await response.json()) as Record<string, unknown>
  }

  /** Documents under a prefix, as a quorum has them; waits for one, which an election may take seconds to bring. */
  read(prefix: string): Promise<ReadonlyMap<string, string>> {
    const end = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
    const range = { key: toBase64(prefix), range_end: toBase64(end) }
    return this.#eventually('quorum to read from', async () => {
      const answer = (await this.#tryAll('/v3/kv/range', range)) as { kvs?: KeyValue[] } | undefined
      if (answer === undefined) return undefined
      return new Map(answer.kvs?.map(({ key, value }) => [fromBase64(key), fromBase64(value)]))
    })
  }

  /** Kills all of them. */
  async end(): Promise<void> {
    await Promise.all([...this.#members.keys()].map((at) => this.kill(at)))
  }

  /** Of the first member that answers. */
  async #tryAll(path: string, body: object): Promise<unknown> {
    for (const { url } of this.#members) {
      const answer = await tryPost(url, path, body)
      if (answer !== undefined) return answer
    }
    return undefined
  }

  async #eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
    const endMs = Date.now() + START_MS_MAX
    for (;;) {
      const found = await look()
      if (found !== undefined) return found
      if (Date.now() > endMs) throw new Error(`the etcd has no ${what}: ${this.#stderr}`)
      await delay(POLL_MS)
    }
  }
}

function isRunning(child: ChildProcess | undefined): child is ChildProcess {
  return child !== undefined && child.exitCode === null && child.signalCode === null
}

function prepare(folder: string, ports: readonly number[], tls: TlsFiles | undefined): Member[] {
  const scheme = tls === undefined ? 'http' : 'https'
  const places = Array.from({ length: ports.length / 2 }, (_, at) => ({
    name: `member-${at}`,
    url: `${scheme}://127.0.0.1:${ports[2 * at]}`,
    peerUrl: `http://127.0.0.1:${ports[2 * at + 1]}`,
  }))
  const all = places.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',')
  const secrets = tls === undefined ? [] : ['--cert-file', tls.certificate, '--key-file', tls.key]
  return places.map(({ name, url, peerUrl }) => ({
    url,
    words: [
      ...['--name', name, '--data-dir', join(folder, name), '--log-level', 'error'],
      ...['--listen-client-urls', url, '--advertise-client-urls', url],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
      ...['--initial-cluster', all, '--initial-cluster-state', 'new', '--logger', 'zap'],
      ...secrets,
    ],
    child: undefined,
  }))
}

interface KeyValue {
  readonly key: string
  readonly value: string
}

const toBase64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64')
const fromBase64 = (text: string): string => Buffer.from(text, 'base64').toString('latin1')

async function tryPost(url: string, path: string, body: object): Promise<unknown> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS_MAX)
    const response = await fetch(url + path, { method: 'POST', body: JSON.stringify(body), signal })
    return response.ok ? await response.json() : undefined
  } catch {
    return undefined
  }
}
