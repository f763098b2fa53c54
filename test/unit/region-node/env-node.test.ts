/**
 * env-node.test.ts: the real disk in a temporary folder, and the lock of a folder, against other
 * processes that live, die, or have our own pid.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DiskError } from '../../../region-node/env.ts'
import { lockByRecord, nodeEnv } from '../../../region-node/env-node.ts'

const env = nodeEnv()
const { disk } = env
let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'causeway-env-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (value: Uint8Array | undefined): string => new TextDecoder().decode(value)

function codeOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    expect(error).toBeInstanceOf(DiskError)
    return (error as DiskError).code
  }
  return 'no error'
}

describe('memory', () => {
  const MB = 2 ** 20
  /** Some 30 MB of small objects. */
  const many = () => Array.from({ length: 400_000 }, (_, i) => ({ name: `object ${i}`, i }))

  it('knows of buffers, the limit of the heap, and the machine', () => {
    const before = env.memory()
    const buffer = new Uint8Array(50 * MB)
    expect(env.memory().bufferBytes - before.bufferBytes).toBeGreaterThanOrEqual(buffer.length)
    expect(before.heapBytesMax).toBeGreaterThan(before.heapBytes)
    expect(before.machineBytes).toBeGreaterThan(before.heapBytes)
  })

  it('collects the garbage of all generations, or only what died young', () => {
    const holder = { objects: many() as unknown[] }
    // Whoever lives through two collections is old.
    env.collectGarbage('young')
    env.collectGarbage('young')
    const full = env.memory().heapBytes
    holder.objects = []
    env.collectGarbage('young')
    expect(full - env.memory().heapBytes).toBeLessThan(10 * MB)
    env.collectGarbage('all')
    expect(full - env.memory().heapBytes).toBeGreaterThan(15 * MB)
  })
})

describe('time and randomness', () => {
  it('tells how busy the event loop was since it was asked last', async () => {
    env.busyShare()
    const untilMs = env.monoMs() + 30
    while (env.monoMs() < untilMs);
    expect(env.busyShare()).toBeGreaterThan(0.5)
    await new Promise<void>((resolve) => setTimeout(resolve, 100))
    expect(env.busyShare()).toBeLessThan(0.9)
  })

  it('tells time, gives random bytes, and defers past this turn', async () => {
    expect(Number.isInteger(env.wallMs())).toBe(true)
    expect(env.monoMs()).toBeLessThanOrEqual(env.monoMs())
    expect(env.randomBytes(6)).toHaveLength(6)
    expect(env.random()).toBeLessThan(1)
    const order: string[] = []
    await new Promise<void>((resolve) => {
      env.defer(() => {
        order.push('deferred')
        resolve()
      })
      order.push('now')
    })
    expect(order).toEqual(['now', 'deferred'])
  })

  it('runs a timer once, never a cancelled one, and waits longer than setTimeout can', async () => {
    const ran: string[] = []
    env.after(0, () => ran.push('cancelled')).cancel()
    const long = env.after(2 ** 32, () => ran.push('long'))
    await new Promise<void>((resolve) => {
      // Timers do not keep a process alive, so something else has to.
      const keepAlive = setInterval(() => {}, 1000)
      env.after(5, () => {
        clearInterval(keepAlive)
        resolve()
      })
    })
    long.cancel()
    expect(ran).toEqual([])
  })
})

