/**
 * last-will-guard.ts: the program that speaks for a node when its process is gone (`last-will.ts`).
 *
 * It reads wills from its standard input, one JSON text each line, and does nothing until that ends; then it
 * carries out the last one and exits. What stops its node in order, a Ctrl-C or a service manager's SIGTERM, may
 * reach it as well, and must not end it before the node has ended: it takes no notice of these signals.
 *
 * Invariant: it exits within `TRIES_MS_MAX` and one call's deadline of the end of its input.
 */
import { EtcdCoordinator } from '../coordinator/etcd.ts'
import type { Lease } from '../coordinator/port.ts'
import { nodeEnv, stallThread } from '../env-node.ts'
import { Keys } from './documents.ts'
import { sayFarewell } from './farewell.ts'
import type { Will } from './last-will.ts'

/** Tries to reach etcd end then; the lease has to run out. */
const TRIES_MS_MAX = 5000
const RETRY_MS = 50

const env = nodeEnv()
let will: Will | undefined
let rest = ''

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
process.stdin.setEncoding('utf8')
process.stdin.on('data', (text: string) => {
  const lines = (rest + text).split('\n')
  rest = lines.pop()!
  const last = lines.at(-1)
  if (last !== undefined) will = JSON.parse(last) as Will
})
process.stdin.once('close', () => {
  if (will?.lease !== undefined) carryOut(will, will.lease)
})

function carryOut({ etcd, database, region, partition }: Will, lease: Lease): void {
  const keys = new Keys(database, region)
  const coordinator = new EtcdCoordinator(etcd, env)
  const endMs = env.monoMs() + TRIES_MS_MAX
  const attempt = (): void =>
    sayFarewell(coordinator, keys, partition, lease, (isSaid) => {
      if (isSaid || env.monoMs() >= endMs) process.exit()
      // No timer: those of `Env` do not keep a process alive.
      stallThread(RETRY_MS)
      attempt()
    })
  attempt()
}
