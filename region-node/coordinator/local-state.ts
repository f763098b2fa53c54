/**
 * local-state.ts: the folder in which the processes of one machine keep what they agree on.
 *
 *   state.json       a line with the format and a checksum, a line with everything that is stored
 *   leases/<id>      until when a lease lasts, wall clock, milliseconds: the last line counts
 *   commits/         its lock (`Disk.lockFolder`) is held by whoever changes state.json
 *
 * To take the lock starts a process, and to start one stalls a large process for long: 5 ms when it is small,
 * 65 ms with a gigabyte of memory. Commits are rare, renewals are not, so a renewal takes no lock and syncs
 * nothing. It appends a line, and then looks at the clock: if the lease was not over by then, whoever read the
 * line before found it running, and everybody later reads the new one. Otherwise the lock has to decide.
 *
 * Invariants: (1) state.json is replaced as a whole, and only under the lock. (2) A lease that state.json does not
 * name is gone, whatever its file says.
 */
import { crc32c } from '../../crdt/codec/crc32c.ts'
import type { Env } from '../env.ts'
import { DocumentStore, type StoredLease, type StoreImage } from './document-store.ts'

export type LocalEnv = Pick<Env, 'wallMs' | 'monoMs' | 'after' | 'random' | 'randomBytes' | 'disk'>

const FORMAT = 'causeway coordinator 1'
/** The last whole line; a disk that was full may have taken a part of the next one. */
const LAST_MOMENT = /(\d{13})\n\d*$/
/** A lease's file is begun anew when it is so long: after some 300 renewals. */
const LEASE_FILE_BYTES_MAX = 4096

const NOTHING = new DocumentStore().image

/** state.json is not what this program wrote. */
export class StateDamagedError extends Error {
  constructor(path: string) {
    super(`${path} is damaged. Put it back from a backup, or remove it while no node that uses it runs.`)
    this.name = 'StateDamagedError'
  }
}

export class LocalState {
  readonly #env: LocalEnv
  readonly #path: string
  readonly #leases: string
  readonly #commits: string
  /** The last that was read, and what it says. */
  #bytes: Uint8Array | undefined
  #image: StoreImage = NOTHING

  /** @throws DiskError when the folder cannot be made */
  constructor(env: LocalEnv, folder: string) {
    this.#env = env
    this.#path = `${folder}/state.json`
    this.#leases = `${folder}/leases`
    this.#commits = `${folder}/commits`
    env.disk.makeFolder(this.#leases)
    env.disk.makeFolder(this.#commits)
  }

  /** What is stored now. @throws DiskError, StateDamagedError */
  load(): DocumentStore {
    const image = this.#read()
    const leases = image.leases.map((lease) => ({ ...lease, endsMs: this.#endOf(lease) }))
    return new DocumentStore({ ...image, leases })
  }

  /**
   * Changes what is stored, durably.
   * @returns undefined when another process is about to change it
   * @throws DiskError, StateDamagedError
   */
  change<Result>(
    task: (store: DocumentStore, nowMs: number) => Result,
  ): { readonly result: Result } | undefined {
    const lock = this.#env.disk.lockFolder(this.#commits)
    if ('heldBy' in lock) return undefined
    try {
      const store = this.load()
      const before = store.image
      const nowMs = this.#env.wallMs()
      store.expire(nowMs)
      const result = task(store, nowMs)
      this.#save(before, store.image)
      return { result }
    } finally {
      lock.release()
    }
  }

  /**
   * Makes a lease last its whole time from now on, without the lock.
   * @returns undefined when only `change` can tell whether it is gone
   * @throws DiskError, StateDamagedError
   */
  extend(id: string): boolean | undefined {
    const lease = this.#read().leases.find((one) => one.id === id)
    if (lease === undefined) return false
    const endsMs = this.#endOf(lease)
    if (this.#env.wallMs() >= endsMs) return undefined
    this.#setEnd(id, this.#env.wallMs() + lease.ttlMs)
    return this.#env.wallMs() < endsMs ? true : undefined
  }

  #read(): StoreImage {
    const bytes = this.#env.disk.readFile(this.#path)
    if (bytes === undefined) return NOTHING
    if (this.#bytes !== undefined && Buffer.compare(bytes, this.#bytes) === 0) return this.#image
    const start = bytes.indexOf('\n'.charCodeAt(0)) + 1
    const body = bytes.subarray(start)
    if (asciiOf(bytes.subarray(0, start)) !== headOf(body)) throw new StateDamagedError(this.#path)
    this.#image = JSON.parse(new TextDecoder().decode(body)) as StoreImage
    this.#bytes = bytes
    return this.#image
  }

  #save(before: StoreImage, after: StoreImage): void {
    const text = JSON.stringify(after)
    if (text === JSON.stringify(before)) return
    const body = new TextEncoder().encode(text)
    const head = new TextEncoder().encode(headOf(body))
    const bytes = new Uint8Array(head.length + body.length)
    bytes.set(head)
    bytes.set(body, head.length)
    this.#env.disk.replaceFile(this.#path, bytes)

    for (const { id, endsMs } of after.leases) {
      const known = before.leases.find((lease) => lease.id === id)
      if (known !== undefined && known.endsMs !== endsMs) this.#setEnd(id, endsMs)
    }
    for (const id of this.#env.disk.list(this.#leases))
      if (!after.leases.some((lease) => lease.id === id)) this.#env.disk.removeFile(`${this.#leases}/${id}`)
  }

  #endOf({ id, endsMs }: StoredLease): number {
    const bytes = this.#env.disk.readFile(`${this.#leases}/${id}`)
    const [, moment] = LAST_MOMENT.exec(asciiOf(bytes ?? new Uint8Array(0))) ?? []
    return moment === undefined ? endsMs : Number(moment)
  }

  #setEnd(id: string, endsMs: number): void {
    const path = `${this.#leases}/${id}`
    const line = new TextEncoder().encode(`${endsMs}\n`)
    const file = this.#env.disk.open(path)
    try {
      if (file.size < LEASE_FILE_BYTES_MAX) file.write(line)
      else this.#env.disk.replaceFile(path, line)
    } finally {
      file.close()
    }
  }
}

function asciiOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

function headOf(body: Uint8Array): string {
  return `${FORMAT} ${crc32c(body, 0, body.length).toString(16).padStart(8, '0')}\n`
}
