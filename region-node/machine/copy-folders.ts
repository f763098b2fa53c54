/**
 * copy-folders.ts: the folders of the copies of one machine, under one folder that the machine alone uses.
 *
 *   <folder>/partition-<p>         a node's `dir`
 *   <folder>/discarded-<nodeId>    on its way to be removed
 *
 * A copy is given another name before anything of it is removed: a node must never begin with half of a copy, because
 * it would take itself for the one that had all of it. What a crash has left under the other name is removed at the
 * next start.
 */
import { type Disk, DiskError } from '../env.ts'
import { nodeIdOf } from '../persistence/identity.ts'
import type { Folders } from './children.ts'

const COPY = /^partition-(\d+)$/
const DISCARDED = 'discarded-'

export class CopyFolders implements Folders {
  readonly #disk: Disk
  readonly #folder: string
  readonly #report: (sentence: string) => void

  /** @param report  for the log @throws DiskError */
  constructor(disk: Disk, folder: string, report: (sentence: string) => void) {
    this.#disk = disk
    this.#folder = folder
    this.#report = report
    for (const name of disk.list(folder)) if (name.startsWith(DISCARDED)) this.#remove(`${folder}/${name}`)
  }

  get partitions(): readonly number[] {
    return this.#disk.list(this.#folder).flatMap((name) => {
      const [, partition] = COPY.exec(name) ?? []
      return partition === undefined ? [] : [Number(partition)]
    })
  }

  pathOf(partition: number): string {
    return `${this.#folder}/partition-${partition}`
  }

  nodeIdIn(partition: number): string {
    return nodeIdOf(this.#disk, this.pathOf(partition))
  }

  discard(partition: number): string | undefined {
    const path = this.pathOf(partition)
    const aside = `${this.#folder}/${DISCARDED}${this.nodeIdIn(partition)}`
    try {
      const lock = this.#disk.lockFolder(path)
      // Of a former life of this machine, and still on its way to its end.
      if ('heldBy' in lock) return `process ${lock.heldBy} uses ${path}`
      this.#disk.rename(path, aside)
      lock.release()
    } catch (error) {
      if (error instanceof DiskError) return error.message
      throw error
    }
    this.#remove(aside)
    return undefined
  }

  #remove(path: string): void {
    this.#disk.removeFolderLater(path, (error) => {
      if (error !== undefined) this.#report(`${error.message}; it is tried again when this machine starts`)
    })
  }
}
