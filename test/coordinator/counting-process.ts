/**
 * counting-process.ts: a process that shares a coordinator's folder with others: `counting-process.js FOLDER [hold]`.
 *
 * It counts a number in the folder up, each time on the condition that nobody else has, and reports how often it
 * has done so. With `hold` it takes the lock that a commit takes, says so, and keeps it until it is killed.
 */
import { LocalFileCoordinator } from '../../region-node/coordinator/local-file.ts'
import { nodeEnv } from '../../region-node/env-node.ts'
import { Client, put } from './client.ts'
import { until } from './real-time.ts'

const COUNTS = 20
const KEY = 'count'

export interface CountReport {
  readonly counted: number
}

async function count(folder: string): Promise<number> {
  const coordinator = new LocalFileCoordinator({ folder, deadlineMs: 10_000 }, nodeEnv())
  const client = new Client(coordinator, until)
  for (let counted = 0; counted < COUNTS; ) {
    const [entry] = (await client.read(KEY)).entries
    const condition = { key: KEY, revision: entry?.revision ?? 0 }
    const { isCommitted } = await client.commit(
      [condition],
      [put(KEY, String(Number(entry?.value ?? 0) + 1))],
    )
    if (isCommitted) counted++
  }
  coordinator.close()
  return COUNTS
}

const [folder = '', order] = process.argv.slice(2)
if (order === 'hold') {
  nodeEnv().disk.lockFolder(`${folder}/commits`)
  // Who listens to its parent does not end.
  process.on('message', () => {})
  process.send?.({ counted: 0 })
} else if (folder !== '') {
  const report: CountReport = { counted: await count(folder) }
  process.send?.(report)
}
