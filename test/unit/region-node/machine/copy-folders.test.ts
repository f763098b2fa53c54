/**
 * copy-folders.test.ts: the folders of a machine on a real disk: found, discarded as a whole, and never in use.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { nodeEnv } from '../../../../region-node/env-node.ts'
import { CopyFolders } from '../../../../region-node/machine/copy-folders.ts'

const { disk } = nodeEnv()
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'causeway-folders-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function copy(partition: number, nodeId: string): void {
  const path = join(folder, `partition-${partition}`)
  mkdirSync(join(path, 'log'), { recursive: true })
  writeFileSync(join(path, 'identity.json'), JSON.stringify({ nodeId }))
  writeFileSync(join(path, 'log', '1'), 'ops')
}

const folders = () => new CopyFolders(disk, folder, () => {})

it('finds the copies, and whose they are', () => {
  copy(2, 'two')
  copy(10, 'ten')
  mkdirSync(join(folder, 'partition-x'))
  expect([...folders().partitions].sort()).toEqual([10, 2])
  expect(folders().nodeIdIn(10)).toBe('ten')
  expect(folders().nodeIdIn(3)).toBe('')
})

it('discards a copy at once, and then removes it', async () => {
  copy(2, 'two')
  expect(folders().discard(2)).toBeUndefined()
  expect(existsSync(join(folder, 'partition-2'))).toBe(false)
  await vi.waitFor(() => expect(readdirSync(folder)).toEqual([]))
})

it('discards nothing that a process uses', () => {
  copy(2, 'two')
  const lock = disk.lockFolder(join(folder, 'partition-2'))
  expect(folders().discard(2)).toContain(`process ${process.pid} uses`)
  expect(folders().nodeIdIn(2)).toBe('two')
  if ('release' in lock) lock.release()
})

it('removes what a crash has left of a discarded copy', async () => {
  copy(2, 'two')
  mkdirSync(join(folder, 'discarded-three', 'log'), { recursive: true })
  folders()
  await vi.waitFor(() => expect(readdirSync(folder)).toEqual(['partition-2']))
})
