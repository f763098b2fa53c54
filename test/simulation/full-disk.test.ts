/**
 * full-disk.test.ts: a region whose disk is full: what it answers, what it keeps from its peers and they
 * from it, and that all of it ends when there is room.
 */
import { afterEach, describe, expect, it } from 'vitest'
import type { FsyncPolicy } from '../../region-node/persistence/op-log.ts'
import { MemoryNetwork } from '../harness/memory-transport.ts'
import { Prng } from '../harness/prng.ts'
import { type SentCommand, SimClient } from '../harness/sim-client.ts'
import { SimClock } from '../harness/sim-clock.ts'
import { SimDisk } from '../harness/sim-disk.ts'
import { SimWallClock } from '../harness/sim-env.ts'
import { quietObserver, SimNode, type SimNodeObserver } from '../harness/sim-node.ts'

const FAULTS = {
  syncMsMin: 2,
  syncMsMax: 2,
  slowSyncChance: 0,
  slowSyncMs: 0,
  syncErrorChance: 0,
  pageBytes: 64,
}

const broken: Error[] = []
afterEach(() => expect(broken.splice(0)).toEqual([]))

const observer: SimNodeObserver = { ...quietObserver, broke: (_, error) => broken.push(error) }

/** Two regions, the disk of the first full since its client has sent a write that no room was found for. */
async function twoRegions(policy: FsyncPolicy) {
  const clock = new SimClock()
  const prng = new Prng(7)
  const network = new MemoryNetwork({
    after: (delayMs, task) => clock.after(delayMs, task),
    monoMs: () => clock.nowMs,
    random: () => prng.random(),
  })
  const regionOf = (id: number) => {
    const disk = new SimDisk(clock, prng.fork(`disk ${id}`), FAULTS)
    const machine = { clock, network, disk, wall: new SimWallClock(clock, 0, 1), prng: prng.fork(`${id}`) }
    const peer = { name: `r${3 - id}`, url: `memory:r${3 - id}` }
    const node = new SimNode(
      {
        region: `r${id}`,
        'region-id': id,
        dir: '/data',
        'sync-port': 1,
        'sync-secret': 'x',
        appendfsync: policy,
        peer: [peer],
      },
      machine,
      observer,
    )
    return { node, disk, client: () => new SimClient(node, () => {}) }
  }
  const [here, there] = [regionOf(1), regionOf(2)]
  await here.node.start()
  await there.node.start()
  clock.advance(3000)
  const writer = here.client()
  const [first] = writer.send([['SET', 'k', 'old']])
  clock.advance(2000)
  expect(first?.reply).toBe('OK')
  here.disk.isFull = true
  const [stuck] = writer.send([['SET', 'k', 'new']])
  clock.advance(1000)
  return { clock, here, there, writer, stuck: stuck! }
}

function lineOf({ reply }: SentCommand): unknown {
  return reply !== null && typeof reply === 'object' && 'line' in reply ? reply.line : reply
}

const MISCONF = expect.stringMatching(/^MISCONF /)

describe.each(['everysec', 'always'] as const)('a region whose disk is full, under %s', (policy) => {
  it('keeps the reply of what was not written, refuses writes, and takes them again by itself', async () => {
    const { clock, here, writer, stuck } = await twoRegions(policy)
    const [later] = writer.send([['PING']])
    const other = here.client().send([['SET', 'x', '1'], ['ECHO', 'hello'], ['PING']])
    clock.advance(10_000)
    expect(stuck.answeredMs).toBeUndefined()
    // The same client's next reply keeps its place behind the one that waits.
    expect(later?.answeredMs).toBeUndefined()
    expect(other.map(lineOf)).toEqual([MISCONF, 'hello', MISCONF])
    here.disk.isFull = false
    clock.advance(200)
    expect(stuck.reply).toBe('OK')
    expect(lineOf(later!)).toEqual(MISCONF)
    const [again] = here.client().send([['SET', 'x', '1']])
    clock.advance(2000)
    expect(again?.reply).toBe('OK')
  })

  it('answers reads that promise nothing', async () => {
    const { clock, here } = await twoRegions(policy)
    const [read] = here.client().send([['GET', 'k']])
    clock.advance(1000)
    // Under always a reply means that what it shows is durable: it waits.
    expect(read?.reply).toBe(policy === 'always' ? undefined : 'new')
    here.disk.isFull = false
    clock.advance(500)
    expect(read?.reply).toBe('new')
  })

  it('sends nothing that it has not written, and takes nothing that it could not write', async () => {
    const { clock, here, there } = await twoRegions(policy)
    const [theirs] = there.client().send([['SET', 'theirs', 'v']])
    clock.advance(5000)
    expect(theirs?.reply).toBe('OK')
    const [read] = there.client().send([['GET', 'k']])
    clock.advance(100)
    expect(read?.reply).toBe('old')
    expect(here.node.core?.engine.receivedCount).toBe(0)
    expect(here.node.core?.mesh.links()[0]).toMatchObject({ pull: 'stopped', serve: 'streaming' })
    here.disk.isFull = false
    clock.advance(8000)
    const [readAgain] = there.client().send([['GET', 'k']])
    const [pulled] = here.client().send([['GET', 'theirs']])
    clock.advance(100)
    expect([readAgain?.reply, pulled?.reply]).toEqual(['new', 'v'])
  })

  it('can be stopped, loses only what nobody was told of, and writes under a new origin', async () => {
    const { clock, here, stuck } = await twoRegions(policy)
    const { origin } = here.node.core!.engine
    await here.node.stop(() => clock.advance(1))
    expect(stuck.answeredMs).toBeUndefined()
    here.disk.isFull = false
    await here.node.start()
    clock.advance(8000)
    expect(here.node.core?.engine.origin.id).not.toBe(origin.id)
    const [read] = here.client().send([['GET', 'k']])
    clock.advance(100)
    expect(read?.reply).toBe('old')
  })
})
