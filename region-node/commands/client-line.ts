/**
 * client-line.ts: a client in one line, as CLIENT LIST, CLIENT INFO and ACL LOG show it.
 */
import type { Channels } from '../engine/channels.ts'
import type { Session } from './session.ts'

function clientFlags(session: Session): string {
  let flags = ''
  if (session.isMonitor) flags += 'O'
  if (session.subscriptions > 0) flags += 'P'
  if (session.tracking !== undefined) flags += session.tracking.options.broadcasts ? 'tB' : 't'
  if (session.tracking?.isRedirectBroken) flags += 'R'
  if (session.queue !== undefined) flags += 'x'
  if (session.blocked !== undefined) flags += 'b'
  if (session.watchDirty) flags += 'd'
  if (session.closing) flags += 'c'
  if (session.readsReplicas) flags += 'r'
  if (session.noEvict) flags += 'e'
  if (session.noTouch) flags += 'T'
  return flags === '' ? 'N' : flags
}

/**
 * @param nowMs  wall clock, milliseconds since the Unix epoch
 * @returns the line, ended by LF
 */
export function clientLine(session: Session, channels: Channels, nowMs: number): string {
  const counts = [
    channels.countOf(session, 'channel'),
    channels.countOf(session, 'pattern'),
    channels.countOf(session, 'shard'),
  ]
  const age = Math.floor((nowMs - session.createdMs) / 1000)
  const idle = Math.floor((nowMs - session.lastActiveMs) / 1000)
  return (
    `id=${session.id} addr=${session.address} laddr=${session.localAddress} fd=-1 name=${session.name} ` +
    `age=${Math.max(0, age)} idle=${Math.max(0, idle)} flags=${clientFlags(session)} db=${session.db} ` +
    `sub=${counts[0]} psub=${counts[1]} ssub=${counts[2]} multi=${session.queue?.length ?? -1} ` +
    'qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 ' +
    `obl=0 oll=0 omem=0 tot-mem=0 events=r cmd=${session.lastCommand} user=${session.user?.name ?? 'default'} redir=${session.tracking === undefined ? -1 : (session.tracking.options.redirect?.id ?? 0)} ` +
    `resp=${session.out.protocol} lib-name=${session.libName} lib-ver=${session.libVersion}\n`
  )
}
