/**
 * write-reference.ts: `npm run reference`: brings the tables in README.md up to the code.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT_ROOT } from '../harness/project-root.ts'
import { withReferences } from './reference.ts'

const path = join(PROJECT_ROOT, 'README.md')
writeFileSync(path, withReferences(readFileSync(path, 'utf8')))
