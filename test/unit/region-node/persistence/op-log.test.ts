/**
 * op-log.test.ts: when replies leave, when ops travel, what is durable, and reading from any position.
 */
import { describe, expect, it } from 'vitest'
import { lastSeq } from '../../../../crdt/codec/batch.ts'
import { VersionVector } from '../../../../crdt/version-vector.ts'
import type { LogRecord } from '../../../../sync/ports.ts'
import { LoggedEngine, simulatedMachine } from './log-fixture.ts'

const SECOND = 1000

function set(i: number, value = `value ${i}`): string[] {
  return ['SET', `key ${i}`, value]
}

/** Everything from a position on, in reads of at most `bytesMax`. */
function readAll({ log }: LoggedEngine, position: number, bytesMax: number): LogRecord[] {
  const records: LogRecord[] = []
  while (position < log.end) {
    const { records: some, next } = log.read(position, bytesMax)
    expect(next).toBeGreaterThan(position)
    records.push(...some)
    position = next
  }
  return records
}

it('everysec releases replies at once and is durable within a second and an fsync', () => {
  const machine = simulatedMachine()
  const node = new LoggedEngine(machine)
  let released = false
  node.turn([set(1)], () => {
    released = true
  })
  expect(released).toBe(true)
  expect(node.log.end).toBe(node.log.writtenPosition)
  expect(node.log.durable.opCount).toBe(0)
  machine.clock.advance(SECOND + 5)
  expect(node.log.durable.opCount).toBe(1)
})

it('no fsyncs after thirty seconds, or when somebody waits', () => {
  const machine = simulatedMachine()
  const node = new LoggedEngine(machine, { policy: 'no' })
  node.turn([set(1)])
  machine.clock.advance(20 * SECOND)
  expect(node.log.durable.opCount).toBe(0)
  machine.clock.advance(11 * SECOND)
  expect(node.log.durable.opCount).toBe(1)
  node.turn([set(2)])
  node.log.hurryDurable()
  machine.clock.advance(10)
  expect(node.log.durable.opCount).toBe(2)
})

it('always releases replies, and lets ops travel, only when they are durable', () => {
  const machine = simulatedMachine()
  const node = new LoggedEngine(machine, { policy: 'always' })
  const order: string[] = []
  node.turn([set(1)], () => order.push(`first, durable ${node.log.durable.opCount}`))
  // These two come while the first is under way and share the next round.
  node.turn([set(2)], () => order.push(`second, durable ${node.log.durable.opCount}`))
  node.turn([['GET', 'key 2']], () => order.push(`a read, durable ${node.log.durable.opCount}`))
  expect(order).toEqual([])
  expect(node.log.end).toBe(0)
  machine.clock.advance(100)
  expect(order).toEqual(['first, durable 1', 'second, durable 2', 'a read, durable 2'])
  expect(readAll(node, 0, 1000)).toHaveLength(2)
})

it('always answers a read at once when nothing is under way', () => {
  const node = new LoggedEngine(simulatedMachine(), { policy: 'always' })
  let released = false
  node.turn([['GET', 'x']], () => {
    released = true
  })
  expect(released).toBe(true)
})

it('keeps the order of bytes when the policy changes in the middle of a round', () => {
  const machine = simulatedMachine()
  const node = new LoggedEngine(machine, { policy: 'always' })
  node.turn([set(1)])
  node.policy = 'everysec'
  node.turn([set(2)])
  machine.clock.advance(5 * SECOND)
  node.turn([set(3)])
  const spans = readAll(node, 0, 1).map(({ span }) => span.firstSeq)
  expect(spans).toEqual([1, 2, 3])
  machine.disk.kill()
  expect(new LoggedEngine(machine).engine.applied.opCount).toBe(3)
})

it('serves the same records from memory and from disk, over segments and marks', () => {
  const machine = simulatedMachine()
  const node = new LoggedEngine(machine, { segmentBytes: 4096, tailBytes: 1 })
  const twin = new LoggedEngine(simulatedMachine(), { segmentBytes: 2 ** 20 })
  for (let i = 0; i < 200; i++) {
    const turn = [set(i, 'x'.repeat(100)), set(i + 1000)]
    node.turn(turn)
    twin.turn(turn)
    machine.clock.advance(100)
  }
  expect(node.log.segments.length).toBeGreaterThan(5)
  for (const bytesMax of [1, 500, 100_000]) {
    const fromDisk = readAll(node, 0, bytesMax).map(({ span }) => [span.firstSeq, lastSeq(span)])
    expect(fromDisk).toEqual(readAll(twin, 0, bytesMax).map(({ span }) => [span.firstSeq, lastSeq(span)]))
    expect(fromDisk).toHaveLength(200)
  }
})

it('seeks behind what the vector covers, as far as the wanted origins go', () => {
  const machine = simulatedMachine()
  const node = new LoggedEngine(machine)
  for (let i = 0; i < 100; i++) node.turn([set(i, 'x'.repeat(50_000))])
  const { engine, log } = node
  const all = engine.applied.copy()
  const nothing = new VersionVector(node.origins)
  expect(log.seek(nothing)).toBe(0)
  expect(log.seek(nothing, () => false)).toBeGreaterThan(3_000_000)
  expect(log.end - log.seek(all)).toBeLessThan(2 ** 20 + 60_000)
})

it('a failing fsync ends the node, and nothing is acknowledged afterwards', () => {
  const machine = simulatedMachine(1, 1)
  const node = new LoggedEngine(machine)
  node.turn([set(1)])
  machine.clock.advance(SECOND + 5)
  expect(node.failures).toHaveLength(1)
  let released = false
  node.turn([set(2)], () => {
    released = true
  })
  machine.clock.advance(10 * SECOND)
  expect(released).toBe(false)
  expect(node.log.durable.opCount).toBe(0)
})

