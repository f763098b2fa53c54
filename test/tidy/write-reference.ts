/**
 * write-reference.ts: `npm run reference`: brings the tables in the documents up to the code.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT_ROOT } from '../harness/project-root.ts'
import { DOCUMENTS, withReferences } from './reference.ts'

for (const [document, names] of DOCUMENTS) {
  const path = join(PROJECT_ROOT, document)
  writeFileSync(path, withReferences(readFileSync(path, 'utf8'), names))
}
