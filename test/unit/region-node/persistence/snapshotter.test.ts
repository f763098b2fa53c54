/**
 * snapshotter.test.ts: when a snapshot is made, what it waits for, and what is left when it fails or the
 * node dies in the middle.
 */
import { describe, expect, it } from 'vitest'
import { FOLDER, LoggedEngine, simulatedMachine } from './log-fixture.ts'

type Machine = ReturnType<typeof simulatedMachine>

const SECOND = 1000

function files({ disk }: LoggedEngine): string[] {
  return disk.list(FOLDER)
}

function snapshots(node: LoggedEngine): string[] {
  return files(node).filter((name) => name.endsWith('.snapshot'))
}

function write(node: LoggedEngine, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    node.turn([
      ['SET', `key ${i % 50}`, `value ${i}`],
      ['SADD', 'set', `member ${i}`],
      ['INCR', 'count'],
    ])
  }
}

/** Makes one and lets time pass until it is there. @returns why it failed */
function snapshot(machine: Machine, node: LoggedEngine): string | undefined {
  let result: { failure: string | undefined } | undefined
  node.snapshotter.make((failure) => {
    result = { failure }
  })
  machine.clock.advance(60 * SECOND, () => result !== undefined)
  expect(result).toBeDefined()
  return result?.failure
}

it('is found at the next start, with the log behind it', () => {
  const machine = simulatedMachine()
  const node = new LoggedEngine(machine)
  write(node, 0, 100)
  expect(snapshot(machine, node)).toBeUndefined()
  write(node, 100, 120)
  machine.disk.kill()
  const again = new LoggedEngine(machine)
  expect(again.recovered.snapshotOps).toBe(300)
  expect(again.engine.applied.toWire()).toEqual(node.engine.applied.toWire())
  expect(again.engine.keyspace.digest()).toBe(node.engine.keyspace.digest())
  expect(again.warnings).toEqual([])
})

it('is exact at the moment it was begun, while writes go on', () => {
  const machine = simulatedMachine()
  const node = new LoggedEngine(machine, { sliceEntriesMax: 3 })
  write(node, 0, 60)
  const begun = node.engine.applied.opCount
  let isOver = false
  node.snapshotter.make(() => {
    isOver = true
  })
  let i = 60
  while (!isOver) {
    machine.clock.advance(1)
    write(node, i, ++i)
  }
  expect(i).toBeGreaterThan(65)
  machine.disk.kill()
  const again = new LoggedEngine(machine)
  expect(again.recovered.snapshotOps).toBe(begun)
  expect(again.engine.keyspace.digest()).toBe(node.engine.keyspace.digest())
})

it('gets its name only when the log up to it is durable', () => {
  const machine = simulatedMachine()
  const node = new LoggedEngine(machine, { policy: 'no' })
  write(node, 0, 10)
  const { durablePosition, appendedPosition } = node.log
  expect(durablePosition).toBeLessThan(appendedPosition)
  node.snapshotter.make()
  while (snapshots(node).length === 0) {
    const isDurable = node.log.durablePosition >= appendedPosition
    machine.clock.step(machine.clock.nowMs + SECOND)
    if (snapshots(node).length > 0)
      expect(isDurable || node.log.durablePosition >= appendedPosition).toBe(true)
  }
})

it('two are kept, and the log from the older one on', () => {
  const machine = simulatedMachine()
  const node = new LoggedEngine(machine, { segmentBytes: 2048 })
  for (let i = 0; i < 5; i++) {
    for (let turn = 0; turn < 10; turn++) {
      write(node, turn, turn + 5)
      machine.clock.advance(1100)
    }
    expect(snapshot(machine, node)).toBeUndefined()
  }
  machine.clock.advance(SECOND)
  expect(snapshots(node)).toHaveLength(2)
  const [older] = snapshots(node)
  const position = Number.parseInt(older!, 16)
  expect(node.log.start).toBeGreaterThan(0)
  expect(node.log.start).toBeLessThanOrEqual(position)
  expect(node.log.segments[1]!.header.firstPosition).toBeGreaterThan(position)
  machine.disk.kill()
  expect(new LoggedEngine(machine).engine.keyspace.digest()).toBe(node.engine.keyspace.digest())
})

