/**
 * folders.test.ts: what a node finds when it starts: a folder or a port that is taken, a torn log, a
 * damaged one, another region's folder. Each refusal is one sentence and exit code 1.
 */
import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type RegionOptions, RegionProcess } from '../harness/region-process.ts'

const started: RegionProcess[] = []
afterEach(async () => {
  await Promise.all(started.splice(0).map((region) => region.dispose()))
})

async function region(options: Partial<RegionOptions> = {}): Promise<RegionProcess> {
  const made = await RegionProcess.prepare({ name: 'A', id: 1, ...options })
  started.push(made)
  return made
}

/** The one sentence that a start ends with. */
async function refusal(refused: RegionProcess): Promise<string> {
  const before = refused.stderr.length
  const { code } = await refused.launch()
  expect(code).toBe(1)
  const sentences = refused.stderr
    .slice(before)
    .split('\n')
    .filter((line) => line.startsWith('causeway: '))
  expect(sentences).toHaveLength(1)
  expect(refused.stderr).not.toMatch(/\n\s+at /)
  return sentences[0]!
}

/** Writes until the log has two durable parts, so that there is a middle. */
async function withLog(): Promise<{ node: RegionProcess; log: string }> {
  const node = await region({ settings: { appendfsync: 'always' } })
  await node.start()
  const client = await node.connect()
  for (let i = 0; i < 100; i++) await client.ask('SET', `key:${i}`, 'v'.repeat(100))
  await client.close()
  await node.kill()
  const log = readdirSync(node.folder).find((name) => name.endsWith('.log'))!
  return { node, log: join(node.folder, log) }
}

async function keyCount(node: RegionProcess): Promise<number> {
  const client = await node.connect()
  const count = Number(await client.ask('DBSIZE'))
  await client.close()
  return count
}

describe('a start', () => {
  it('is refused on a folder that another process uses', async () => {
    const first = await region()
    await first.start()
    const second = await region({ folder: first.folder })
    const sentence = await refusal(second)
    expect(sentence).toContain(`is in use by process ${first.pid}`)
    expect(await keyCount(first)).toBe(0)
  })

  it('is refused on the folder of another region', async () => {
    const first = await region()
    await first.start()
    await first.stop()
    const other = await region({ name: 'B', id: 2, folder: first.folder })
    expect(await refusal(other)).toContain('holds the data of a node with region A')
  })

  it.each(['port', 'syncPort', 'adminPort'] as const)('is refused when its %s is busy', async (name) => {
    const first = await region()
    await first.start()
    const other = await region({ name: 'B', id: 2 })
    const busy = await region({ name: 'B', id: 2, ports: { ...other.ports, [name]: first.ports[name] } })
    const sentence = await refusal(busy)
    expect(sentence).toContain(String(first.ports[name]))
    expect(sentence).toMatch(/is (in use|taken) by another/)
  })

  it('cuts a torn tail, says so, and keeps everything before it', async () => {
    const { node, log } = await withLog()
    const whole = statSync(log).size
    // The head of a record of 1000 bytes, of which ten arrived.
    appendFileSync(log, Buffer.from([0xe8, 3, 0, 0, 1, 2, 3, 4, ...new Array<number>(10).fill(7)]))
    await node.start()
    expect(node.stderr).toContain('unfinished write')
    expect(await keyCount(node)).toBe(100)
    await node.stop()
    expect(statSync(log).size).toBeLessThanOrEqual(whole + 64)
    await node.start()
    expect(await keyCount(node)).toBe(100)
  })

  it('is refused when the log is damaged in the middle, and nothing is changed', async () => {
    const { node, log } = await withLog()
    const bytes = readFileSync(log)
    const middle = bytes.length >> 1
    bytes[middle] = bytes[middle]! ^ 0xff
    writeFileSync(log, bytes)
    const sentence = await refusal(node)
    expect(sentence).toContain('the log is damaged')
    expect(sentence).toContain(log)
    expect(sentence).toContain('peers')
    expect(readFileSync(log).equals(bytes)).toBe(true)
  })
})
