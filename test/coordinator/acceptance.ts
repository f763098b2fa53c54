/**
 * acceptance.ts: what every engine behind `region-node/coordinator/port.ts` has to do, as one suite.
 *
 * An engine is run on whatever time it knows: the suite never sleeps, it asks the engine to let time pass until
 * something is so. Each test has a prefix of its own, so all of a suite may share one engine.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Coordinator } from '../../region-node/coordinator/port.ts'
import { Client, put, remove, type Until } from './client.ts'

export interface Engine {
  /** A coordinator with a connection of its own. The suite closes it. */
  connect(): Coordinator
  /** Another one, to an engine that lets no change through and does not say so. */
  connectCutOff(): Promise<Coordinator>
  /** Every call is answered by then, milliseconds. */
  readonly deadlineMs: number
  /** A lease that outlasts some calls, milliseconds. */
  readonly leaseMs: number
  /** How late a lease may end, milliseconds. */
  readonly leaseLateMs: number
  nowMs(): number
  readonly until: Until
  /** Makes it forget the changes behind a watch that begins at revision 1. */
  forgetHistory(client: Client): Promise<void>
  stop(): Promise<void>
}

/** How late a call may answer that has timed out: the timer, and a busy processor. */
const LATE_MS = 500

export function itIsACoordinator(start: () => Promise<Engine>): void {
  let engine: Engine
  let open: Coordinator[] = []
  let prefix = ''
  let tests = 0

  beforeAll(async () => {
    engine = await start()
  })
  beforeEach(() => {
    prefix = `test-${++tests}/`
  })
  afterEach(() => {
    for (const coordinator of open) coordinator.close()
    open = []
  })
  afterAll(() => engine?.stop())

  const connect = (): Client => use(engine.connect())
  const use = (coordinator: Coordinator): Client => {
    open.push(coordinator)
    return new Client(coordinator, engine.until)
  }
  const pass = (ms: number): Promise<void> => {
    const endMs = engine.nowMs() + ms
    return engine.until(() => engine.nowMs() >= endMs)
  }

  describe('documents', () => {
    it('are absent at first', async () => {
      expect((await connect().read(prefix)).entries).toEqual([])
    })

    it('are read as they were put, by everybody, with the revision that wrote them', async () => {
      const [writer, reader] = [connect(), connect()]
      const first = await writer.put(`${prefix}a`, '{"x":1}')
      const second = await writer.put(`${prefix}b`, '{}')
      expect(second).toBeGreaterThan(first)
      expect(await reader.read(prefix)).toEqual({
        revision: second,
        entries: [
          { key: `${prefix}a`, value: '{"x":1}', revision: first },
          { key: `${prefix}b`, value: '{}', revision: second },
        ],
      })
    })

    it('hold any text, in key and value, also none', async () => {
      const client = connect()
      const texts = ['', ' ', '\u0000', '"\\\n', 'Zürich', '数据库', '\u{1f600}', '\uffff', 'a'.repeat(1000)]
      for (const [at, text] of texts.entries()) await client.put(`${prefix}${at}/${text}`, text)
      const expected = Object.fromEntries(texts.map((text, at) => [`${prefix}${at}/${text}`, text]))
      expect(await client.documents(prefix)).toEqual(expected)
      expect(await client.documents(`${prefix}5/数`)).toEqual({ [`${prefix}5/数据库`]: '数据库' })
    })

    it('may be large, and many', async () => {
      const client = connect()
      const large = 'Größe '.repeat(100_000)
      await client.put(`${prefix}large`, large)
      const many = Array.from({ length: 100 }, (_, at) => put(`${prefix}many/${at}`, String(at)))
      await client.commit([], many)
      expect((await client.documents(prefix))[`${prefix}large`]).toBe(large)
      expect((await client.read(`${prefix}many/`)).entries).toHaveLength(100)
    })

    it('are found by their whole prefix and no other', async () => {
      const client = connect()
      const names = ['a', 'a/', 'a/b', 'a/b/c', 'a0', 'ab', 'b']
      await client.commit(
        [],
        names.map((name) => put(prefix + name, name)),
      )
      const found = async (name: string): Promise<string[]> => Object.values(await client.documents(name))
      expect(await found(`${prefix}a/`)).toEqual(['a/', 'a/b', 'a/b/c'])
      expect(await found(`${prefix}a/b/c`)).toEqual(['a/b/c'])
      expect(await found(`${prefix}c`)).toEqual([])
      expect(await found('')).toEqual(expect.arrayContaining(names))
    })
  })

  describe('a commit', () => {
    it('happens only if all its conditions hold', async () => {
      const client = connect()
      const [a, b] = [`${prefix}a`, `${prefix}b`]
      const absent = await client.commit([{ key: a, revision: 0 }], [put(a, 'one')])
      expect(absent.isCommitted).toBe(true)
      expect((await client.commit([{ key: a, revision: 0 }], [put(a, 'two')])).isCommitted).toBe(false)

      const half = [
        { key: a, revision: absent.revision },
        { key: b, revision: absent.revision },
      ]
      expect((await client.commit(half, [put(a, 'two'), put(b, 'two')])).isCommitted).toBe(false)
      expect(await client.documents(prefix)).toEqual({ [a]: 'one' })

      const met = [
        { key: a, revision: absent.revision },
        { key: b, revision: 0 },
      ]
      expect((await client.commit(met, [put(a, 'two'), put(b, 'two')])).isCommitted).toBe(true)
      expect(await client.documents(prefix)).toEqual({ [a]: 'two', [b]: 'two' })
    })

    it('that does not happen says at which revision', async () => {
      const client = connect()
      const revision = await client.put(`${prefix}a`, 'one')
      const refused = await client.commit([{ key: `${prefix}a`, revision: 0 }], [put(`${prefix}a`, 'two')])
      expect(refused).toEqual({ isCommitted: false, revision })
    })

    it('has one revision for all its changes', async () => {
      const client = connect()
      await client.put(`${prefix}gone`, '')
      const { revision } = await client.commit(
        [],
        [put(`${prefix}a`, '1'), put(`${prefix}b`, '2'), remove(`${prefix}gone`)],
      )
      const reading = await client.read(prefix)
      expect(reading.revision).toBe(revision)
      expect(reading.entries.map((entry) => entry.revision)).toEqual([revision, revision])
    })

    it('that deletes what is absent changes nothing', async () => {
      const client = connect()
      const { revision } = await client.read(prefix)
      expect(await client.commit([], [remove(`${prefix}a`)])).toEqual({ isCommitted: true, revision })
    })

    it('makes a document absent again', async () => {
      const client = connect()
      const key = `${prefix}a`
      await client.put(key, 'one')
      await client.commit([], [remove(key)])
      expect((await client.commit([{ key, revision: 0 }], [put(key, 'two')])).isCommitted).toBe(true)
    })

    it('is won by exactly one of those who race', async () => {
      const key = `${prefix}leader`
      const clients = Array.from({ length: 5 }, connect)
      let revision = 0
      for (let round = 0; round < 5; round++) {
        const outcomes = await Promise.all(
          clients.map((client, at) => client.commit([{ key, revision }], [put(key, `${round}/${at}`)])),
        )
        const winners = outcomes.flatMap(({ isCommitted }, at) => (isCommitted ? [at] : []))
        expect(winners).toHaveLength(1)
        revision = outcomes[winners[0]!]!.revision
        expect((await clients[0]!.read(key)).entries).toEqual([
          { key, value: `${round}/${winners[0]}`, revision },
        ])
      }
    })
  })

  describe('a lease', () => {
    it('lasts at least as long as was asked, then takes its keys along', async () => {
      const client = connect()
      const sentMs = engine.nowMs()
      const lease = await client.grant(engine.leaseMs)
      expect(lease.ttlMs).toBeGreaterThanOrEqual(engine.leaseMs)
      await client.commit(
        [],
        [put(`${prefix}a`, '', lease), put(`${prefix}b`, '', lease), put(`${prefix}c`, '')],
      )
      const watched = client.watch(prefix, (await client.read(prefix)).revision)
      expect(await watched.told(2)).toEqual([`${prefix}a-`, `${prefix}b-`])
      const lastedMs = engine.nowMs() - sentMs
      expect(lastedMs).toBeGreaterThanOrEqual(lease.ttlMs)
      expect(lastedMs).toBeLessThan(lease.ttlMs + engine.leaseLateMs)
      expect(await client.documents(prefix)).toEqual({ [`${prefix}c`]: '' })
      expect(await client.renew(lease)).toBe(false)
    })

    it('goes on as long as it is renewed, by anybody', async () => {
      const [holder, other] = [connect(), connect()]
      const lease = await holder.grant(engine.leaseMs)
      await holder.put(`${prefix}a`, '', lease)
      for (let renewals = 0; renewals < 5; renewals++) {
        await pass(lease.ttlMs / 2)
        expect(await (renewals % 2 === 0 ? other : holder).renew(lease)).toBe(true)
      }
      expect(await other.documents(prefix)).toEqual({ [`${prefix}a`]: '' })
      await holder.revoke(lease)
    })

    it('ends at once when it is revoked, also by another client, and twice is no failure', async () => {
      const [holder, other] = [connect(), connect()]
      const lease = await holder.grant(60_000)
      await holder.put(`${prefix}a`, '', lease)
      await other.revoke(lease)
      expect(await holder.documents(prefix)).toEqual({})
      expect(await holder.renew(lease)).toBe(false)
      await holder.revoke(lease)
    })

    it('that is gone lets no commit happen that names it', async () => {
      const client = connect()
      const lease = await client.grant(60_000)
      await client.revoke(lease)
      const { revision } = await client.read(prefix)
      const changes = [put(`${prefix}a`, ''), put(`${prefix}b`, '', lease)]
      expect(await client.commit([], changes)).toEqual({ isCommitted: false, revision })
      expect(await client.documents(prefix)).toEqual({})
    })

    it('lets go of a key that is put without it, or under another one', async () => {
      const client = connect()
      const [first, second] = [await client.grant(60_000), await client.grant(60_000)]
      await client.commit([], [put(`${prefix}a`, '1', first), put(`${prefix}b`, '1', first)])
      await client.commit([], [put(`${prefix}a`, '2'), put(`${prefix}b`, '2', second)])
      await client.revoke(first)
      expect(await client.documents(prefix)).toEqual({ [`${prefix}a`]: '2', [`${prefix}b`]: '2' })
      await client.revoke(second)
      expect(await client.documents(prefix)).toEqual({ [`${prefix}a`]: '2' })
    })
  })

  describe('a watch', () => {
    it('tells every change under its prefix, in order, once', async () => {
      const [watcher, one, two] = [connect(), connect(), connect()]
      const watched = watcher.watch(`${prefix}a/`, (await watcher.read(prefix)).revision)
      const lease = await one.grant(60_000)
      await one.put(`${prefix}a/x`, '1')
      await two.put(`${prefix}a/y`, '2', lease)
      await one.put(`${prefix}b/x`, 'not watched')
      await two.put(`${prefix}a/x`, '3')
      await one.commit([], [remove(`${prefix}a/x`)])
      await two.revoke(lease)
      await one.put(`${prefix}a/end`, '')
      const names = await watched.told(6)
      expect(names.map((name) => name.slice(prefix.length))).toEqual([
        ...['a/x=1', 'a/y=2', 'a/x=3', 'a/x-', 'a/y-', 'a/end='],
      ])
      const revisions = watched.events.map(({ revision }) => revision)
      expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b))
    })

    it('goes on from any revision', async () => {
      const client = connect()
      const revisions: number[] = []
      for (let at = 0; at < 5; at++) revisions.push(await client.put(`${prefix}a`, String(at)))
      const watches = revisions.map((after) => client.watch(prefix, after))
      await client.put(`${prefix}a`, '5')
      for (const [at, watched] of watches.entries()) {
        const expected = [1, 2, 3, 4, 5].slice(at).map((value) => `${prefix}a=${value}`)
        expect(await watched.told(5 - at)).toEqual(expected)
      }
    })

    it('tells the changes of one revision together', async () => {
      const client = connect()
      const watched = client.watch(prefix, (await client.read(prefix)).revision)
      const keys = Array.from({ length: 20 }, (_, at) => `${prefix}${at}`)
      await client.commit(
        [],
        keys.map((key) => put(key, '')),
      )
      await watched.told(keys.length)
      expect(watched.calls).toBe(1)
    })

    it('tells texts of any kind and size', async () => {
      const client = connect()
      const watched = client.watch(prefix, (await client.read(prefix)).revision)
      const large = 'Größe '.repeat(30_000)
      await client.put(`${prefix}数`, '\u{1f600}"\\\n')
      await client.put(`${prefix}empty`, '')
      await client.put(`${prefix}large`, large)
      expect(await watched.told(3)).toEqual([
        `${prefix}数=\u{1f600}"\\\n`,
        `${prefix}empty=`,
        `${prefix}large=${large}`,
      ])
    })

    it('may be one of many', async () => {
      const writer = connect()
      const { revision } = await writer.read(prefix)
      const clients = Array.from({ length: 4 }, connect)
      const watches = clients.flatMap((client) =>
        Array.from({ length: 10 }, () => client.watch(prefix, revision)),
      )
      const expected: string[] = []
      for (let at = 0; at < 20; at++) {
        await writer.put(`${prefix}a`, String(at))
        expected.push(`${prefix}a=${at}`)
      }
      for (const watched of watches) expect(await watched.told(20)).toEqual(expected)
    })

    it('says nothing once it is cancelled', async () => {
      const client = connect()
      const { revision } = await client.read(prefix)
      const [cancelled, other] = [client.watch(prefix, revision), client.watch(prefix, revision)]
      cancelled.cancel()
      await client.put(`${prefix}a`, '')
      await other.told(1)
      expect(cancelled.events).toEqual([])
      expect(cancelled.losses).toEqual([])
    })

    it('is lost, once, when the changes behind its place are forgotten', async () => {
      const client = connect()
      await engine.forgetHistory(client)
      const watched = client.watch(prefix, 1)
      await watched.lost()
      const other = client.watch(prefix, (await client.read(prefix)).revision)
      await client.put(`${prefix}a`, '')
      await other.told(1)
      expect(watched.events).toEqual([])
      expect(watched.losses).toHaveLength(1)
    })

    it('is lost when its place is one that the engine has not come to', async () => {
      const client = connect()
      await client.watch(prefix, (await client.read(prefix)).revision + 1_000_000).lost()
    })
  })

  describe('a client', () => {
    it('that is cut off answers by its deadline', async () => {
      const lease = await connect().grant(60_000)
      const client = use(await engine.connectCutOff())
      const sentMs = engine.nowMs()
      const answers = await Promise.all([
        client.tryCommit([], [put(`${prefix}a`, '')]),
        client.tryGrant(engine.leaseMs),
        client.tryRevoke(lease),
      ])
      for (const answer of answers) expect(answer).toMatchObject({ ok: false })
      await Promise.all([client.tryRead(prefix), client.tryRenew(lease)])
      expect(engine.nowMs() - sentMs).toBeLessThan(2 * (engine.deadlineMs + LATE_MS))
      expect(await connect().documents(prefix)).toEqual({})
    })

    it('that is closed says nothing more', async () => {
      const [closed, other] = [engine.connect(), connect()]
      const { revision } = await other.read(prefix)
      const said: string[] = []
      const events = { changed: () => said.push('changed'), lost: () => said.push('lost') }
      closed.watch(prefix, revision, events)
      closed.read(prefix, () => said.push('read'))
      closed.grant(engine.leaseMs, () => said.push('grant'))
      closed.close()
      closed.read(prefix, () => said.push('read'))
      closed.watch(prefix, 0, events)
      await other.put(`${prefix}a`, '')
      await pass(engine.deadlineMs + LATE_MS)
      expect(said).toEqual([])
    })
  })
}