describe('a crash', () => {
  it('at every step of a snapshot leaves a folder that starts with everything', () => {
    for (const how of ['kill', 'losePower'] as const) {
      for (let steps = 1; ; steps++) {
        const machine = simulatedMachine(steps)
        const node = new LoggedEngine(machine, { sliceEntriesMax: 5, segmentBytes: 2048 })
        write(node, 0, 40)
        // Enough for several writes of the file.
        for (let i = 0; i < 6; i++) node.turn([['SET', `large ${i}`, 'x'.repeat(200_000)]])
        snapshot(machine, node)
        write(node, 40, 80)
        machine.clock.advance(2 * SECOND)
        const durable = node.log.durable.opCount
        let isOver = false
        node.snapshotter.make(() => {
          isOver = true
        })
        for (let i = 0; i < steps; i++) {
          machine.clock.step(machine.clock.nowMs + SECOND)
          if (i % 3 === 0) write(node, 80 + i, 81 + i)
        }
        machine.disk[how]()
        const again = new LoggedEngine(machine)
        const { opCount } = again.engine.applied
        if (how === 'kill') expect(again.engine.keyspace.digest()).toBe(node.engine.keyspace.digest())
        else expect(opCount).toBeGreaterThanOrEqual(durable)
        // Of a power loss the log's end may tell, of a snapshot nobody.
        expect(again.warnings.filter((sentence) => sentence.includes('snapshot'))).toEqual([])
        expect(files(again)).not.toContain('new.snapshot.part')
        if (!isOver) continue
        expect(steps).toBeGreaterThan(10)
        break
      }
    }
  })
})

describe('a failure', () => {
  it('leaves the snapshot before, removes what was begun, and can be tried again', () => {
    const machine = simulatedMachine()
    const node = new LoggedEngine(machine)
    write(node, 0, 50)
    snapshot(machine, node)
    const before = snapshots(node)
    machine.clock.advance(2 * SECOND)
    machine.disk.isFull = true
    expect(snapshot(machine, node)).toMatch(/no space left/)
    expect(node.snapshotter.lastFailure).toMatch(/no space left/)
    machine.disk.isFull = false
    expect(files(node)).not.toContain('new.snapshot.part')
    expect(snapshots(node)).toEqual(before)
    write(node, 50, 60)
    expect(snapshot(machine, node)).toBeUndefined()
    expect(node.snapshotter.lastFailure).toBeUndefined()
  })

  it('is tried again by the rules, not at once', () => {
    const machine = simulatedMachine()
    const node = new LoggedEngine(machine, { rules: { save: [{ seconds: 1, changes: 1 }] } })
    node.snapshotter.start()
    write(node, 0, 5)
    machine.clock.advance(1500)
    machine.disk.isFull = true
    machine.clock.advance(2000)
    machine.disk.isFull = false
    expect(node.snapshotter.lastFailure).toBeDefined()
    machine.clock.advance(1000)
    expect(node.snapshotter.count).toBe(0)
    machine.clock.advance(10 * SECOND)
    expect(node.snapshotter.count).toBe(1)
  })
})

