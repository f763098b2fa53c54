/**
 * node-client.test.ts: the client of the command line against real sockets.
 */

import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { nodeClient } from '../../../../region-node/cli/node-client.ts'
import { nodeEnv } from '../../../../region-node/env-node.ts'
import { RespError } from '../../../../region-node/resp/parse-reply.ts'
import { freePorts } from '../../../harness/free-ports.ts'

let server: Server | undefined
const ask = nodeClient(nodeEnv())

afterEach(() => {
  server?.close()
  server = undefined
})

/** A server on a free port. @returns its address */
async function serve(
  answer: (socket: Socket, text: string) => void,
): Promise<{ host: string; port: number }> {
  server = createServer((socket) => {
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => answer(socket, text))
  })
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
  await expect(nodeClient(env)(address, [['PING']])).rejects.toThrow('has not answered for 10 seconds')
})
