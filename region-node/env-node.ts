/**
 * env-node.ts: the real environment, made of Node's clock, timers, random source, heap and file system.
 *
 * The only implementation of `Env` that touches the machine; the simulator has another.
 *
 * Durability: a file is fsynced when it is made, cut or replaced, and its folder with it; after that
 * fdatasync is enough for appends, because it also writes the size a reader needs to see them.
 *
 * The lock of a folder must end with its process, however that ends. The kernel has such a lock,
 * flock(2), but Node has no call for it. It belongs to the *open file*, though, and not to a process:
 * flock(1), a part of every common Linux, takes it on a descriptor it inherits from us, and after it
 * has exited the lock is ours until we close the file or die. It sees through containers that share
 * the folder, where both processes may have the pid 1.
 *
 * Where there is no flock(1), the lock is a file that names its holder: pid and start time. A record
 * is stale when no such process lives, or when the pid's process started at another time: it was
 * recycled, or it is our own pid in a restarted container. The file appears with its content in one
 * step (written aside, then hard-linked: exclusive create), so nobody reads half a record. A stale
 * file is moved aside and read again before a new one is linked, so two processes that find the same
 * stale record do not both win; one that has moved a fresh record puts it back.
 * The record is written in either case: it is what the error message of the second process shows.
 *
 * Invariants: those of env.ts. (1) A file is never closed under a thread-pool call that still uses
 * its descriptor. (2) Bytes handed out are plain Uint8Arrays: a Buffer's `slice` would be a view.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Disk, DiskError, type DiskFile, type Env, type Timer } from './env.ts'

/** The longest delay setTimeout takes; it would run anything longer at once. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1
const LOCK_NAME = 'lock'
const FILE_MODE = 0o644
/** Tries to take a lock that changes hands under our eyes. */
const LOCK_ROUNDS_MAX = 10
/** Stands for our start time where the system does not tell it. */
const PROCESS_TOKEN = randomBytes(8).toString('hex')
/** Place of `starttime` in /proc/<pid>/stat, counted from the field after the program's name. */
const START_TIME_FIELD = 19

export function nodeEnv(): Env {
  let lookedAt = performance.eventLoopUtilization()
  return {
    wallMs: () => Date.now(),
    monoMs: () => performance.now(),
    randomBytes: (length) => new Uint8Array(randomBytes(length)),
    random: () => Math.random(),
    busyShare: () => {
      const before = lookedAt
      lookedAt = performance.eventLoopUtilization()
      return performance.eventLoopUtilization(lookedAt, before).utilization
    },
    after: (delayMs, task) => new NodeTimer(delayMs, task),
    defer: (task) => {
      setImmediate(task)
    },
    memory: () => {
      const { used_heap_size, external_memory, heap_size_limit } = getHeapStatistics()
      return {
        heapBytes: used_heap_size,
        bufferBytes: external_memory,
        heapBytesMax: heap_size_limit,
        machineBytes: MACHINE_BYTES,
      }
    },
    collectGarbage: (generations) => {
      collect ??= exposeCollector()
      if (generations === 'young') collect({ type: 'minor' })
      else collect()
    },
    disk: nodeDisk,
  }
}

/** Timers of `Env` let a process end that has nothing else to wait for; this does not. @returns lets it end */
export function keepAwake(): () => void {
  const timer = setInterval(() => {}, TIMEOUT_MS_MAX)
  return () => clearInterval(timer)
}

/** A file of the program itself: what is installed beside it. @throws the system's error */
export function readProgramFile(path: string): Uint8Array {
  return fs.readFileSync(path)
}

const MACHINE_BYTES = machineBytes()

/** A container's limit is 0 or beyond the machine where there is none. */
function machineBytes(): number {
  const limit = process.constrainedMemory()
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}

/** V8 of Node 20 takes any option for a wish to collect the young generation only. */
type Collector = (options?: { type: 'minor' }) => void

let collect: Collector | undefined

/** V8 shows its collector only to contexts that are made after it was told to. */
function exposeCollector(): Collector {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as Collector
}

