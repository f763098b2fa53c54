/**
 * acl-file.ts: the users of a node in a file: what ACL LOAD and ACL SAVE do, and the start of a node.
 */
import type { Latin1 } from '../../crdt/codec/bytes.ts'
import { type Disk, DiskError } from '../env.ts'
import { CommandError, commandError, errors } from '../errors.ts'
import { StartError } from '../start-error.ts'
import type { AccessControl } from './access-control.ts'

export class AclFile {
  readonly #disk: Disk
  readonly #latin1: Latin1
  readonly #path: () => string
  readonly #access: AccessControl

  /** @param path  `aclfile`; '' for none */
  constructor(disk: Disk, latin1: Latin1, path: () => string, access: AccessControl) {
    this.#disk = disk
    this.#latin1 = latin1
    this.#path = path
    this.#access = access
  }

  get isConfigured(): boolean {
    return this.#path() !== ''
  }

  /** The users of the file take the place of those there are. @throws CommandError, nothing having changed */
  load(): void {
    const path = this.#checkedPath()
    const bytes = this.#guarded(() => this.#disk.readFile(path))
    if (bytes === undefined)
      throw commandError(`ERR the ACL file '${path}' does not exist: make it with ACL SAVE`)
    this.#access.load(this.#latin1.read(bytes, 0, bytes.length))
  }

  /** The same at the start of a node, where a file is configured. @throws StartError */
  loadAtStart(): void {
    if (!this.isConfigured) return
    try {
      this.load()
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      throw new StartError(`${error.line.replace(/^ERR /, '')}. Mend the file, or start without aclfile.`)
    }
  }

  /** @throws CommandError */
  save(): void {
    const path = this.#checkedPath()
    const { text } = this.#access
    const bytes = new Uint8Array(text.length)
    this.#latin1.write(bytes, text, 0)
    this.#guarded(() => this.#disk.replaceFile(path, bytes))
  }

  #checkedPath(): string {
    if (!this.isConfigured) throw errors.noAclFile
    return this.#path()
  }

  #guarded<Result>(work: () => Result): Result {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      throw commandError(`ERR the ACL file cannot be used: ${error.message}`)
    }
  }
}
