/**
 * write-reference.ts: `npm run reference`: brings the tables in README.md up to the code.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { withReferences } from './reference.ts'

// Run by npm from the root, built: the document is not in dist/.
const path = 'README.md'
writeFileSync(path, withReferences(readFileSync(path, 'utf8')))
