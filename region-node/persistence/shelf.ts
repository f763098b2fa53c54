/**
 * shelf.ts: the snapshots of this folder as other regions fetch them.
 *
 * A name is made of the position and the moment of making, so it never stands for other bytes. What is
 * leased stays on the disk, and the log behind it, until it is released (`snapshot-store.ts`).
 */
import { DecodeError } from '../../crdt/codec/bytes.ts'
import type { OriginTable } from '../../crdt/origin.ts'
import type { SnapshotLease, SnapshotShelf } from '../../sync/snapshot-ports.ts'
import { DiskError, type Env } from '../env.ts'
import { SnapshotReader } from './snapshot-file.ts'
import type { SnapshotStore, StoredSnapshot } from './snapshot-store.ts'
import type { Snapshotter } from './snapshotter.ts'

export class Shelf implements SnapshotShelf {
  readonly #disk: Env['disk']
  readonly #origins: OriginTable
  readonly #store: SnapshotStore
  readonly #snapshotter: Snapshotter

  constructor(disk: Env['disk'], origins: OriginTable, store: SnapshotStore, snapshotter: Snapshotter) {
    this.#disk = disk
    this.#origins = origins
    this.#store = store
    this.#snapshotter = snapshotter
  }

  get preparedShare(): number {
    return this.#snapshotter.progress
  }

  prepare(done: (failure?: string) => void): void {
    this.#snapshotter.make(done)
  }

  lease(id?: string): SnapshotLease | undefined {
    const stored = id === undefined ? this.#store.newest : this.#store.at(Number.parseInt(id, 16))
    if (stored === undefined) return undefined
    const lease = this.#open(stored)
    if (lease === undefined || id === undefined || lease.id === id) return lease
    lease.release()
    return undefined
  }

  /** One that cannot be read is none: another will be made. */
  #open(stored: StoredSnapshot): SnapshotLease | undefined {
    try {
      const file = this.#disk.open(stored.path)
      const { header } = new SnapshotReader(file, this.#origins)
      const release = this.#store.lease(stored)
      return {
        id: `${stored.position.toString(16)}-${header.createdMs}`,
        vector: header.vector,
        bytes: file.size,
        read: (offset, length) => file.read(offset, length),
        release: () => {
          file.close()
          release()
        },
      }
    } catch (error) {
      if (!(error instanceof DecodeError || error instanceof DiskError)) throw error
      return undefined
    }
  }
}