describe('disk', () => {
  it('makes folders, lists, replaces and removes files', () => {
    const deep = join(folder, 'a/b/c')
    disk.makeFolder(deep)
    disk.makeFolder(deep)
    expect(disk.list(join(folder, 'absent'))).toEqual([])
    disk.replaceFile(join(deep, 'two'), bytes('2'))
    disk.replaceFile(join(deep, 'one'), bytes('1'))
    disk.replaceFile(join(deep, 'one'), bytes('one'))
    expect(disk.list(deep)).toEqual(['one', 'two'])
    expect(text(disk.readFile(join(deep, 'one')))).toBe('one')
    expect(disk.readFile(join(deep, 'three'))).toBeUndefined()
    disk.removeFile(join(deep, 'one'))
    disk.removeFile(join(deep, 'one'))
    disk.removeFile(join(folder, 'absent/one'))
    expect(disk.exists(join(deep, 'one'))).toBe(false)
    expect(disk.exists(join(deep, 'two'))).toBe(true)
  })

  it('appends, reads back, cuts, and appends at the new end', async () => {
    const path = join(folder, 'log')
    const file = disk.open(path)
    file.write(bytes('hello '))
    await new Promise<void>((resolve, reject) =>
      file.writeLater(bytes('world'), (error) => (error ? reject(error) : resolve())),
    )
    await new Promise<void>((resolve, reject) => file.sync((error) => (error ? reject(error) : resolve())))
    file.syncNow()
    expect(file.size).toBe(11)
    expect(text(file.read(6, 3))).toBe('wor')
    expect(text(file.read(6, 100))).toBe('world')
    expect(file.read(11, 5)).toHaveLength(0)
    file.truncate(5)
    file.write(bytes('!'))
    file.close()
    const again = disk.open(path)
    expect(again.size).toBe(6)
    expect(text(again.read(0, 6))).toBe('hello!')
    again.close()
  })

  it('renames a file in place of another, and removes one in the background', async () => {
    disk.replaceFile(join(folder, 'new'), bytes('new'))
    disk.replaceFile(join(folder, 'old'), bytes('old'))
    const old = disk.open(join(folder, 'old'))
    disk.rename(join(folder, 'new'), join(folder, 'old'))
    expect(disk.list(folder)).toEqual(['old'])
    expect(text(disk.readFile(join(folder, 'old'))!)).toBe('new')
    // Whoever has a file open reads it on.
    expect(text(old.read(0, 3))).toBe('old')
    old.close()
    expect(() => disk.rename(join(folder, 'absent'), join(folder, 'x'))).toThrow(DiskError)
    const remove = (name: string) =>
      new Promise<DiskError | undefined>((resolve) => disk.removeLater(join(folder, name), resolve))
    expect(await remove('old')).toBeUndefined()
    expect(await remove('absent')).toBeUndefined()
    expect(disk.list(folder)).toEqual([])
  })

  it('begins a file anew, and gives it its name at once although that is durable later', async () => {
    const part = join(folder, 'new.part')
    disk.replaceFile(part, bytes('left behind'))
    const file = disk.openAnew(part)
    expect(file.size).toBe(0)
    file.write(bytes('whole'))
    file.close()
    let isDurable = false
    const durable = new Promise<DiskError | undefined>((resolve) => {
      disk.renameLater(part, join(folder, 'new'), (error) => {
        isDurable = true
        resolve(error)
      })
    })
    expect(isDurable).toBe(false)
    expect(disk.list(folder)).toEqual(['new'])
    expect(text(disk.readFile(join(folder, 'new'))!)).toBe('whole')
    expect(await durable).toBeUndefined()
    expect(() => disk.renameLater(part, join(folder, 'x'), () => {})).toThrow(DiskError)
  })

  it('hands out plain bytes: a slice is a copy', () => {
    disk.replaceFile(join(folder, 'f'), bytes('abc'))
    const content = disk.readFile(join(folder, 'f'))!
    content.slice(0, 1)[0] = 0
    expect(text(content)).toBe('abc')
    expect(Object.getPrototypeOf(content)).toBe(Uint8Array.prototype)
  })

  it('writes an empty piece, refuses two calls at a time, and closes after the one under way', async () => {
    const file = disk.open(join(folder, 'log'))
    const written = new Promise<void>((resolve) => file.writeLater(new Uint8Array(0), () => resolve()))
    expect(() => file.sync(() => {})).toThrow('before the first was done')
    file.close()
    file.close()
    await written
  })

  it('turns every failure into a DiskError with the code of the system', async () => {
    writeFileSync(join(folder, 'file'), '')
    expect(codeOf(() => disk.open(join(folder, 'absent/log')))).toBe('ENOENT')
    expect(codeOf(() => disk.makeFolder(join(folder, 'file')))).toBe('EEXIST')
    expect(codeOf(() => disk.list(join(folder, 'file')))).toBe('ENOTDIR')
    expect(codeOf(() => disk.readFile(folder))).toBe('EISDIR')
    const file = disk.open(join(folder, 'log'))
    file.close()
    expect(codeOf(() => file.write(bytes('x')))).toBe('EBADF')
    expect(codeOf(() => file.writeLater(bytes('x'), () => {}))).toBe('EBADF')
  })

  it.runIf(existsSync('/dev/full'))('says so when the disk is full, at once and later', async () => {
    const file = disk.open('/dev/full')
    expect(codeOf(() => file.write(bytes('x')))).toBe('ENOSPC')
    const error = await new Promise<DiskError | undefined>((resolve) => file.writeLater(bytes('x'), resolve))
    expect(error).toMatchObject({ name: 'DiskError', code: 'ENOSPC' })
    expect(file.size).toBe(0)
    file.close()
  })
})

describe('lockFolder', () => {
  /** A process that lives until it is killed. */
  async function bystander(): Promise<ChildProcess & { pid: number }> {
    const child = spawn(process.execPath, ['-e', 'console.log("up"); setInterval(() => {}, 1000)'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    await once(child.stdout, 'data')
    return child as ChildProcess & { pid: number }
  }

  async function end(child: ChildProcess): Promise<void> {
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  const startOf = (pid: number): string => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!
  }

  const ways = [
    ['as the platform can', () => disk.lockFolder(folder)],
    ['by record', () => lockByRecord(join(folder, 'lock'))],
  ] as const

  for (const [way, take] of ways) {
    it(`${way}: one holder at a time, and free again after release`, () => {
      const first = take()
      expect(take()).toEqual({ heldBy: process.pid })
      if ('heldBy' in first) throw new Error('the folder was locked already')
      first.release()
      expect(take()).toHaveProperty('release')
      expect(readdirSync(folder)).toEqual(['lock'])
    })

    it(`${way}: takes over from our own pid in an earlier life, and from nonsense`, () => {
      for (const record of [`${process.pid} 1\n`, '', 'nonsense']) {
        writeFileSync(join(folder, 'lock'), record)
        const lock = take()
        if ('heldBy' in lock) throw new Error(`the record '${record}' was believed`)
        lock.release()
      }
    })

    it.runIf(existsSync('/proc/self/stat'))(
      `${way}: believes a living process, and no recycled pid`,
      async () => {
        const child = await bystander()
        try {
          writeFileSync(join(folder, 'lock'), `${child.pid} ${startOf(child.pid)}\n`)
          expect(take()).toEqual({ heldBy: child.pid })
          writeFileSync(join(folder, 'lock'), `${child.pid} 1\n`)
          const lock = take()
          if ('heldBy' in lock) throw new Error('a recycled pid was believed')
          lock.release()
          writeFileSync(join(folder, 'lock'), `${child.pid} ${startOf(child.pid)}\n`)
        } finally {
          await end(child)
        }
        expect(take()).toHaveProperty('release')
      },
    )
  }
})
