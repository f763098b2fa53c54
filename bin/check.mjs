/**
 * check.mjs: `npm run check`: types, lint, the laws of the house, unit tests: what an editor would run
 * before a commit, in about a minute. `npm test` runs everything.
 *
 * All steps run, also after one has failed, so that one call shows all there is to mend.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

const STEPS = [
  ['types', 'node_modules/typescript/bin/tsc', '--noEmit', '-p', '.'],
  ['lint', 'node_modules/@biomejs/biome/bin/biome', 'check', '.'],
  ['tidy', 'node_modules/vitest/vitest.mjs', 'run', 'test/tidy'],
  ['unit', 'node_modules/vitest/vitest.mjs', 'run', 'test/unit', 'test/properties'],
]

const outcomes = STEPS.map(([name, ...words]) => {
  console.log(`\n== ${name}`)
  const { status } = spawnSync(process.execPath, words, { cwd: root, stdio: 'inherit' })
  return { name, passed: status === 0 }
})

console.log('')
for (const { name, passed } of outcomes) console.log(`${passed ? 'ok    ' : 'FAILED'}  ${name}`)
if (outcomes.some(({ passed }) => !passed)) process.exitCode = 1
