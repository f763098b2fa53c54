/**
 * node-client.test.ts: the client of the command line against real sockets.
 */

import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { type NodeAddress, type NodeTls, nodeClient } from '../../../../region-node/cli/node-client.ts'
import { nodeEnv } from '../../../../region-node/env-node.ts'
import { RespError } from '../../../../region-node/resp/parse-reply.ts'
import { tlsOptions } from '../../../../region-node/server/tls.ts'
import { freePorts } from '../../../harness/free-ports.ts'
import { CERTIFICATE_DISK, CERTIFICATES, tlsSettingsOf } from '../../../harness/tls-files.ts'

let server: Server | undefined
const ask = (address: NodeAddress, commands: readonly (readonly string[])[], tls?: NodeTls) =>
  nodeClient(nodeEnv())(address, commands, tls)

afterEach(() => {
  server?.close()
  server = undefined
})

/** A server on a free port. @param tls  undefined: it speaks none @returns its address */
async function serve(answer: (socket: Socket, text: string) => void, tls?: TlsOptions): Promise<NodeAddress> {
  const accept = (socket: Socket): void => {
    socket.setEncoding('latin1')
    socket.on('error', () => {})
    socket.on('data', (text: string) => answer(socket, text))
  }
  server = tls === undefined ? createServer(accept) : createTlsServer(tls, accept)
  server.on('tlsClientError', (_error, socket: Socket) => socket.destroy())
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve))
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

it('says all commands in one go and gives their replies, errors too', async () => {
  let heard = ''
  const address = await serve((socket, text) => {
    heard += text
    if (!heard.endsWith('q\xff\r\n')) return
    socket.write('+OK\r\n*1\r\n')
    socket.write('-ERR no\r\n')
  })
  expect(await ask(address, [['AUTH', 'p'], ['q\xff']])).toEqual(['OK', [new RespError('ERR no')]])
  expect(heard).toBe('*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n*1\r\n$2\r\nq\xff\r\n')
})

it('says that nobody listens there', async () => {
  const [port] = await freePorts(1)
  await expect(ask({ host: '127.0.0.1', port: port! }, [['PING']])).rejects.toThrow(
    `cannot reach a node at 127.0.0.1:${port}: connect ECONNREFUSED`,
  )
})

it('says that the node hung up', async () => {
  const address = await serve((socket) => socket.end('+O'))
  await expect(ask(address, [['PING']])).rejects.toThrow('closed the connection')
})

it('says that something else answers', async () => {
  const address = await serve((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await expect(ask(address, [['PING']])).rejects.toThrow(
    'is no node: name the port for Redis clients with --to',
  )
})

it('does not wait for ever', async () => {
  const env = { ...nodeEnv(), after: (_delayMs: number, task: () => void) => nodeEnv().after(20, task) }
  const address = await serve(() => {})
  await expect(nodeClient(env)(address, [['PING']], undefined)).rejects.toThrow(
    'has not answered for 10 seconds',
  )
})

describe('inside TLS', () => {
  const said = { trusted: '--cacert', shown: '--cert' }
  const file = (name: string): Buffer => readFileSync(`${CERTIFICATES}/${name}`)
  const shown = (name: string) => ({ cert: file(`${name}.pem`), key: file(`${name}.key`) })
  const TRUSTING: NodeTls = {
    secureContext: createSecureContext({ ca: file('ca.pem') }),
    rejectUnauthorized: true,
    said,
  }
  const ADMIN = {
    ...TRUSTING,
    secureContext: createSecureContext({ ca: file('ca.pem'), ...shown('client') }),
  }
  const WRONG = {
    ...TRUSTING,
    secureContext: createSecureContext({ ca: file('ca.pem'), ...shown('stranger') }),
  }
  const CREDULOUS = { ...TRUSTING, secureContext: createSecureContext({}), rejectUnauthorized: false }
  const DOUBTFUL = { ...CREDULOUS, rejectUnauthorized: true }
  const OPEN = tlsOptions({ ...tlsSettingsOf('node'), 'tls-auth-clients': 'no' }, CERTIFICATE_DISK)
  const WARY = tlsOptions(tlsSettingsOf('node'), CERTIFICATE_DISK)
  const OLD = { ...WARY, maxVersion: 'TLSv1.2' } as const
  const ok = (socket: Socket): void => void socket.write('+OK\r\n')

  it.each([
    ['to whom it trusts', OPEN, TRUSTING],
    ['with a certificate of its own', WARY, ADMIN],
    ['to anybody, when told to', OPEN, CREDULOUS],
  ])('it speaks %s', async (_what, server, tls) => {
    expect(await ask(await serve(ok, server), [['PING']], tls)).toEqual(['OK'])
  })

  it('knows a node by its name too', async () => {
    const { port } = await serve(ok, OPEN)
    expect(await ask({ host: 'localhost', port }, [['PING']], TRUSTING)).toEqual(['OK'])
  })

  it.each([
    [
      'whom nobody vouches for',
      OPEN,
      DOUBTFUL,
      /not trusted \(self-signed .*\): name who signed it with --cacert/,
    ],
    [
      'who wants a certificate',
      WARY,
      TRUSTING,
      /certificate required; does it want .* it trusts \(--cert\)\?/,
    ],
    ['who wants a certificate, in TLS 1.2', OLD, TRUSTING, /handshake failure; does it want/],
    ['who wants another certificate', WARY, WRONG, /closed the connection; does it want a certificate that/],
    [
      'who speaks none',
      undefined,
      TRUSTING,
      /no TLS is spoken at .*: name the port for clients that speak TLS/,
    ],
    ['who wants TLS', OPEN, undefined, /closed the connection; is TLS spoken there \(--tls\)\?/],
  ])('says what to do with one %s', async (_what, server, tls, sentence) => {
    await expect(ask(await serve(ok, server), [['PING']], tls)).rejects.toThrow(sentence)
  })

  it('says that the certificate is one of another name', async () => {
    const address = await serve(ok, { ...OPEN, ...shown('stranger') })
    const trusting = { ...TRUSTING, secureContext: createSecureContext({ ca: file('stranger.pem') }) }
    await expect(ask(address, [['PING']], trusting)).rejects.toThrow(
      /does not name 127.0.0.1: reach it by a name that is in it/,
    )
  })
})
