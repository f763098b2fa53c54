/**
 * snapshots.test.ts: snapshots of a real node on a real disk: asked for, by the rules, and found by the next
 * start after a kill.
 */
import { readdirSync } from 'node:fs'
import { afterEach, expect, it } from 'vitest'
import { RegionProcess } from '../harness/region-process.ts'
import type { RespClient } from '../harness/resp-client.ts'

const started: RegionProcess[] = []
afterEach(async () => {
  await Promise.all(started.splice(0).map((node) => node.dispose()))
})

async function running(settings: Readonly<Record<string, string>> = {}): Promise<RegionProcess> {
  const node = await RegionProcess.prepare({ name: 'A', id: 1, settings })
  started.push(node)
  await node.start()
  return node
}

function files({ folder }: RegionProcess, suffix: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith(suffix))
}

async function field(client: RespClient, name: string): Promise<string | undefined> {
  const info = String(await client.ask('INFO', 'persistence'))
  return new RegExp(`^${name}:(.*)\\r$`, 'm').exec(info)?.[1]
}

async function fill(client: RespClient, keys: number): Promise<void> {
  const pairs: string[] = []
  for (let i = 0; i < keys; i++) pairs.push(`key:${i}`, `value ${i}`)
  await client.ask('MSET', ...pairs)
  await client.ask('SADD', 'set', ...pairs)
  await client.ask('HSET', 'hash', ...pairs)
  await client.ask('EXPIRE', 'hash', '10000')
}

it('SAVE answers when the snapshot is there, and a start after a kill begins from it', async () => {
  const node = await running({ save: '' })
  const client = await node.connect()
  await fill(client, 2000)
  expect(await client.ask('SAVE')).toBe('OK')
  expect(files(node, '.snapshot')).toHaveLength(1)
  expect(await field(client, 'rdb_changes_since_last_save')).toBe('0')
  await client.ask('DEL', 'set')
  await client.ask('SET', 'key:0', 'newer')
  const digest = await client.ask('CRDT.DIGEST')
  await client.close()
  await node.kill()
  await node.start()
  expect(node.stderr).toMatch(/recovered 6 ops in [\d.]+ s, from [\d.]+ MB of snapshot/)
  const again = await node.connect()
  expect(await again.ask('GET', 'key:0')).toBe('newer')
  expect(await again.ask('EXISTS', 'set')).toBe(0)
  expect(await again.ask('HGET', 'hash', 'key:7')).toBe('value 7')
  expect(Number(await again.ask('TTL', 'hash'))).toBeGreaterThan(9000)
  expect(await again.ask('CRDT.DIGEST')).toEqual(digest)
  expect(await field(again, 'rdb_changes_since_last_save')).toBe('2')
  await again.close()
})

it('the rules make them, and the log before the older one goes', async () => {
  const node = await running({
    save: '1 1',
    'log-segment-bytes': '1mb',
    'log-snapshot-bytes': '1mb',
    appendfsync: 'everysec',
  })
  const client = await node.connect()
  const value = 'x'.repeat(100_000)
  const until = Date.now() + 20_000
  for (let i = 0; Number(await field(client, 'log_start_position')) === 0; i++) {
    expect(Date.now()).toBeLessThan(until)
    for (let j = 0; j < 10; j++) await client.ask('SET', `key:${j}`, `${i} ${value}`)
  }
  expect(Number(await field(client, 'rdb_saves'))).toBeGreaterThanOrEqual(2)
  const digest = await client.ask('CRDT.DIGEST')
  await client.close()
  await node.kill()
  expect(files(node, '.snapshot').length).toBeLessThanOrEqual(2)
  expect(files(node, '.log')).not.toContain('00000000000000.log')
  await node.start()
  const again = await node.connect()
  expect(await again.ask('CRDT.DIGEST')).toEqual(digest)
  await again.close()
})
