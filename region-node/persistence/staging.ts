/**
 * staging.ts: the file that a snapshot from another region is put together in, until it is whole.
 *
 * It has a name of its own, `incoming.snapshot.part`, which recovery never looks at; what an earlier run
 * left of one is removed at the start. It becomes a snapshot of this folder by its renaming, when the node
 * switches to it (`adoption.ts`).
 *
 * Invariant: at most one file is staged.
 */
import { DiskError, type DiskFile, type Env } from '../env.ts'

const NAME = 'incoming.snapshot.part'

export class Staging {
  readonly path: string
  readonly #disk: Env['disk']
  #file: DiskFile | undefined

  /** Removes what an earlier run left. @throws DiskError */
  constructor(disk: Env['disk'], folder: string) {
    this.#disk = disk
    this.path = `${folder}/${NAME}`
    disk.removeFile(this.path)
  }

  /** Makes an empty file; one that is there goes. @throws DiskError */
  begin(): void {
    this.close()
    this.#file = this.#disk.openAnew(this.path)
  }

  /** REQUIRES: a file is staged. @throws DiskError */
  append(bytes: Uint8Array): void {
    this.file.write(bytes)
  }

  /** REQUIRES: a file is staged. */
  get file(): DiskFile {
    if (this.#file === undefined) throw new DiskError('ENOENT', `${this.path} is not there`)
    return this.#file
  }

  /** Closes the file and leaves it where it is: it is about to get another name. */
  close(): void {
    this.#file?.close()
    this.#file = undefined
  }

  /** @throws DiskError */
  discard(): void {
    this.close()
    this.#disk.removeFile(this.path)
  }
}
