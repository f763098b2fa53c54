/**
 * dial.ts: connections of the proxy to other nodes: the only place that opens them. Inside TLS where nodes reach each
 * other so, at the port for clients that speak it.
 */
import { connect } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import type { LinkTls } from '../../sync/transport-ws.ts'
import type { Env } from '../env.ts'
import type { Dial } from './upstream.ts'

/** A node that does not answer by then cannot be reached. */
const CONNECT_MS_MAX = 3000
/** Silence after which the system asks whether the node's machine is still there. */
const KEEPALIVE_MS = 10_000

/** @param tls  what is shown and trusted now; undefined: nodes reach each other without TLS */
export function dialler(env: Pick<Env, 'after'>, tls: () => LinkTls | undefined): Dial {
  return ({ host, port, tlsPort }, events) => {
    const shown = tls()?.client
    const socket =
      shown === undefined ? connect({ host, port }) : tlsConnect({ host, port: tlsPort, ...shown })
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEPALIVE_MS)
    socket.setEncoding('latin1')
    const late = env.after(CONNECT_MS_MAX, () => socket.destroy())
    // Whatever happened, 'close' follows.
    socket.on('error', () => {})
    socket.on(shown === undefined ? 'connect' : 'secureConnect', () => {
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
