/**
 * replies.ts: masters and replicas in the fields that SENTINEL MASTERS and REPLICAS have in Redis.
 *
 * No node pings another one for this: whoever knows of a node knows it from the coordinator. So all that Redis
 * tells of its own pings, links and timeouts is 0 here. `isTls` is of the client that asks.
 * Source: addReplySentinelRedisInstance in sentinel.c of Redis 7.2.
 */
import { portFor } from '../cluster/redirect.ts'
import type { ClusterNode } from '../cluster/topology.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import { addressFor, type Master } from './masters.ts'

type Fields = readonly (readonly [name: string, value: string | number])[]

export function writeMaster(out: ReplyWriter, master: Master, isTls: boolean): void {
  const { name, primary, isDown, replicas, epoch } = master
  writeFields(out, [
    ...instance(name, primary, isTls, isDown ? 'master,s_down,o_down' : 'master'),
    ['role-reported', 'master'],
    ['role-reported-time', 0],
    ['config-epoch', epoch],
    ['num-slaves', replicas.length],
    ['num-other-sentinels', 0],
    ['quorum', 1],
    ['failover-timeout', 0],
    ['parallel-syncs', 1],
  ])
}

export function writeReplica(out: ReplyWriter, master: Master, replica: ClusterNode, isTls: boolean): void {
  writeFields(out, [
    ...instance(addressFor(replica, isTls), replica, isTls, replica.isUp ? 'slave' : 'slave,s_down'),
    ['role-reported', 'slave'],
    ['role-reported-time', 0],
    ['master-link-down-time', 0],
    ['master-link-status', master.isDown ? 'err' : 'ok'],
    ['master-host', master.primary.host],
    ['master-port', portFor(master.primary, isTls)],
    ['slave-priority', 100],
    ['slave-repl-offset', replica.offset],
    ['replica-announced', 1],
  ])
}

function instance(name: string, node: ClusterNode, isTls: boolean, flags: string): Fields {
  return [
    ['name', name],
    ['ip', node.host],
    ['port', portFor(node, isTls)],
    ['runid', node.id],
    ['flags', flags],
    ['link-pending-commands', 0],
    ['link-refcount', 1],
    ['last-ping-sent', 0],
    ['last-ok-ping-reply', 0],
    ['last-ping-reply', 0],
    ['down-after-milliseconds', 0],
    ['info-refresh', 0],
  ]
}

function writeFields(out: ReplyWriter, fields: Fields): void {
  out.map(fields.length)
  for (const [name, value] of fields) {
    out.bulk(name)
    out.bulk(String(value))
  }
}

/** INFO's sections, by lower-case name. */
export const SENTINEL_SECTIONS = ['server', 'sentinel'] as const

export function sentinelSection(
  section: (typeof SENTINEL_SECTIONS)[number],
  versions: Readonly<Record<'redis' | 'causeway', string>>,
  masters: readonly Master[],
  isTls: boolean,
): string {
  const lines =
    section === 'server'
      ? [
          '# Server',
          `redis_version:${versions.redis}`,
          'redis_mode:sentinel',
          `causeway_version:${versions.causeway}`,
        ]
      : [
          '# Sentinel',
          `sentinel_masters:${masters.length}`,
          'sentinel_tilt:0',
          'sentinel_tilt_since_seconds:-1',
          'sentinel_running_scripts:0',
          'sentinel_scripts_queue_length:0',
          'sentinel_simulate_failure_flags:0',
          ...masters.map((master, i) => masterLine(master, i, isTls)),
        ]
  return lines.map((line) => `${line}\r\n`).join('')
}

function masterLine({ name, primary, isDown, replicas }: Master, index: number, isTls: boolean): string {
  const address = addressFor(primary, isTls)
  const status = isDown ? 'odown' : 'ok'
  return `master${index}:name=${name},status=${status},address=${address},slaves=${replicas.length},sentinels=1`
}