describe('the rules', () => {
  it('save: after so many seconds and so many changes', () => {
    const machine = simulatedMachine()
    const node = new LoggedEngine(machine, { rules: { save: [{ seconds: 60, changes: 30 }] } })
    node.snapshotter.start()
    write(node, 0, 5)
    machine.clock.advance(100 * SECOND)
    expect(node.snapshotter.count).toBe(0)
    expect(node.snapshotter.changes).toBe(15)
    write(node, 0, 5)
    machine.clock.advance(5 * SECOND)
    expect(node.snapshotter.count).toBe(1)
    expect(node.snapshotter.changes).toBe(0)
    machine.clock.advance(1000 * SECOND)
    expect(node.snapshotter.count).toBe(1)
  })

  it('snapshot-every-hours: when there was a write', () => {
    const machine = simulatedMachine()
    const node = new LoggedEngine(machine, { rules: { everyHours: 6 } })
    node.snapshotter.start()
    machine.clock.advance(7 * 3600 * SECOND)
    expect(node.snapshotter.count).toBe(0)
    write(node, 0, 1)
    machine.clock.advance(5 * SECOND)
    expect(node.snapshotter.count).toBe(1)
    write(node, 0, 1)
    machine.clock.advance(5 * 3600 * SECOND)
    expect(node.snapshotter.count).toBe(1)
    machine.clock.advance(3600 * SECOND)
    expect(node.snapshotter.count).toBe(2)
  })

  it('log-snapshot-bytes: when the log has grown past that and past the last snapshot', () => {
    const machine = simulatedMachine()
    const node = new LoggedEngine(machine, { rules: { logBytes: 2000 } })
    node.snapshotter.start()
    node.turn([['SET', 'large', 'x'.repeat(10_000)]])
    machine.clock.advance(3 * SECOND)
    expect(node.snapshotter.count).toBe(1)
    // More than 2000, less than the snapshot.
    node.turn([['SET', 'other', 'x'.repeat(5000)]])
    machine.clock.advance(3 * SECOND)
    expect(node.snapshotter.count).toBe(1)
    node.turn([['SET', 'other', 'x'.repeat(9000)]])
    machine.clock.advance(3 * SECOND)
    expect(node.snapshotter.count).toBe(2)
  })
})

it('one that is being made will do for whoever asks meanwhile', () => {
  const machine = simulatedMachine()
  const node = new LoggedEngine(machine)
  write(node, 0, 5)
  const results: (string | undefined)[] = []
  node.snapshotter.make((failure) => results.push(failure))
  expect(node.snapshotter.isRunning).toBe(true)
  node.snapshotter.make((failure) => results.push(failure))
  machine.clock.advance(10 * SECOND)
  expect(results).toEqual([undefined, undefined])
  expect(node.snapshotter.count).toBe(1)
  expect(node.snapshotter.isRunning).toBe(false)
})

it('is made durable as it grows', () => {
  const machine = simulatedMachine()
  const node = new LoggedEngine(machine, { sliceEntriesMax: 1 })
  for (let i = 0; i < 60; i++) node.turn([['SET', `large ${i}`, 'x'.repeat(200_000)]])
  const path = `${FOLDER}/new.snapshot.part`
  const size = () => node.disk.open(path).size
  node.snapshotter.make()
  const grownBeyond = (bytes: number): number => {
    while (size() <= bytes) machine.clock.advance(0.1)
    return size()
  }
  // What is written after so much waits until that is durable.
  const durable = grownBeyond(8 * 2 ** 20)
  grownBeyond(durable)
  machine.disk.losePower()
  expect(machine.disk.mount().readFile(path)!.length).toBeGreaterThanOrEqual(durable)
})

it('waits for another walk, and holds what there is when that is over', () => {
  const machine = simulatedMachine()
  const node = new LoggedEngine(machine)
  write(node, 0, 5)
  const walk = node.engine.keyspace.walk({ reached: () => true, changing: () => true })
  let isOver = false
  node.snapshotter.make(() => {
    isOver = true
  })
  machine.clock.advance(SECOND)
  expect(node.snapshotter.isRunning).toBe(true)
  expect(isOver).toBe(false)
  write(node, 5, 9)
  walk.abandon()
  machine.clock.advance(10 * SECOND)
  expect(isOver).toBe(true)
  machine.disk.kill()
  expect(new LoggedEngine(machine).recovered.snapshotOps).toBe(27)
})

it('is given up when the keyspace is about to become another', () => {
  const machine = simulatedMachine()
  const node = new LoggedEngine(machine, { sliceEntriesMax: 1 })
  write(node, 0, 50)
  let failure: string | undefined
  node.snapshotter.make((why) => {
    failure = why
  })
  machine.clock.advance(1)
  node.snapshotter.abandon('another one came')
  machine.clock.advance(SECOND)
  expect(failure).toBe('another one came')
  expect(snapshots(node)).toEqual([])
  expect(snapshot(machine, node)).toBeUndefined()
})