describe('a full disk', () => {
  for (const policy of ['everysec', 'no', 'always'] as const) {
    it(`holds turns and resumes by itself, in order, under ${policy}`, () => {
      const machine = simulatedMachine()
      const node = new LoggedEngine(machine, { policy })
      node.turn([set(1)])
      machine.clock.advance(10)
      const { end } = node.log
      machine.disk.isFull = true
      const order: string[] = []
      node.turn([set(2), set(3)], () => order.push('writes'))
      node.turn([['GET', 'key 2']], () => order.push('a read'))
      machine.clock.advance(5 * SECOND)
      expect(node.log.isFull).toBe(true)
      expect(order).toEqual([])
      expect(node.log.end).toBe(end)
      expect(node.rooms).toEqual([false])
      machine.disk.isFull = false
      machine.clock.advance(110)
      expect(order).toEqual(['writes', 'a read'])
      expect(node.rooms).toEqual([false, true])
      expect(node.log.isFull).toBe(false)
      expect(readAll(node, 0, 1000).map(({ span }) => lastSeq(span))).toEqual([1, 3])
      node.turn([set(4)])
      node.log.close(() => {})
      machine.clock.advance(10)
      machine.disk.losePower()
      const again = new LoggedEngine(machine)
      expect(again.warnings).toEqual([])
      expect(again.engine.applied.opCount).toBe(4)
      expect(node.failures).toEqual([])
    })

    it(`that fills more than once loses and doubles nothing under ${policy}`, () => {
      for (let seed = 1; seed <= 10; seed++) {
        const machine = simulatedMachine(seed)
        const node = new LoggedEngine(machine, { policy, segmentBytes: 2000 })
        let released = 0
        for (let i = 0; i < 40; i++) {
          machine.disk.isFull = machine.prng.chance(0.4)
          // While it is full only reads come.
          node.turn([node.log.isFull ? ['GET', 'key 0'] : set(i, 'x'.repeat(100))], () => released++)
          machine.clock.advance(machine.prng.between(0, 300))
        }
        machine.disk.isFull = false
        machine.clock.advance(2 * SECOND)
        expect(released).toBe(40)
        const { applied } = node.engine
        machine.disk.kill()
        const again = new LoggedEngine(machine)
        expect(again.warnings).toEqual([])
        expect(again.engine.applied.toWire()).toEqual(applied.toWire())
      }
    })

    it(`has room again under ${policy} when what waited was written for a snapshot's sake`, () => {
      const machine = simulatedMachine()
      const node = new LoggedEngine(machine, { policy })
      node.turn([set(1)])
      machine.clock.advance(10)
      machine.disk.isFull = true
      let released = false
      node.turn([set(2)], () => {
        released = true
      })
      machine.clock.advance(50)
      machine.disk.isFull = false
      node.log.whenIdle(() => node.log.flushNow())
      machine.clock.advance(2 * SECOND)
      expect({ released, isFull: node.log.isFull, rooms: node.rooms }).toEqual({
        released: true,
        isFull: false,
        rooms: [false, true],
      })
    })

    it(`leaves no torn bytes to a process that is killed under ${policy}`, () => {
      for (let seed = 1; seed <= 10; seed++) {
        const machine = simulatedMachine(seed)
        const node = new LoggedEngine(machine, { policy })
        node.turn([set(1)])
        machine.clock.advance(10)
        machine.disk.isFull = true
        node.turn([set(2, 'x'.repeat(1000))])
        machine.clock.advance(50)
        machine.disk.kill()
        machine.disk.isFull = false
        const again = new LoggedEngine(machine)
        expect(again.warnings).toEqual([])
        expect(again.engine.applied.opCount).toBe(1)
      }
    })

    it(`does not hold up an orderly end under ${policy}, which says what was lost`, () => {
      const machine = simulatedMachine()
      const node = new LoggedEngine(machine, { policy })
      node.turn([set(1)])
      machine.clock.advance(10)
      machine.disk.isFull = true
      let released = false
      node.turn([set(2)], () => {
        released = true
      })
      let closed = false
      node.log.close(() => {
        closed = true
      })
      machine.clock.advance(10)
      expect({ closed, released, isFull: node.log.isFull }).toEqual({
        closed: true,
        released: false,
        isFull: true,
      })
      machine.disk.isFull = false
      expect(new LoggedEngine(machine).engine.applied.opCount).toBe(1)
    })
  }

  it('lets the newest segment grow while there is no room for another', () => {
    const machine = simulatedMachine()
    const node = new LoggedEngine(machine, { segmentBytes: 100 })
    node.turn([set(1, 'x'.repeat(200))])
    machine.disk.isFull = true
    machine.clock.advance(SECOND + 5)
    expect(node.log.segments).toHaveLength(1)
    expect(node.failures).toEqual([])
    machine.disk.isFull = false
    node.turn([set(2)])
    machine.clock.advance(SECOND + 5)
    expect(node.log.segments).toHaveLength(2)
    machine.disk.kill()
    expect(new LoggedEngine(machine).engine.applied.opCount).toBe(2)
  })
})

it('closes with everything durable', () => {
  const machine = simulatedMachine()
  const node = new LoggedEngine(machine, { policy: 'always' })
  node.turn([set(1)])
  let closed = false
  node.log.close(() => {
    closed = true
  })
  machine.clock.advance(100)
  expect(closed).toBe(true)
  machine.disk.losePower()
  expect(new LoggedEngine(machine).engine.applied.opCount).toBe(1)
})
