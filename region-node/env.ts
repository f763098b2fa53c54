/**
 * env.ts: the only door to clock, randomness, timers, memory and disk.
 *
 * Everything else in the project receives an `Env` and knows nothing of where it comes from, so
 * the same log, engine and sync code runs in the server and in the simulator (`test/harness`).
 * Sockets are not here: they are opened in the RESP listener, the WebSocket transport, the admin server, the
 * proxy, the client of the command line and the client of etcd only, each behind a port of its own.
 *
 * Invariants: (1) `monoMs` never goes back; `wallMs` may. (2) A file's `write` is complete when it
 * returns, and durable only when a `sync` begun after it has called back without an error.
 * (3) No callback runs before the call that was given it has returned.
 */

export interface Timer {
  cancel(): void
}

/** What the process holds in memory now, garbage included. */
export interface MemoryReading {
  /** Objects and strings in V8's heap. */
  readonly heapBytes: number
  /** Array buffers and the like, beside the heap. */
  readonly bufferBytes: number
  /** Where V8 ends the process when the heap grows to it. */
  readonly heapBytesMax: number
  /** Memory of the machine, or of the container, as far as the system tells. */
  readonly machineBytes: number
}

export interface Env {
  /** Wall clock, integer milliseconds since the Unix epoch. May jump either way. */
  wallMs(): number
  /** Monotonic clock, milliseconds (may have a fraction) since an arbitrary moment. */
  monoMs(): number
  /** Cryptographically random bytes (in the simulator: seeded). */
  randomBytes(length: number): Uint8Array
  /** A random number in [0, 1). */
  random(): number
  /** Share of the time since the last call, 0 to 1, in which the event loop was not waiting for work. */
  busyShare(): number
  /** Runs `task` once after `delayMs`. Does not keep the process alive. */
  after(delayMs: number, task: () => void): Timer
  /** Runs `task` at the end of this event-loop turn, after the sockets that are ready were read. */
  defer(task: () => void): void
  memory(): MemoryReading
  /**
   * Frees what nothing refers to, before it returns. Stops everything meanwhile: for the young generation some
   * milliseconds, for all about a second for each gigabyte.
   */
  collectGarbage(generations: 'young' | 'all'): void
  readonly disk: Disk
}

/** Failure of a disk call; `code` is the system's word (ENOSPC, EIO, EACCES, ...). */
export class DiskError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.name = 'DiskError'
    this.code = code
  }
}

/** Paths are plain strings, `/`-separated. Every call throws or calls back with a DiskError. */
export interface Disk {
  /** Makes a folder and its parents; no error when it exists. */
  makeFolder(path: string): void
  /** Names (not paths) in a folder, sorted; empty when the folder does not exist. */
  list(path: string): string[]
  exists(path: string): boolean
  /** A small file as a whole, or undefined when it does not exist. */
  readFile(path: string): Uint8Array | undefined
  /** Replaces a small file durably: temporary name, write, fsync, rename, fsync of the folder. */
  replaceFile(path: string, bytes: Uint8Array): void
  /** Removes a file, durably in its folder; no error when it does not exist. */
  removeFile(path: string): void
  /** Same through the thread pool: to unlink a file of some 100 MB takes some 10 ms. Durable some time later. */
  removeLater(path: string, done: (error?: DiskError) => void): void
  /** Removes a folder with all that is in it, through the thread pool; no error when it does not exist. */
  removeFolderLater(path: string, done: (error?: DiskError) => void): void
  /** Gives a closed file another name in its folder, durably; one of that name is replaced. Or a folder that nothing is open in. */
  rename(from: string, to: string): void
  /** Same, but durable only when `done` is called: to sync a folder takes as long as the disk is busy. */
  renameLater(from: string, to: string, done: (error?: DiskError) => void): void
  /** Opens a file for reading and for appending at its end; makes it, durably in its folder, when absent. */
  open(path: string): DiskFile
  /** Opens an empty file in the place of whatever has that name; durable in its folder once it is renamed. */
  openAnew(path: string): DiskFile
  /** Tells a folder from a copy of it: the same text as long as the folder itself stays in place. */
  folderId(path: string): string
  /**
   * Takes the exclusive lock of a folder for this process; it ends with the process, however that ends.
   * @returns a release function, or the process id of the holder when it is taken.
   */
  lockFolder(path: string): { release(): void } | { heldBy: number }
}

export interface DiskFile {
  /** Bytes in the file now. */
  readonly size: number
  /** Appends all of `bytes` before it returns. */
  write(bytes: Uint8Array): void
  /** Appends all of `bytes` through the thread pool. At most one `writeLater` or `sync` at a time. */
  writeLater(bytes: Uint8Array, done: (error?: DiskError) => void): void
  /** Makes everything written so far durable, through the thread pool. */
  sync(done: (error?: DiskError) => void): void
  /** Same, at once. For start and shutdown only. */
  syncNow(): void
  /** Reads up to `length` bytes at `offset`; shorter only at the end of the file. */
  read(offset: number, length: number): Uint8Array
  /** Cuts the file at `size`, durably. */
  truncate(size: number): void
  close(): void
}
