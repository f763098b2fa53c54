/**
 * sim-disk.ts: a disk that keeps its promises and nothing more.
 *
 * Every file has content and a durable length: what lies behind it was written and not synced. A killed
 * process leaves all content, as the page cache does. A power loss keeps of the unsynced part of each file
 * what it likes: nothing, a prefix, a prefix and then zeros, single pages out of order with zeros between.
 * Calls that `Disk` declares durable are so when they return. Latency, full disks and failing calls are
 * options, drawn from a seed.
 *
 * Invariant: content below the durable length is never lost or changed, but by `truncate`.
 */
import { type Disk, DiskError, type DiskFile } from '../../region-node/env.ts'
import type { Prng } from './prng.ts'
import type { SimClock } from './sim-clock.ts'

export interface DiskFaults {
  /** Duration of a sync or of a write through the pool, milliseconds. */
  readonly syncMsMin: number
  readonly syncMsMax: number
  /** Share of syncs that take `slowSyncMs` instead. */
  readonly slowSyncChance: number
  readonly slowSyncMs: number
  /** Share of syncs that fail. */
  readonly syncErrorChance: number
  /** What survives a power loss survives in pieces of this size, bytes. */
  readonly pageBytes: number
}

interface Content {
  bytes: Uint8Array
  size: number
  durableSize: number
}

/** Paths and bytes. */
export type DiskCopy = ReadonlyMap<string, Uint8Array>

export class SimDisk {
  readonly #files = new Map<string, Content>()
  readonly #clock: SimClock
  readonly #prng: Prng
  readonly #faults: DiskFaults
  /** Every write fails with ENOSPC, half done. */
  isFull = false
  /** Added to each sync and each write through the pool. */
  extraMs = 0
  /** No sync and no write through the pool is ever done, from `stick` to `loosen`. */
  isStuck = false
  #stuck: (() => void)[] = []
  /** How the end of a call reaches the process that made it. */
  deliver: (task: () => void) => void = (task) => task()
  /** Counts the times its files were put back from a copy. */
  #folderId = 1
  #lockedBy = 0
  /** Grows with each crash: what an earlier process began is over. */
  #generation = 0
  /** Syncs and writes through the pool that are not done. */
  #callsUnderWay = 0
  /** Written through the pool and not there yet. */
  readonly #underWay = new Map<Content, Uint8Array>()

  constructor(clock: SimClock, prng: Prng, faults: DiskFaults) {
    this.#clock = clock
    this.#prng = prng
    this.#faults = faults
  }

