/**
 * recovery.test.ts: what a start makes of every way in which a log can end.
 */
import { describe, expect, it } from 'vitest'
import { MARK_BYTES } from '../../../../region-node/persistence/segment.ts'
import { StartError } from '../../../../region-node/start-error.ts'
import { FOLDER, LoggedEngine, simulatedMachine } from './log-fixture.ts'

type Machine = ReturnType<typeof simulatedMachine>

function segmentPaths({ disk }: Machine): string[] {
  const mounted = disk.mount()
  return mounted.list(FOLDER).map((name) => `${FOLDER}/${name}`)
}

function contentOf({ disk }: Machine, path: string): Uint8Array {
  return disk.mount().readFile(path)!
}

function replace({ disk }: Machine, path: string, bytes: Uint8Array): void {
  disk.mount().replaceFile(path, bytes)
}

/** `turns` turns of a write each, with an fsync behind every one but the last `unsynced`. */
function write(machine: Machine, turns: number, unsynced = 0, segmentBytes = 2 ** 20): LoggedEngine {
  const node = new LoggedEngine(machine, { segmentBytes })
  for (let i = 1; i <= turns; i++) {
    node.turn([['SET', `key ${i}`, `value ${i}`]])
    if (i <= turns - unsynced) machine.clock.advance(1010)
  }
  machine.disk.kill()
  return node
}

it('brings back every key, deadline and vector after a kill', () => {
  const machine = simulatedMachine()
  const before = new LoggedEngine(machine)
  before.turn([
    ['SET', 'a', '1', 'EX', '1000'],
    ['INCRBY', 'n', '7'],
    ['HSET', 'h', 'f', 'v'],
    ['SADD', 's', 'x', 'y'],
  ])
  before.turn([['DEL', 'h']])
  machine.disk.kill()
  const after = new LoggedEngine(machine)
  expect(after.engine.keyspace.digest()).toBe(before.engine.keyspace.digest())
  expect(after.engine.applied.toWire()).toEqual(before.engine.applied.toWire())
  expect(after.warnings).toEqual([])
})

it('goes on where it stopped: the same log after two lives as after one', () => {
  const machine = simulatedMachine()
  write(machine, 3)
  const second = new LoggedEngine(machine)
  second.turn([['SET', 'key 4', 'value 4']])
  machine.disk.kill()
  const third = new LoggedEngine(machine)
  expect(third.engine.applied.opCount).toBe(4)
  expect(third.get('key 4')).toBe('$7\r\nvalue 4\r\n')
})

describe('a torn tail', () => {
  it('is cut at any byte of the last, unsynced record', () => {
    const whole = simulatedMachine()
    write(whole, 3, 1)
    const [path] = segmentPaths(whole) as [string]
    const bytes = contentOf(whole, path)
    const shorter = simulatedMachine()
    write(shorter, 2)
    const kept = contentOf(shorter, path).length
    // Behind the last record stands the mark of the fsync before it.
    const wholeRecords = bytes.length - MARK_BYTES
    for (let length = kept + 1; length < wholeRecords; length++) {
      const torn = simulatedMachine()
      replace(torn, path, bytes.slice(0, length))
      const node = new LoggedEngine(torn)
      expect(node.engine.applied.opCount).toBe(2)
      expect(node.warnings).toHaveLength(1)
      node.turn([['SET', 'key 3', 'again']])
      torn.disk.kill()
      expect(new LoggedEngine(torn).get('key 3')).toBe('$5\r\nagain\r\n')
    }
  })

  it('loses only what was not synced, whatever of it survives a power loss', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const machine = simulatedMachine(seed)
      write(machine, 20, 10)
      machine.disk.losePower()
      const { opCount } = new LoggedEngine(machine).engine.applied
      expect(opCount).toBeGreaterThanOrEqual(10)
    }
  })

  it('a newest segment without a whole header is removed', () => {
    const machine = simulatedMachine()
    write(machine, 3)
    replace(machine, `${FOLDER}/00000000ffffff.log`, Uint8Array.of(67, 65))
    const node = new LoggedEngine(machine)
    expect(node.engine.applied.opCount).toBe(3)
    expect(node.warnings[0]).toMatch(/was begun and not finished/)
    expect(segmentPaths(machine)).toHaveLength(1)
  })
})

describe('damage', () => {
  it('in bytes that a later mark calls durable refuses the start, wherever it is', () => {
    const machine = simulatedMachine()
    write(machine, 5)
    const [path] = segmentPaths(machine) as [string]
    const bytes = contentOf(machine, path)
    const small = simulatedMachine()
    write(small, 4)
    // The last turn's mark speaks of everything before the last record.
    const promised = contentOf(small, path).length - MARK_BYTES
    for (let at = 0; at < promised; at++) {
      const damaged = bytes.slice()
      damaged[at]! ^= 0x40
      replace(machine, path, damaged)
      let found: unknown
      try {
        const { applied } = new LoggedEngine(machine).engine
        // A damaged mark harms nobody: all records are there.
        found = applied.opCount === 5
      } catch (error) {
        found = error instanceof StartError && error.message.includes(path)
      }
      expect(found, `byte ${at}`).toBe(true)
    }
  })

  it('at the end of an older segment refuses the start', () => {
    const machine = simulatedMachine()
    write(machine, 60, 0, 1024)
    const paths = segmentPaths(machine)
    expect(paths.length).toBeGreaterThan(2)
    const bytes = contentOf(machine, paths[0]!)
    replace(machine, paths[0]!, bytes.slice(0, bytes.length - 3))
    expect(() => new LoggedEngine(machine)).toThrow(/the log is damaged/)
  })

  it('a missing segment is named', () => {
    const machine = simulatedMachine()
    write(machine, 60, 0, 1024)
    const paths = segmentPaths(machine)
    machine.disk.mount().removeFile(paths[1]!)
    expect(() => new LoggedEngine(machine)).toThrow(/a log file is missing/)
  })
})
