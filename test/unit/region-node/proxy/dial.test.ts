/**
 * dial.test.ts: the proxy's connections to other nodes, with and without TLS.
 */
import { createServer, type Server } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, expect, it } from 'vitest'
import { dialler } from '../../../../region-node/proxy/dial.ts'
import type { UpstreamEvents } from '../../../../region-node/proxy/upstream.ts'
import { linkTls, tlsOptions } from '../../../../region-node/server/tls.ts'
import { CERTIFICATE_DISK, tlsSettingsOf } from '../../../harness/tls-files.ts'

const env = {
  after(delayMs: number, task: () => void) {
    const handle = setTimeout(task, delayMs).unref()
    return { cancel: () => clearTimeout(handle) }
  },
}

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

/** @returns its port */
async function listening(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Sends a word; resolves with what came back until the connection was closed. */
function echoed(
  dial: ReturnType<typeof dialler>,
  address: { readonly port: number; readonly tlsPort: number },
): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const events: UpstreamEvents = {
      connected: () => socket.write('caf\xe9'),
      received: (part) => {
        text += part
        if (text.length === 4) socket.destroy()
      },
      closed: () => resolve(text),
    }
    const socket = dial({ host: '127.0.0.1', ...address }, events)
  })
}

const tlsOf = (name: 'node' | 'client' | 'stranger') => linkTls(tlsSettingsOf(name), CERTIFICATE_DISK)

it('go to the plain port where nodes speak no TLS', async () => {
  const port = await listening(createServer((socket) => socket.pipe(socket)))
  expect(
    await echoed(
      dialler(env, () => undefined),
      { port, tlsPort: 0 },
    ),
  ).toBe('caf\xe9')
})

it('go to the port for TLS where they do, with certificates on both sides', async () => {
  const options = tlsOptions(tlsSettingsOf('node'), CERTIFICATE_DISK)
  const tlsPort = await listening(
    createTlsServer(options, (socket) => {
      socket.on('error', () => {})
      socket.pipe(socket)
    }),
  )
  expect(
    await echoed(
      dialler(env, () => tlsOf('client')),
      { port: 0, tlsPort },
    ),
  ).toBe('caf\xe9')
  expect(
    await echoed(
      dialler(env, () => tlsOf('stranger')),
      { port: 0, tlsPort },
    ),
  ).toBe('')
})
