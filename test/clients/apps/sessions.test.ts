/**
 * sessions.test.ts: express-session with connect-redis: who logs in at one region is known in the other, and
 * who logs out there is forgotten here.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { RedisStore } from 'connect-redis'
import session from 'express-session'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Regions } from '../../harness/three-regions.ts'

declare module 'express-session' {
  interface SessionData {
    user?: string
    visits?: number
  }
}

type Place = 'A' | 'B'
const PLACES: readonly Place[] = ['A', 'B']
/** Longest time a session lives without a visit, seconds. */
const SESSION_SECONDS_MAX = 3600

interface Shop {
  readonly server: Server
  readonly store: RedisStore
  readonly client: ReturnType<typeof clientOf>
}

let regions: Regions
let shops: Record<Place, Shop>

beforeAll(async () => {
  regions = await Regions.start({ names: PLACES })
  const [a, b] = await Promise.all(PLACES.map(openShop))
  shops = { A: a!, B: b! }
})

afterAll(async () => {
  for (const place of PLACES) {
    shops[place].server.close()
    shops[place].client.destroy()
  }
  await regions.dispose()
})

function clientOf(place: Place) {
  const client = createClient({ url: `redis://127.0.0.1:${regions.process(place).ports.port}` })
  return client.on('error', () => {})
}

/** A web application of three pages whose sessions are in its region. */
async function openShop(place: Place): Promise<Shop> {
  const client = clientOf(place)
  await client.connect()
  const store = new RedisStore({ client, prefix: 'session:', ttl: SESSION_SECONDS_MAX })
  const middleware = session({ store, secret: 'of the tests', resave: false, saveUninitialized: false })
  const pages: RequestListener = (request, response) => {
    const visit = request as IncomingMessage & { session: session.Session & session.SessionData }
    const { pathname, searchParams } = new URL(request.url!, 'http://shop')
    const end = (error?: unknown): void => {
      const { user, visits } = visit.session ?? {}
      response.end(JSON.stringify(error === undefined || error === null ? { user, visits } : String(error)))
    }
    if (pathname === '/logout') {
      visit.session.destroy(end)
      return
    }
    if (pathname === '/login') visit.session.user = searchParams.get('user')!
    if (visit.session.user !== undefined) visit.session.visits = (visit.session.visits ?? 0) + 1
    end()
  }
  const server = createServer((request, response) => {
    const next = (): void => void pages(request, response)
    middleware(
      request as Parameters<typeof middleware>[0],
      response as Parameters<typeof middleware>[1],
      next,
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, store, client }
}

interface Answer {
  readonly body: unknown
  readonly cookie: string | undefined
}

async function visit(place: Place, path: string, cookie = ''): Promise<Answer> {
  const { port } = shops[place].server.address() as AddressInfo
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { cookie } })
  const body: unknown = await response.json()
  return { body, cookie: response.headers.get('set-cookie')?.split(';')[0] }
}

describe('express-session with connect-redis', () => {
  it('a session written in one region is read, changed and ended in the other', async () => {
    const { body, cookie } = await visit('A', '/login?user=Ada')
    expect(body).toEqual({ user: 'Ada', visits: 1 })
    expect(cookie).toMatch(/^connect\.sid=/)

    await regions.awaitEqualVectors()
    expect((await visit('B', '/', cookie)).body).toEqual({ user: 'Ada', visits: 2 })
    await regions.awaitEqualVectors()
    expect((await visit('A', '/', cookie)).body).toEqual({ user: 'Ada', visits: 3 })
    expect((await visit('B', '/')).body).toEqual({})

    await regions.awaitEqualVectors()
    await visit('B', '/logout', cookie)
    await regions.awaitEqualVectors()
    expect((await visit('A', '/', cookie)).body).toEqual({})
  })

  it('lists, counts, touches and clears sessions in both regions', async () => {
    const names = Array.from({ length: 150 }, (_, i) => `guest-${i}`)
    await Promise.all(names.map((name) => visit('A', `/login?user=${name}`)))
    await regions.awaitEqualVectors()
    for (const place of PLACES) {
      const { store, client } = shops[place]
      expect(await store.length()).toBe(names.length)
      const all = (await store.all()) as unknown as session.SessionData[]
      expect(all.map(({ user }) => user).sort()).toEqual([...names].sort())
      const [id] = await store.ids()
      expect(await client.ttl(`session:${id}`)).toBeGreaterThan(SESSION_SECONDS_MAX - 60)
      await client.expire(`session:${id}`, 60)
      await store.touch(id!, { cookie: new session.Cookie() })
      expect(await client.ttl(`session:${id}`)).toBeGreaterThan(60)
      await regions.awaitEqualVectors()
    }
    await shops.B.store.clear()
    await regions.awaitEqualVectors()
    for (const place of PLACES) expect(await shops[place].store.length()).toBe(0)
  })
})
