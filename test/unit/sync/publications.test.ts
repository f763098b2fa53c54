/**
 * publications.test.ts: published messages between regions: their bytes, and that nobody hears of a write
 * before he can read it.
 */
import { describe, expect, it } from 'vitest'
import { OriginTable } from '../../../crdt/origin.ts'
import { VersionVector } from '../../../crdt/version-vector.ts'
import { HeldPublications } from '../../../sync/held-publications.ts'
import type { Publication } from '../../../sync/ports.ts'
import { decodePublications, encodePublications } from '../../../sync/publication.ts'
import { ProtocolViolation } from '../../../sync/reason.ts'
import { ManualClock } from '../../harness/manual-clock.ts'
import { MemoryHost, memoryNode } from '../../harness/memory-host.ts'
import { MemoryNetwork } from '../../harness/memory-transport.ts'

const ORIGIN = '1-00000000000a'
const NEWS: Publication = { kind: 'channel', channel: 'news', message: '\u00ff\r\n' }
const SHARD: Publication = { kind: 'shard', channel: 's', message: '' }

function vector(origins: OriginTable, seq: number): VersionVector {
  return VersionVector.fromWire(origins, [[ORIGIN, seq]])
}

describe('bytes', () => {
  it('come back as they were', () => {
    const bytes = encodePublications([NEWS, SHARD], [[ORIGIN, 7]])
    expect(decodePublications(bytes)).toEqual({ publications: [NEWS, SHARD], deps: [[ORIGIN, 7]] })
  })

  it('that are cut short, or name no origin, end the link', () => {
    const bytes = encodePublications([NEWS], [[ORIGIN, 7]])
    for (let end = 1; end < bytes.length; end++)
      expect(() => decodePublications(bytes.subarray(0, end))).toThrow(ProtocolViolation)
    expect(() => decodePublications(encodePublications([NEWS], [['x', 1]]))).toThrow(ProtocolViolation)
  })
})

describe('messages that came too early', () => {
  it('wait for what their publisher had seen, and keep their order', () => {
    const origins = new OriginTable()
    const told: string[] = []
    const held = new HeldPublications(1000, ({ message }) => told.push(message))
    held.take([{ ...NEWS, message: '1' }], vector(origins, 2), vector(origins, 1))
    held.take([{ ...NEWS, message: '2' }], vector(origins, 1), vector(origins, 1))
    expect(told).toEqual([])
    held.release(vector(origins, 2))
    expect(told).toEqual(['1', '2'])
  })

  it('are dropped beyond the limit, and when the link ends', () => {
    const origins = new OriginTable()
    const told: Publication[] = []
    const held = new HeldPublications(50, (one) => told.push(one))
    for (let i = 0; i < 4; i++) held.take([NEWS], vector(origins, 2), vector(origins, 1))
    expect(held.dropped).toBe(2)
    held.clear()
    held.release(vector(origins, 2))
    expect([held.dropped, told.length]).toEqual([4, 0])
  })
})

describe('a mesh', () => {
  async function pair() {
    const clock = new ManualClock(1)
    const network = new MemoryNetwork(clock)
    const a = memoryNode(clock, network, new MemoryHost(clock, 'A', 1), ['B'])
    const b = memoryNode(clock, network, new MemoryHost(clock, 'B', 2), ['A'])
    for (const { mesh } of [a, b]) await mesh.start()
    clock.advance(50)
    return { clock, a, b }
  }

  it('brings messages to the regions that are connected, not before the writes they follow', async () => {
    const { clock, a, b } = await pair()
    a.host.write(3)
    a.mesh.publish(NEWS)
    const appliedWhenTold: number[] = []
    b.host.published = () => appliedWhenTold.push(b.host.applied.opCount)
    clock.advance(20)
    expect(appliedWhenTold).toEqual([3])
  })

  it('brings nothing to a region that is cut off, now or later', async () => {
    const { clock, a, b } = await pair()
    a.mesh.setLink('ALL', false)
    clock.advance(20)
    a.mesh.publish(NEWS)
    clock.advance(100)
    a.mesh.setLink('ALL', true)
    clock.advance(2000)
    expect(b.host.publications).toEqual([])
    a.mesh.publish(SHARD)
    clock.advance(20)
    expect(b.host.publications).toEqual([SHARD])
  })
})
