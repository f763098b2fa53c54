/**
 * memory.test.ts: the coordinator in memory, on a clock that stands still until a test moves it.
 */
import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../region-node/coordinator/memory.ts'
import { ManualClock } from '../harness/manual-clock.ts'
import { type Engine, itIsACoordinator } from './acceptance.ts'
import { Client, put, type Until } from './client.ts'

const SETTINGS = { deadlineMs: 500, delayMs: 3 }
/** Virtual time in which anything a test waits for has happened. */
const WAIT_MS_MAX = 120_000

function untilOn(clock: ManualClock): Until {
  return async (isSo) => {
    // Lets those who ask at the same time all ask before time passes.
    await Promise.resolve()
    for (let waitedMs = 0; !isSo(); waitedMs++) {
      if (waitedMs === WAIT_MS_MAX) throw new Error('this never comes about')
      clock.advance(1)
    }
  }
}

async function start(): Promise<Engine> {
  const clock = new ManualClock()
  const store = new MemoryStore(clock)
  return {
    connect: () => store.connect(SETTINGS),
    connectCutOff: async () => {
      const connection = store.connect(SETTINGS)
      connection.cut()
      return connection
    },
    deadlineMs: SETTINGS.deadlineMs,
    leaseMs: 1000,
    leaseLateMs: 10,
    nowMs: () => clock.monoMs(),
    until: untilOn(clock),
    forgetHistory: async (client) => {
      for (let at = 0; at < 5; at++) await client.put('history', 'x'.repeat(100_000))
    },
    stop: async () => {},
  }
}

describe('the memory coordinator', () => itIsACoordinator(start))

describe('a connection that is cut', () => {
  function prepare() {
    const clock = new ManualClock()
    const store = new MemoryStore(clock)
    const [near, far] = [store.connect(SETTINGS), store.connect(SETTINGS)]
    const until = untilOn(clock)
    return { clock, near, store, client: new Client(near, until), other: new Client(far, until) }
  }

  it('may leave a commit done whose answer never came', async () => {
    const { clock, near, client, other } = prepare()
    const answer = client.tryCommit([], [put('a', 'done')])
    clock.advance(SETTINGS.delayMs)
    near.cut()
    expect(await answer).toMatchObject({ ok: false, failure: { code: 'timeout' } })
    expect(await other.documents('')).toEqual({ a: 'done' })
  })

  it('may lose a commit before it is done', async () => {
    const { near, client, other } = prepare()
    const answer = client.tryCommit([], [put('a', 'lost')])
    near.cut()
    expect(await answer).toMatchObject({ ok: false, failure: { code: 'timeout' } })
    expect(await other.documents('')).toEqual({})
  })

  it('heals, and a watch is told what it missed', async () => {
    const { near, client, other } = prepare()
    const watched = client.watch('', 0)
    await other.put('a', '1')
    await watched.told(1)
    near.cut()
    await other.put('a', '2')
    await other.put('a', '3')
    expect(watched.events).toHaveLength(1)
    near.heal()
    expect(await watched.told(3)).toEqual(['a=1', 'a=2', 'a=3'])
  })

  it('sends again what a cut swallowed, and nothing twice', async () => {
    const { clock, near, client, other } = prepare()
    const watched = client.watch('', 0)
    await other.put('a', '1')
    const sent = other.put('a', '2')
    clock.advance(SETTINGS.delayMs + 1)
    near.cut()
    near.heal()
    await sent
    await other.put('a', '3')
    expect(await watched.told(3)).toEqual(['a=1', 'a=2', 'a=3'])
  })

  it('loses its watches when it does not heal in time', async () => {
    const { clock, near, client } = prepare()
    const watched = client.watch('', 0)
    near.cut()
    clock.advance(SETTINGS.deadlineMs - 1)
    expect(watched.losses).toEqual([])
    clock.advance(1)
    near.heal()
    await client.put('a', '1')
    clock.advance(1000)
    expect(watched.losses).toHaveLength(1)
    expect(watched.events).toEqual([])
  })

  it('loses no lease but by time', async () => {
    const { clock, near, client, other } = prepare()
    const lease = await client.grant(1000)
    await client.put('a', '', lease)
    near.cut()
    clock.advance(900)
    expect(await other.documents('')).toEqual({ a: '' })
    clock.advance(100)
    expect(await other.documents('')).toEqual({})
  })

  it('differs from a store that is halted: no lease ends there, and all begin anew', async () => {
    const { clock, store, client, other } = prepare()
    const lease = await client.grant(1000)
    await client.put('a', '', lease)
    store.halt()
    expect(await other.tryRead('')).toMatchObject({ ok: false, failure: { code: 'timeout' } })
    clock.advance(10_000)
    store.goOn()
    clock.advance(900)
    expect(await other.documents('')).toEqual({ a: '' })
    clock.advance(100)
    expect(await other.documents('')).toEqual({})
  })
})