  /** The process is gone; the machine is not. */
  kill(): void {
    this.#generation++
    this.#lockedBy = 0
    this.#callsUnderWay = 0
    this.#stuck = []
    for (const [content, bytes] of this.#underWay)
      append(content, bytes.subarray(0, this.#prng.between(0, bytes.length)))
    this.#underWay.clear()
  }

  /** The machine is gone, and with it a part of what was not synced. */
  losePower(): void {
    this.kill()
    for (const content of this.#files.values()) this.#loseUnsynced(content)
  }

  #loseUnsynced(content: Content): void {
    const { bytes, size, durableSize } = content
    const unsynced = bytes.slice(durableSize, size)
    const survived = this.#prng.pick([keepNothing, keepPrefix, keepPrefixAndZeros, keepPages])
    const tail = survived(unsynced, this.#prng, this.#faults.pageBytes)
    content.size = durableSize
    append(content, tail)
    content.durableSize = content.size
  }

  /** Files as they are, for a backup. */
  copy(): DiskCopy {
    return new Map([...this.#files].map(([path, content]) => [path, content.bytes.slice(0, content.size)]))
  }

  /** Puts other files in place of what is there: a backup, or nothing on a new disk. No process runs. */
  replaceAll(files: DiskCopy): void {
    this.kill()
    this.#folderId++
    this.#files.clear()
    for (const [path, bytes] of files)
      this.#files.set(path, { bytes: bytes.slice(), size: bytes.length, durableSize: bytes.length })
  }

  /** The disk as a new process sees it. */
  mount(): Disk {
    const generation = ++this.#generation
    const isCurrent = () => generation === this.#generation
    return {
      makeFolder: () => {},
      list: (path) => this.#list(path),
      exists: (path) => this.#files.has(path),
      readFile: (path) => {
        const content = this.#files.get(path)
        return content?.bytes.slice(0, content.size)
      },
      replaceFile: (path, bytes) => {
        if (!isCurrent()) return
        this.#refuseWhenFull(path)
        this.#files.set(path, { bytes: bytes.slice(), size: bytes.length, durableSize: bytes.length })
      },
      removeFile: (path) => {
        if (isCurrent()) this.#files.delete(path)
      },
      removeLater: (path, done) => {
        if (!isCurrent()) return
        this.later(() => {
          this.#files.delete(path)
          done()
        })
      },
      removeFolderLater: (path, done) => {
        if (!isCurrent()) return
        this.later(() => {
          for (const name of this.#list(path)) this.#files.delete(`${path}/${name}`)
          done()
        })
      },
      rename: (from, to) => {
        if (isCurrent()) this.#rename(from, to)
      },
      renameLater: (from, to, done) => {
        if (!isCurrent()) return
        this.#rename(from, to)
        this.later(done)
      },
      openAnew: (path) => {
        const file = new SimFile(this, path, this.#contentOf(path), isCurrent)
        if (file.size > 0) file.truncate(0)
        return file
      },
      open: (path) => new SimFile(this, path, this.#contentOf(path), isCurrent),
      folderId: () => String(this.#folderId),
      lockFolder: () => {
        if (this.#lockedBy !== 0) return { heldBy: this.#lockedBy }
        this.#lockedBy = generation
        return {
          release: () => {
            if (isCurrent()) this.#lockedBy = 0
          },
        }
      },
    }
  }

  #list(folder: string): string[] {
    const names: string[] = []
    for (const path of this.#files.keys())
      if (path.startsWith(`${folder}/`)) names.push(path.slice(folder.length + 1))
    return names.sort()
  }

  #rename(from: string, to: string): void {
    const content = this.#files.get(from)
    if (content === undefined) throw new DiskError('ENOENT', `cannot rename ${from}: no such file`)
    this.#files.set(to, content)
    this.#files.delete(from)
  }

  #contentOf(path: string): Content {
    const known = this.#files.get(path)
    if (known !== undefined) return known
    this.#refuseWhenFull(path)
    const made = { bytes: new Uint8Array(256), size: 0, durableSize: 0 }
    this.#files.set(path, made)
    return made
  }

  #refuseWhenFull(path: string): void {
    if (this.isFull) throw new DiskError('ENOSPC', `cannot write to ${path}: no space left on device`)
  }

  /** For files. */
  write(path: string, content: Content, bytes: Uint8Array): void {
    if (this.isFull) append(content, bytes.subarray(0, this.#prng.between(0, bytes.length)))
    this.#refuseWhenFull(path)
    append(content, bytes)
  }

  begin(content: Content, bytes: Uint8Array): void {
    this.#underWay.set(content, bytes)
  }

  end(content: Content): void {
    this.#underWay.delete(content)
  }

  /** A sync or a write has begun and is not done: the worst moment for a crash. */
  get isBusy(): boolean {
    return this.#callsUnderWay > 0
  }

  later(task: () => void): void {
    const generation = this.#generation
    this.#callsUnderWay++
    const { syncMsMin, syncMsMax, slowSyncChance, slowSyncMs } = this.#faults
    const usualMs = syncMsMin + this.#prng.random() * (syncMsMax - syncMsMin)
    const delayMs = this.#prng.chance(slowSyncChance) ? slowSyncMs : usualMs
    this.#clock.after(delayMs + this.extraMs, () => {
      const end = (): void => {
        if (generation !== this.#generation) return
        this.#callsUnderWay--
        this.deliver(task)
      }
      if (this.isStuck && generation === this.#generation) this.#stuck.push(end)
      else end()
    })
  }

  stick(): void {
    this.isStuck = true
  }

  loosen(): void {
    this.isStuck = false
    const stuck = this.#stuck
    this.#stuck = []
    for (const end of stuck) end()
  }

  syncFails(): boolean {
    return this.#prng.chance(this.#faults.syncErrorChance)
  }
}

class SimFile implements DiskFile {
  readonly #disk: SimDisk
  readonly #path: string
  readonly #content: Content
  /** The process that opened it still lives. */
  readonly #isCurrent: () => boolean
  #busy = false
  #closed = false

  constructor(disk: SimDisk, path: string, content: Content, isCurrent: () => boolean) {
    this.#disk = disk
    this.#path = path
    this.#content = content
    this.#isCurrent = isCurrent
  }

  get size(): number {
    return this.#content.size
  }

  write(bytes: Uint8Array): void {
    this.#check()
    this.#disk.write(this.#path, this.#content, bytes)
  }

  writeLater(bytes: Uint8Array, done: (error?: DiskError) => void): void {
    // A copy: the caller may not change it, but nobody here would notice if it did.
    const copy = bytes.slice()
    this.#disk.begin(this.#content, copy)
    this.#later(done, () => {
      this.#disk.end(this.#content)
      this.#disk.write(this.#path, this.#content, copy)
    })
  }

  sync(done: (error?: DiskError) => void): void {
    const { size } = this.#content
    this.#later(done, () => {
      if (this.#disk.syncFails()) throw new DiskError('EIO', `cannot sync ${this.#path}: input/output error`)
      this.#content.durableSize = Math.max(this.#content.durableSize, size)
    })
  }

  #later(done: (error?: DiskError) => void, task: () => void): void {
    this.#check()
    if (this.#busy) throw new Error(`${this.#path}: a second writeLater or sync before the first was done`)
    this.#busy = true
    this.#disk.later(() => {
      this.#busy = false
      try {
        task()
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        done(error)
        return
      }
      done()
    })
  }

  syncNow(): void {
    this.#check()
    this.#content.durableSize = this.#content.size
  }

  read(offset: number, length: number): Uint8Array {
    const { bytes, size } = this.#content
    return bytes.slice(Math.min(offset, size), Math.min(offset + length, size))
  }

  truncate(size: number): void {
    this.#check()
    this.#content.size = size
    this.#content.durableSize = size
  }

  close(): void {
    this.#closed = true
  }

  #check(): void {
    if (this.#closed) throw new DiskError('EBADF', 'the file is closed')
    if (!this.#isCurrent()) throw new DiskError('EIO', 'the process is gone')
  }
}

function append(content: Content, bytes: Uint8Array): void {
  const size = content.size + bytes.length
  if (size > content.bytes.length) {
    const larger = new Uint8Array(size * 2)
    larger.set(content.bytes.subarray(0, content.size))
    content.bytes = larger
  }
  content.bytes.set(bytes, content.size)
  content.size = size
}

function keepNothing(): Uint8Array {
  return new Uint8Array(0)
}

function keepPrefix(unsynced: Uint8Array, prng: Prng): Uint8Array {
  return unsynced.subarray(0, prng.between(0, unsynced.length))
}

/** The new length reached the disk, the bytes did not. */
function keepPrefixAndZeros(unsynced: Uint8Array, prng: Prng): Uint8Array {
  return unsynced.slice().fill(0, prng.between(0, unsynced.length))
}

function keepPages(unsynced: Uint8Array, prng: Prng, pageBytes: number): Uint8Array {
  const kept = unsynced.slice()
  for (let at = 0; at < kept.length; at += pageBytes) if (prng.chance(0.5)) kept.fill(0, at, at + pageBytes)
  return kept
}
