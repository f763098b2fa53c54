/**
 * dial.ts: connections of the proxy to other nodes: the only place that opens them. Plain TCP, as the nodes' replicas
 * use it: a node that has only a port for TLS cannot be reached.
 */
import { connect } from 'node:net'
import type { Env } from '../env.ts'
import type { Dial } from './upstream.ts'

/** A node that does not answer by then cannot be reached. */
const CONNECT_MS_MAX = 3000
/** Silence after which the system asks whether the node's machine is still there. */
const KEEPALIVE_MS = 10_000

export function dialler(env: Pick<Env, 'after'>): Dial {
  return ({ host, port }, events) => {
    const socket = connect({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_MS,
    })
    socket.setEncoding('latin1')
    const late = env.after(CONNECT_MS_MAX, () => socket.destroy())
    // Whatever happened, 'close' follows.
    socket.on('error', () => {})
    socket.on('connect', () => {
      late.cancel()
      events.connected()
    })
    socket.on('data', (text: string) => events.received(text))
    socket.on('end', () => socket.destroy())
    socket.on('close', () => events.closed())
    return {
      write: (text) => socket.write(text, 'latin1'),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      destroy: () => socket.destroy(),
    }
  }
}
