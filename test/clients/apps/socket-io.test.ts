/**
 * socket-io.test.ts: Socket.IO with its Redis adapter, one server in each of two regions, each beside its own
 * region's node: what one server emits reaches the browsers of the other.
 *
 * Both adapters are here: the one over patterns (PSUBSCRIBE) and the sharded one (SSUBSCRIBE), with ioredis
 * over RESP2 and RESP3. What asks for answers of all servers (fetchSockets, acknowledged broadcasts) counts
 * the servers by PUBSUB NUMSUB, which here as in a Redis Cluster counts those of one node: it stays in a region.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter'
import { Redis } from 'ioredis'
import { Server } from 'socket.io'
import { io, type Socket } from 'socket.io-client'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Regions } from '../../harness/three-regions.ts'

type Place = 'A' | 'B'
const PLACES: readonly Place[] = ['A', 'B']
type Adapter = typeof createAdapter | typeof createShardedAdapter

/** A Socket.IO server, the connections of its adapter, and a browser of it. */
interface Site {
  readonly server: Server
  readonly browser: Socket
  close(): Promise<void>
}

let regions: Regions
let sites: Record<Place, Site>

beforeAll(async () => {
  regions = await Regions.start({ names: PLACES })
})

afterAll(() => regions?.dispose())

afterEach(async () => {
  for (const place of PLACES) await sites[place].close()
})

async function openSite(place: Place, create: Adapter, protocol: 2 | 3): Promise<Site> {
  const { port } = regions.process(place).ports
  const publishing = new Redis({ port, protocol })
  const subscribed = publishing.duplicate()
  const http = createServer()
  const server = new Server(http, { adapter: create(publishing, subscribed), serveClient: false })
  server.on('connection', (socket) => {
    socket.on('join', async (room: string, joined: () => void) => {
      await socket.join(room)
      joined()
    })
    socket.on('say', (room: string, text: string) => socket.to(room).emit('said', text))
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const browser = io(url, { transports: ['websocket'], reconnection: false })
  await new Promise<void>((resolve, reject) => {
    browser.once('connect', resolve).once('connect_error', reject)
  })
  return {
    server,
    browser,
    async close() {
      browser.disconnect()
      await server.close()
      // The adapter unsubscribes and waits for nobody: QUIT is answered after it, where a disconnect would
      // fail commands whose replies are still under way, and nobody catches that.
      await Promise.all([publishing.quit(), subscribed.quit()])
    },
  }
}

/** The next `count` messages of that name, in order of arrival. */
function heard(browser: Socket, event: string, count = 1): Promise<unknown[]> {
  const messages: unknown[] = []
  return new Promise((resolve) => {
    const hear = (message: unknown): void => {
      messages.push(message)
      if (messages.length < count) return
      browser.off(event, hear)
      resolve(messages)
    }
    browser.on(event, hear)
  })
}

/** Both servers listen at their node: what is emitted from now on arrives. */
async function emitUntilHeard(from: Site, to: Site): Promise<void> {
  const done = heard(to.browser, 'awake')
  const again = setInterval(() => from.server.emit('awake', ''), 20)
  await done
  clearInterval(again)
}

describe.each([
  ['patterns', createAdapter, 2],
  ['patterns', createAdapter, 3],
  ['shard channels', createShardedAdapter, 2],
  ['shard channels', createShardedAdapter, 3],
] as const)("Socket.IO's Redis adapter over %s, %o, RESP%i", (_name, create, protocol) => {
  it('reaches the browsers of the other region', async () => {
    const [a, b] = await Promise.all(PLACES.map((place) => openSite(place, create, protocol)))
    sites = { A: a!, B: b! }
    await emitUntilHeard(sites.A, sites.B)
    await emitUntilHeard(sites.B, sites.A)

    // A broadcast of many messages, in order.
    const count = 200
    const expected = Array.from({ length: count }, (_, i) => ({ i, bytes: Buffer.from([0, 255, i]) }))
    const all = PLACES.map((place) => heard(sites[place].browser, 'news', count))
    for (const message of expected) sites.A.server.emit('news', message)
    for (const messages of await Promise.all(all)) expect(messages).toEqual(expected)

    // To a room: the one who says it does not hear it, the member in the other region does.
    for (const place of PLACES) await sites[place].browser.emitWithAck('join', 'tea')
    const said = heard(sites.B.browser, 'said')
    const echoed: unknown[] = []
    sites.A.browser.on('said', (text) => echoed.push(text))
    sites.A.browser.emit('say', 'tea', 'hello')
    expect(await said).toEqual(['hello'])
    const answered = heard(sites.A.browser, 'said')
    sites.B.browser.emit('say', 'tea', 'hello back')
    expect(await answered).toEqual(['hello back'])
    expect(echoed).toEqual(['hello back'])

    // A server moves the sockets of the other region, and speaks to the other server.
    const told = new Promise((resolve) => sites.B.server.once('rumour', resolve))
    sites.A.server.serverSideEmit('rumour', 'of A')
    expect(await told).toBe('of A')
    const gone = new Promise((resolve) => sites.B.browser.once('disconnect', resolve))
    sites.A.server.to(sites.B.browser.id!).disconnectSockets()
    expect(await gone).toBe('io server disconnect')
  })
})
