/**
 * run.test.ts: the refusal of an old Node, what bin/causeway.mjs says before a build, and the help of the npm scripts.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { PROJECT_ROOT } from '../../harness/project-root.ts'
import { readRoot } from '../../tidy/source.ts'

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

describe('an npm script', () => {
  const { scripts } = JSON.parse(readRoot('package.json')) as { scripts: Readonly<Record<string, string>> }
  const own = Object.entries(scripts).filter(([, command]) => command.startsWith('node bin/run.mjs dist/'))

  it.each(own)('%s answers --help with what stands at the head of its file', (name, command) => {
    const words = [...command.split(' ').slice(1), '--help']
    const { stdout, status } = spawnSync(process.execPath, words, { cwd: PROJECT_ROOT, encoding: 'utf8' })
    expect(status).toBe(0)
    expect(stdout).toMatch(/^[\w-]+\.ts: /)
    expect(stdout).toContain(name === 'start' ? 'npm start' : `npm run ${name}`)
  })
})
