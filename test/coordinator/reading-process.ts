/**
 * reading-process.ts: a process that reads from an etcd and reports the answer: `reading-process.js ENDPOINT...`.
 *
 * For what only a process of its own can show: which authorities Node trusts is settled when it starts.
 */
import { EtcdCoordinator } from '../../region-node/coordinator/etcd.ts'
import { nodeEnv } from '../../region-node/env-node.ts'

const endpoints = process.argv.slice(2)
const coordinator = new EtcdCoordinator({ endpoints, root: '', attemptMs: 2000, deadlineMs: 4000 }, nodeEnv())
coordinator.read('', (answer) => {
  process.send?.(answer)
  coordinator.close()
})
