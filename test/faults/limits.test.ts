/**
 * limits.test.ts: a real node at its limits: memory, a full disk, a long start.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { type RegionOptions, RegionProcess } from '../harness/region-process.ts'
import type { RespClient } from '../harness/resp-client.ts'

const MB = 2 ** 20
/** Of a thousand fields each: the log takes most of a second to read. */
const HASHES = 600

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

async function region(options: Partial<RegionOptions> = {}): Promise<RegionProcess> {
  const made = await RegionProcess.prepare({ name: 'A', id: 1, ...options })
  cleanUps.push(() => made.dispose())
  return made
}

/** The fields of an INFO section. */
async function info(client: RespClient, section: string): Promise<Map<string, string>> {
  const text = String(await client.command('INFO', section))
  return new Map(
    text
      .split('\r\n')
      .filter((line) => line.includes(':'))
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  )
}

function lineOf(reply: unknown): unknown {
  return reply !== null && typeof reply === 'object' && 'line' in reply ? reply.line : reply
}

/** So many one after another, a tenth of a second apart, are no accident. */
const REFUSALS = 10

describe('the heap', () => {
  it('is sized by maxmemory, and with it for a process of one pid', async () => {
    const node = await region({ settings: { maxmemory: '512mb' } })
    await node.start()
    const client = await node.connect()
    expect((await info(client, 'server')).get('process_id')).toBe(String(node.pid))
    const limit = Number((await info(client, 'memory')).get('heap_limit'))
    // 512 MB and a reserve of 256 MB at 85 %, and a young generation of three times 64 MB.
    expect(limit / MB).toBeGreaterThan(900)
    expect(limit / MB).toBeLessThan(1200)
    await client.close()
    expect(await node.stop()).toEqual({ code: 0, signal: null })
  })

  it('is never used up: writes are refused before, and deletes make room', async () => {
    const node = await region({ settings: { maxmemory: '120mb' } })
    await node.start()
    const client = await node.connect()
    const value = 'x'.repeat(100_000)
    let written = 0
    let refusal: unknown
    let refusals = 0
    // On a busy machine garbage is refused for once, until there was time to collect it.
    while (refusals < REFUSALS && written < 4000) {
      const reply = await client.command('SET', `key:${written}`, value)
      if (reply === 'OK') {
        written++
        refusals = 0
      } else {
        refusal = lineOf(reply)
        refusals++
        await delay(100)
      }
    }
    expect(refusal).toBe("OOM command not allowed when used memory > 'maxmemory'.")
    // 12 MB of the node's own and 100 kB for each key.
    expect(written).toBeGreaterThan(900)
    expect(written).toBeLessThan(1330)
    expect(await client.command('STRLEN', 'key:0')).toBe(value.length)
    for (let i = 0; i < written; i += 2) expect(await client.command('DEL', `key:${i}`)).toBe(1)
    let again: unknown
    for (let tries = 0; again !== 'OK' && tries < 100; tries++) {
      again = await client.command('SET', 'again', value)
      if (again !== 'OK') await delay(100)
    }
    expect(again).toBe('OK')
    await client.close()
  })
})

/** A small file system of its own; undefined where this user may not mount one. */
function smallDisk(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'causeway-small-disk-'))
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', folder]).status !== 0) {
    rmSync(folder, { recursive: true })
    return undefined
  }
  cleanUps.push(() => {
    spawnSync('umount', [folder])
    rmSync(folder, { recursive: true })
  })
  return folder
}

describe('a real disk that is full (needs the right to mount one)', () => {
  for (const appendfsync of ['everysec', 'always']) {
    it(`refuses writes and resumes by itself under ${appendfsync}, and loses nothing acknowledged`, async (context) => {
      const folder = smallDisk()
      if (folder === undefined) return context.skip()
      const node = await region({ folder: join(folder, 'data'), settings: { appendfsync, save: '' } })
      await node.start()
      const client = await node.connect()
      const ballast = join(folder, 'ballast')
      const value = 'x'.repeat(10_000)
      let acknowledged = 0
      for (; acknowledged < 100; acknowledged++)
        expect(await client.command('SET', `key:${acknowledged}`, value)).toBe('OK')
      const room = 14 * MB
      writeFileSync(ballast, Buffer.alloc(room))
      let stuck: Promise<unknown> | undefined
      for (;;) {
        const reply = client.command('SET', `key:${acknowledged}`, value)
        const answer = await Promise.race([reply, delay(2000, 'no answer', { ref: false })])
        if (answer !== 'OK') {
          expect(answer).toBe('no answer')
          stuck = reply
          break
        }
        acknowledged++
      }
      const other = await node.connect()
      expect(lineOf(await other.command('SET', 'x', 'y'))).toMatch(/^MISCONF /)
      expect(lineOf(await other.command('PING'))).toMatch(/^MISCONF /)
      expect((await info(other, 'persistence')).get('aof_last_write_status')).toBe('err')
      if (appendfsync === 'everysec') expect(await other.command('STRLEN', 'key:0')).toBe(value.length)
      expect(statSync(ballast).size).toBe(room)
      rmSync(ballast)
      expect(await stuck).toBe('OK')
      expect(await other.command('SET', 'x', 'y')).toBe('OK')
      await node.kill()
      await node.start()
      const reader = await node.connect()
      for (let i = 0; i <= acknowledged; i++)
        expect(await reader.command('STRLEN', `key:${i}`)).toBe(value.length)
      await reader.close()
      await node.kill()
    })
  }
})

describe('a start with much to read', () => {
  it('answers LOADING, says how far it is, and then serves; a stop meanwhile is heard', async () => {
    const node = await region({ settings: { save: '' } })
    await node.start()
    const writer = await node.connect()
    const words = Array.from({ length: 2000 }, (_, i) => [`f${i}`, 'v'.repeat(20)]).flat()
    for (let i = 0; i < HASHES; i++) await writer.command('HSET', `h${i}`, ...words)
    await writer.close()
    expect(await node.page('/ready')).toContain('"ready"')
    await node.stop()

    const ended = node.launch()
    const client = await connected(node)
    const [read, fields, health, ready] = await Promise.all([
      client.command('GET', 'k'),
      info(client, 'persistence'),
      node.page('/health'),
      node.page('/ready'),
    ])
    expect(lineOf(read)).toBe('LOADING Causeway is loading the dataset in memory')
    expect(fields.get('loading')).toBe('1')
    expect(Number(fields.get('loading_loaded_perc'))).toBeLessThan(100)
    expect(health).toContain('alive')
    expect(ready).toMatch(/loading: .* %/)
    await node.stop()
    expect(await ended).toEqual({ code: 0, signal: null })

    await node.start()
    const reader = await node.connect()
    expect(await reader.command('DBSIZE')).toBe(HASHES)
    expect(await node.page('/ready')).toContain('"ready"')
    await reader.close()
  })
})

/** Connects as soon as the port is open, while the node may still load. */
async function connected(node: RegionProcess): Promise<RespClient> {
  for (;;) {
    try {
      return await node.connect()
    } catch {
      await delay(1)
    }
  }
}
