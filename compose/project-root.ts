/**
 * project-root.ts: where the project lies, for whoever runs its programs.
 *
 * The same module runs from its source (Vitest) and from dist/, so the way up is searched, not counted.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Folder of the package.json above this file. */
export const PROJECT_ROOT = findRoot(dirname(fileURLToPath(import.meta.url)))

/** The command `causeway`. It runs what was built into dist/. */
export const CAUSEWAY = join(PROJECT_ROOT, 'bin', 'causeway.mjs')

function findRoot(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder
  const parent = dirname(folder)
  if (parent === folder) throw new Error('no package.json above the tests')
  return findRoot(parent)
}
