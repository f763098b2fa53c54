/**
 * dial.ts: connections of the proxy to other nodes: the only place that opens them. Plain TCP, as the nodes' replicas
 * use it: a node that has only a port for TLS cannot be reached.
 */
import { connect } from 'node:net'
import type { Dial } from './upstream.ts'

/** A node that does not answer by then cannot be reached. */
const CONNECT_MS_MAX = 3000

export const dial: Dial = ({ host, port }, events) => {
  const socket = connect({ host, port, noDelay: true })
  socket.setEncoding('latin1')
  socket.setTimeout(CONNECT_MS_MAX, () => socket.destroy())
  // Whatever happened, 'close' follows.
  socket.on('error', () => {})
  socket.on('connect', () => {
    socket.setTimeout(0)
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
