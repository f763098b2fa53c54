#!/usr/bin/env node
/**
 * causeway.mjs: the command `causeway`: checks Node's version and runs what was built into dist/.
 */
import { existsSync } from 'node:fs'
import { nodeRefusal } from './requirements.mjs'

const entry = new URL('../dist/region-node/main.js', import.meta.url)
let refusal = nodeRefusal(process.version)
if (!refusal && !existsSync(entry))
  refusal = "causeway is not built yet: run 'npm ci' and then 'npm run build'."

if (refusal) {
  console.error(refusal)
  process.exitCode = 1
} else {
  import(entry)
}
