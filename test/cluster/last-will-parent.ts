/**
 * last-will-parent.ts: a process with a lease and a last will, to be killed by `last-will.test.ts`.
 *
 * Its parent sends it the settings of an etcd; it answers with the process id of its guard. On `close` it ends its
 * guard in order, and itself.
 */
import { LastWill } from '../../region-node/cluster/last-will.ts'
import type { EtcdSettings } from '../../region-node/coordinator/etcd-gateway.ts'
import type { Lease } from '../../region-node/coordinator/port.ts'
import { nodeEnv } from '../../region-node/env-node.ts'

export type Order = { readonly etcd: EtcdSettings; readonly lease: Lease } | 'tell' | 'close'

export interface GuardReport {
  readonly guard: number | undefined
}

let will: LastWill | undefined

process.on('message', (order: Order) => {
  if (order === 'close') {
    will?.close()
    process.disconnect()
    return
  }
  if (order !== 'tell') {
    will = new LastWill({ etcd: order.etcd, database: 'db', region: 'a', partition: 0 }, nodeEnv())
    will.name(order.lease)
  }
  const report: GuardReport = { guard: will?.pid }
  process.send?.(report)
})
