/**
 * run.test.ts: the refusal of an old Node, and what bin/causeway.mjs says before a build.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const bin = fileURLToPath(new URL('../../../bin/', import.meta.url))

async function nodeRefusal(version: string): Promise<string> {
  const requirements = (await import(join(bin, 'requirements.mjs'))) as {
    nodeRefusal(version: string): string
  }
  return requirements.nodeRefusal(version)
}

describe('bin', () => {
  it('refuses a Node that is too old, in a sentence', async () => {
    expect(await nodeRefusal('v18.19.0')).toBe('causeway needs Node 20 or newer, and this is Node 18.19.0.')
    expect(await nodeRefusal('v9.0.0')).not.toBe('')
    expect(await nodeRefusal('v20.0.0')).toBe('')
    expect(await nodeRefusal('v100.1.0')).toBe('')
  })

  it('says how to build when nothing is built', () => {
    const folder = mkdtempSync(join(tmpdir(), 'causeway-bin-'))
    try {
      cpSync(bin, join(folder, 'bin'), { recursive: true })
      const done = spawnSync(process.execPath, [join(folder, 'bin/causeway.mjs')], { encoding: 'utf8' })
      expect(done.stderr).toContain("run 'npm ci' and then 'npm run build'")
      expect(done.status).toBe(1)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