/** Stands still, and everything of this process with it: for DEBUG SLEEP. */
export function stallThread(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

class NodeTimer implements Timer {
  #handle: NodeJS.Timeout

  constructor(delayMs: number, task: () => void) {
    this.#handle = this.#start(delayMs, task)
  }

  #start(delayMs: number, task: () => void): NodeJS.Timeout {
    const restMs = delayMs - TIMEOUT_MS_MAX
    const handle =
      restMs > 0
        ? setTimeout(() => {
            this.#handle = this.#start(restMs, task)
          }, TIMEOUT_MS_MAX)
        : setTimeout(task, Math.max(0, delayMs))
    return handle.unref()
  }

  cancel(): void {
    clearTimeout(this.#handle)
  }
}

const nodeDisk: Disk = {
  makeFolder(path) {
    attempt(`make the folder ${path}`, () => makeFolder(path))
  },

  list(path) {
    return attempt(`list the folder ${path}`, () => absentAs([], () => fs.readdirSync(path).sort()))
  },

  exists(path) {
    return fs.existsSync(path)
  },

  readFile(path) {
    return attempt(`read ${path}`, () => absentAs(undefined, () => plain(fs.readFileSync(path))))
  },

  replaceFile(path, bytes) {
    attempt(`replace ${path}`, () => {
      const temporary = `${path}.tmp`
      const descriptor = fs.openSync(temporary, 'w')
      try {
        writeAll(descriptor, bytes)
        fs.fsyncSync(descriptor)
      } finally {
        fs.closeSync(descriptor)
      }
      fs.renameSync(temporary, path)
      syncFolder(dirname(path))
    })
  },

  removeFile(path) {
    attempt(`remove ${path}`, () => {
      fs.rmSync(path, { force: true })
      absentAs(undefined, () => syncFolder(dirname(path)))
    })
  },

  removeLater(path, done) {
    fs.rm(path, { force: true }, (error) => {
      if (error === null) done()
      else done(diskError(`remove ${path}`, error))
    })
  },

  removeFolderLater(path, done) {
    fs.rm(path, { force: true, recursive: true }, (error) => {
      if (error === null) done()
      else done(diskError(`remove the folder ${path}`, error))
    })
  },

  rename(from, to) {
    attempt(`rename ${from} to ${to}`, () => {
      fs.renameSync(from, to)
      syncFolder(dirname(to))
    })
  },

  renameLater(from, to, done) {
    const what = `rename ${from} to ${to}`
    attempt(what, () => fs.renameSync(from, to))
    syncFolderLater(dirname(to), (error) => {
      if (error === null) done()
      else done(diskError(what, error))
    })
  },

  open(path) {
    return attempt(`open ${path}`, () => new NodeFile(path, openForAppend(path)))
  },

  openAnew(path) {
    const { O_RDWR, O_APPEND, O_CREAT, O_TRUNC } = fs.constants
    return attempt(`open ${path}`, () => {
      return new NodeFile(path, fs.openSync(path, O_RDWR | O_APPEND | O_CREAT | O_TRUNC, FILE_MODE))
    })
  },

  folderId(path) {
    return attempt(`look at the folder ${path}`, () => String(fs.statSync(path, { bigint: true }).ino))
  },

  lockFolder(path) {
    return attempt(`lock the folder ${path}`, () => lockFolder(path))
  },
}

class NodeFile implements DiskFile {
  readonly #path: string
  readonly #openDescriptor: number
  #size: number
  /** A thread-pool call is under way. */
  #busy = false
  #closed = false

  constructor(path: string, descriptor: number) {
    this.#path = path
    this.#openDescriptor = descriptor
    this.#size = fs.fstatSync(descriptor).size
  }

  get size(): number {
    return this.#size
  }

  write(bytes: Uint8Array): void {
    // Once per event-loop turn, so without the closures of `attempt`. A part that was written before
    // an error is in the file, and counts.
    const descriptor = this.#descriptor
    const end = this.#size + bytes.length
    try {
      while (this.#size < end) {
        const offset = bytes.length - (end - this.#size)
        const written = fs.writeSync(descriptor, bytes, offset, end - this.#size)
        if (written === 0) throw nothingWritten()
        this.#size += written
      }
    } catch (error) {
      throw diskError(`write to ${this.#path}`, error)
    }
  }

  writeLater(bytes: Uint8Array, done: (error?: DiskError) => void): void {
    const descriptor = this.#begin()
    const writeFrom = (offset: number): void => {
      fs.write(descriptor, bytes, offset, bytes.length - offset, null, (error, written) => {
        if (error !== null) return this.#end(`write to ${this.#path}`, error, done)
        this.#size += written
        const next = offset + written
        if (next === bytes.length) return this.#end('', null, done)
        if (written === 0) return this.#end(`write to ${this.#path}`, nothingWritten(), done)
        writeFrom(next)
      })
    }
    writeFrom(0)
  }

  sync(done: (error?: DiskError) => void): void {
    const descriptor = this.#begin()
    fs.fdatasync(descriptor, (error) => this.#end(`sync ${this.#path}`, error, done))
  }

  syncNow(): void {
    attempt(`sync ${this.#path}`, () => fs.fdatasyncSync(this.#descriptor))
  }

  read(offset: number, length: number): Uint8Array {
    return attempt(`read ${this.#path}`, () => {
      const wanted = Math.max(0, Math.min(length, this.#size - offset))
      // Unpooled: what is handed out must not share its memory with other small buffers.
      const bytes = Buffer.allocUnsafeSlow(wanted)
      let filled = 0
      while (filled < wanted) {
        const got = fs.readSync(this.#descriptor, bytes, filled, wanted - filled, offset + filled)
        if (got === 0) break
        filled += got
      }
      return plain(bytes.subarray(0, filled))
    })
  }

  truncate(size: number): void {
    attempt(`cut ${this.#path}`, () => {
      fs.ftruncateSync(this.#descriptor, size)
      this.#size = size
      fs.fsyncSync(this.#descriptor)
    })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    // The kernel may give the number to the next file that is opened: not while the pool writes to it.
    if (!this.#busy) fs.closeSync(this.#openDescriptor)
  }

  /** A closed file's number may be another file's by now: it is never used again. */
  get #descriptor(): number {
    if (this.#closed) throw new DiskError('EBADF', 'the file is closed')
    return this.#openDescriptor
  }

  #begin(): number {
    if (this.#busy) throw new Error(`${this.#path}: a second writeLater or sync before the first was done`)
    const descriptor = this.#descriptor
    this.#busy = true
    return descriptor
  }

  #end(what: string, error: Error | null, done: (error?: DiskError) => void): void {
    this.#busy = false
    if (this.#closed) fs.closeSync(this.#openDescriptor)
    if (error === null) done()
    else done(diskError(what, error))
  }
}

/**
 * Makes a folder below its nearest parent that exists, each durably in its parent. Node's own
 * recursive mkdir does not sync, and never returns where the system refuses with ENOENT (/proc).
 */
function makeFolder(path: string): void {
  if (isFolder(path)) return
  const parent = dirname(path)
  if (parent !== path) makeFolder(parent)
  try {
    fs.mkdirSync(path)
  } catch (error) {
    // Another process makes the same one, that of a coordinator say, at the same moment.
    if (!isFolder(path)) throw error
  }
  syncFolder(parent)
}

function isFolder(path: string): boolean {
  return fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/** Appends need no offset: with O_APPEND each write goes to the end, after a cut as well. */
function openForAppend(path: string): number {
  const { O_RDWR, O_APPEND, O_CREAT, O_EXCL } = fs.constants
  const existing = absentAs(undefined, () => fs.openSync(path, O_RDWR | O_APPEND))
  if (existing !== undefined) return existing
  const descriptor = fs.openSync(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL, FILE_MODE)
  fs.fsyncSync(descriptor)
  syncFolder(dirname(path))
  return descriptor
}

/** One write may take fewer bytes than it was given. */
function writeAll(descriptor: number, bytes: Uint8Array): void {
  let offset = 0
  while (offset < bytes.length) {
    const written = fs.writeSync(descriptor, bytes, offset, bytes.length - offset)
    if (written === 0) throw nothingWritten()
    offset += written
  }
}

function nothingWritten(): Error {
  return new DiskError('EIO', 'the system took no byte of a write')
}

function syncFolder(path: string): void {
  const descriptor = fs.openSync(path, 'r')
  try {
    fs.fsyncSync(descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
}

/** Through the thread pool. */
function syncFolderLater(path: string, done: (error: Error | null) => void): void {
  fs.open(path, 'r', (openError, descriptor) => {
    if (openError !== null) return done(openError)
    fs.fsync(descriptor, (syncError) => {
      fs.close(descriptor, (closeError) => done(syncError ?? closeError))
    })
  })
}

function plain(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return 'EIO'
}

function diskError(what: string, error: unknown): DiskError {
  return new DiskError(codeOf(error), `cannot ${what}: ${error instanceof Error ? error.message : error}`)
}

function attempt<T>(what: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw diskError(what, error)
  }
}

/** `action()`, or `otherwise` when the file or folder it needs does not exist. */
function absentAs<T, U>(otherwise: U, action: () => T): T | U {
  try {
    return action()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return otherwise
    throw error
  }
}

function lockFolder(folder: string): { release(): void } | { heldBy: number } {
  const path = join(folder, LOCK_NAME)
  return lockByKernel(path) ?? lockByRecord(path)
}

/** The lock by flock(1); undefined where there is none to decide it. */
function lockByKernel(path: string): { release(): void } | { heldBy: number } | undefined {
  if (process.platform !== 'linux') return undefined
  const descriptor = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o644)
  const { status } = spawnSync('flock', ['-n', '-x', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', descriptor],
  })
  const record = fs.readFileSync(path, 'latin1')
  // A living process named in a file the kernel gives us holds it by its record: it found no flock(1).
  const holder = status === 0 ? livingHolder(record) : status === 1 ? recordedPid(record) : undefined
  if (status !== 0 || holder !== undefined) {
    fs.closeSync(descriptor)
    return holder === undefined ? undefined : { heldBy: holder }
  }
  fs.ftruncateSync(descriptor, 0)
  fs.writeSync(descriptor, ownRecord(), 0)
  return {
    release() {
      fs.ftruncateSync(descriptor, 0)
      fs.closeSync(descriptor)
    },
  }
}

/** The lock by a record alone. */
export function lockByRecord(path: string): { release(): void } | { heldBy: number } {
  for (let round = 0; round < LOCK_ROUNDS_MAX; round++) {
    const aside = nameAside(path)
    fs.writeFileSync(aside, ownRecord())
    try {
      fs.linkSync(aside, path)
      return { release: () => fs.rmSync(path, { force: true }) }
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    } finally {
      fs.rmSync(aside, { force: true })
    }
    const record = absentAs(undefined, () => fs.readFileSync(path, 'latin1'))
    if (record === undefined) continue
    const holder = livingHolder(record)
    if (holder !== undefined) return { heldBy: holder }
    removeStaleRecord(path, record)
  }
  throw new DiskError('EBUSY', 'other processes keep taking and leaving the lock')
}

function removeStaleRecord(path: string, stale: string): void {
  const moved = nameAside(path)
  try {
    fs.renameSync(path, moved)
    if (fs.readFileSync(moved, 'latin1') !== stale) fs.linkSync(moved, path)
  } catch (error) {
    // Gone, or taken again, by somebody who was faster: the next round sees who.
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'EEXIST') throw error
  }
  fs.rmSync(moved, { force: true })
}

function nameAside(path: string): string {
  return `${path}.${randomBytes(6).toString('hex')}`
}

function ownRecord(): string {
  return `${process.pid} ${startOf(process.pid) ?? PROCESS_TOKEN}\n`
}

/** The pid in a record; 0 when it names none. */
function recordedPid(record: string): number {
  const pid = Number(record.split(' ', 1)[0])
  return Number.isSafeInteger(pid) && pid > 0 ? pid : 0
}

/** The pid that a record names, when that very process still lives. */
function livingHolder(record: string): number | undefined {
  const pid = recordedPid(record)
  if (pid === 0 || !isAlive(pid)) return undefined
  const started = record.trim().split(' ')[1]
  const startedNow = startOf(pid) ?? (pid === process.pid ? PROCESS_TOKEN : started)
  return started === startedNow ? pid : undefined
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

/** When a process started, in clock ticks since the machine did; undefined where there is no /proc. */
function startOf(pid: number): string | undefined {
  const stat = absentAs(undefined, () => fs.readFileSync(`/proc/${pid}/stat`, 'latin1'))
  // The second field, the program's name in brackets, may hold spaces and brackets: count from its end.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[START_TIME_FIELD]
}
