/**
 * etcd-gateway.test.ts: a stream of a member that says nothing more ends when it is told to, whatever was collected
 * as garbage in between.
 *
 * Found as a watch that stayed on a frozen member for ever: undici ties the signal of a `fetch` to the body of its
 * response by a weak reference only.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EtcdError, EtcdGateway } from '../../region-node/coordinator/etcd-gateway.ts'
import { nodeEnv } from '../../region-node/env-node.ts'

const env = nodeEnv()
const FROZEN = new EtcdError('unclear', 'the member is frozen')

let server: Server
let sockets: Socket[]
let endpoint: string
let gateway: EtcdGateway

beforeEach(async () => {
  sockets = []
  // It begins an answer, and falls silent.
  server = createServer((_request, response) => {
    response.writeHead(200)
    response.write('{}\n')
  })
  server.on('connection', (socket) => sockets.push(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  gateway = new EtcdGateway({ endpoints: [endpoint], root: '', attemptMs: 300, deadlineMs: 300 }, env)
})

afterEach(() => {
  gateway.close()
  for (const socket of sockets) socket.destroy()
  server.close()
})

async function collectAll(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    env.collectGarbage('all')
    await delay(1)
  }
}

describe('a member that falls silent in the middle of an answer', () => {
  it('is left when its stream is ended, and its connection is closed', async () => {
    let abort: (reason: EtcdError) => void = () => {}
    let toldFirst: () => void
    const first = new Promise<void>((resolve) => {
      toldFirst = resolve
    })
    const begun = (ends: typeof abort): void => {
      abort = ends
    }
    const streamed = gateway.stream(endpoint, '/v3/watch', {}, begun, () => toldFirst())
    const failed = expect(streamed).rejects.toBe(FROZEN)
    await first
    await collectAll()
    const closed = once(sockets[0]!, 'close')
    abort(FROZEN)
    await failed
    await closed
  })

  it('is left at the deadline of a call', async () => {
    const answered = gateway.perform('once', (ask) => ask('/v3/kv/range', {}))
    await delay(100)
    await collectAll()
    expect(await answered).toEqual({
      ok: false,
      failure: { code: 'timeout', sentence: `${endpoint} did not answer within 300 ms` },
    })
  })

  it('is left when the client is closed', async () => {
    const streamed = gateway.stream(
      endpoint,
      '/v3/watch',
      {},
      () => {},
      () => {
        void collectAll().then(() => gateway.close())
      },
    )
    await expect(streamed).rejects.toThrow('the client is closed')
  })

  it('is left when what it said is refused', async () => {
    const streamed = gateway.stream(
      endpoint,
      '/v3/watch',
      {},
      () => {},
      () => {
        throw FROZEN
      },
    )
    await expect(streamed).rejects.toBe(FROZEN)
    await once(sockets[0]!, 'close')
  })
})
