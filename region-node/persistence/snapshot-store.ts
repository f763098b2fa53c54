/**
 * snapshot-store.ts: the snapshots in a data folder: which there are, which are kept, which must stay.
 *
 * Two are kept: the newest, and the one before it for the day on which the newest is found damaged. The log
 * is kept from the older one on, so either is enough. One that is being read (sent to another region) stays,
 * and the log behind it, until its lease is released.
 *
 * Invariant: a name ending in `.snapshot` is a file that was whole and durable when it got it, and the log
 * up to its position was durable too.
 */
import type { DiskError, Env } from '../env.ts'
import { snapshotName, snapshotPosition } from './snapshot-file.ts'

const KEPT = 2
/** A snapshot that is being written. */
const UNFINISHED_NAME = 'new.snapshot.part'
/** One that a snapshot from another region took the place of, until it is removed. */
const REPLACED_SUFFIX = '.replaced'

export interface StoredSnapshot {
  readonly path: string
  /** Where in the local log to go on from it. */
  readonly position: number
  readonly bytes: number
}

export class SnapshotStore {
  readonly #disk: Env['disk']
  readonly #folder: string
  readonly #warn: (sentence: string) => void
  /** Newest first. */
  #snapshots: StoredSnapshot[] = []
  readonly #leases = new Map<string, number>()

  constructor(disk: Env['disk'], folder: string, warn: (sentence: string) => void) {
    this.#disk = disk
    this.#folder = folder
    this.#warn = warn
  }

  /** @param snapshots  those that recovery found, newest first; what an earlier run left unfinished goes */
  open(snapshots: readonly StoredSnapshot[]): void {
    this.#snapshots = [...snapshots]
    this.#disk.removeFile(this.unfinishedPath)
    for (const name of this.#disk.list(this.#folder))
      if (name.endsWith(REPLACED_SUFFIX)) this.#remove(`${this.#folder}/${name}`)
    this.#prune()
  }

  get newest(): StoredSnapshot | undefined {
    return this.#snapshots[0]
  }

  /** The one that stands at `position`. */
  at(position: number): StoredSnapshot | undefined {
    return this.#snapshots.find((one) => one.position === position)
  }

  /** The log from here on must stay; 0 while there are not two snapshots to fall back on. */
  get logNeededFrom(): number {
    if (this.#snapshots.length < KEPT) return 0
    return this.#snapshots.reduce(
      (lowest, { position }) => Math.min(lowest, position),
      Number.POSITIVE_INFINITY,
    )
  }

  /** Where the next one is written until it is whole. */
  get unfinishedPath(): string {
    return `${this.#folder}/${UNFINISHED_NAME}`
  }

  /**
   * A file is whole and durable, the log is durable up to `position`: makes it a snapshot.
   * @param done  it is one durably, and what it makes superfluous goes
   * @throws DiskError
   */
  add(from: string, position: number, bytes: number, done: (error?: DiskError) => void): void {
    const path = `${this.#folder}/${snapshotName(position)}`
    this.#disk.renameLater(from, path, (error) => {
      if (error === undefined) this.#prune()
      done(error)
    })
    this.#snapshots = [{ path, position, bytes }, ...this.#snapshots.filter((one) => one.path !== path)]
  }

  /**
   * A file received from another region, whole and durable, takes the place of all: the log does not lead
   * on from the others, and some of them may have later names. All is durable when it returns.
   * @throws DiskError
   */
  adopt(from: string, position: number, bytes: number): void {
    const path = `${this.#folder}/${snapshotName(position)}`
    this.#disk.rename(from, path)
    for (const other of this.#snapshots) {
      if (other.path === path) continue
      // Renamed first, which is quick and durable: to unlink a large file takes long.
      const replaced = other.path + REPLACED_SUFFIX
      this.#disk.rename(other.path, replaced)
      this.#remove(replaced)
    }
    this.#snapshots = [{ path, position, bytes }]
  }

  /** Keeps the file, and the log behind it, until the function it returns is called. */
  lease({ path }: StoredSnapshot): () => void {
    this.#leases.set(path, (this.#leases.get(path) ?? 0) + 1)
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      const left = this.#leases.get(path)! - 1
      if (left > 0) {
        this.#leases.set(path, left)
      } else {
        this.#leases.delete(path)
        this.#prune()
      }
    }
  }

  #prune(): void {
    const kept: StoredSnapshot[] = []
    for (const [i, snapshot] of this.#snapshots.entries()) {
      if (i < KEPT || this.#leases.has(snapshot.path)) kept.push(snapshot)
      else this.#remove(snapshot.path)
    }
    this.#snapshots = kept
  }

  #remove(path: string): void {
    this.#disk.removeLater(path, (error?: DiskError) => {
      if (error !== undefined) this.#warn(`${path} is not needed any more, but stays: ${error.message}`)
    })
  }
}

/** Snapshots by name in a folder, newest first. */
export function listSnapshots(disk: Env['disk'], folder: string): { path: string; position: number }[] {
  const found: { path: string; position: number }[] = []
  for (const name of disk.list(folder)) {
    const position = snapshotPosition(name)
    if (position !== undefined) found.push({ path: `${folder}/${name}`, position })
  }
  return found.sort((a, b) => b.position - a.position)
}
