/**
 * log-trim.test.ts: a log that begins in the middle, or has a hole: what it still serves, whom it sends for a
 * snapshot, and that both survive a restart.
 */
import { describe, expect, it } from 'vitest'
import { VersionVector, type WireVector } from '../../../../crdt/version-vector.ts'
import { LogTrimmed } from '../../../../sync/log-trimmed.ts'
import { LoggedEngine, simulatedMachine } from './log-fixture.ts'

type Machine = ReturnType<typeof simulatedMachine>

const SECOND = 1000
const OPTIONS = { segmentBytes: 1024, tailBytes: 1 }

/** A turn of 100 bytes and an fsync each; a segment is full after some ten. */
function write(machine: Machine, node: LoggedEngine, turns: number): void {
  for (let i = 0; i < turns; i++) {
    node.turn([['SET', `key ${i}`, 'x'.repeat(80)]])
    machine.clock.advance(1100)
  }
}

function snapshot(machine: Machine, node: LoggedEngine): void {
  let isOver = false
  node.snapshotter.make(() => {
    isOver = true
  })
  machine.clock.advance(60 * SECOND, () => isOver)
}

function vectorOf(node: LoggedEngine, pairs: WireVector): VersionVector {
  return VersionVector.fromWire(node.origins, pairs)
}

function opsFrom({ log }: LoggedEngine, from: number): number[] {
  const seqs: number[] = []
  for (let position = from; position < log.end; ) {
    const { records, next } = log.read(position, 1000)
    for (const { span } of records) seqs.push(span.firstSeq)
    position = next
  }
  return seqs
}

describe('trim', () => {
  it('removes whole segments before a position, never the newest', () => {
    const machine = simulatedMachine()
    const node = new LoggedEngine(machine, OPTIONS)
    write(machine, node, 60)
    const firsts = node.log.segments.map(({ header }) => header.firstPosition)
    expect(firsts.length).toBeGreaterThan(4)
    expect(node.log.trim(firsts[1]! - 1)).toBe(0)
    expect(node.log.trim(firsts[2]! + 1)).toBe(2)
    expect(node.log.start).toBe(firsts[2])
    node.log.trim(Number.POSITIVE_INFINITY)
    expect(node.log.segments).toHaveLength(1)
    machine.clock.advance(SECOND)
    expect(node.disk.list('/data').filter((name) => name.endsWith('.log'))).toHaveLength(1)
  })

  it('sends those for a snapshot who come from before the beginning, and serves the others', () => {
    const machine = simulatedMachine()
    const node = new LoggedEngine(machine, OPTIONS)
    write(machine, node, 60)
    const { header } = node.log.segments[2]!
    node.log.trim(header.firstPosition)
    const [[id, seq]] = header.startVector as [[string, number]]
    expect(() => node.log.seek(vectorOf(node, []))).toThrow(LogTrimmed)
    expect(() => node.log.seek(vectorOf(node, [[id, seq - 1]]))).toThrow(LogTrimmed)
    expect(() => node.log.read(header.firstPosition - 1, 1000)).toThrow(LogTrimmed)
    const position = node.log.seek(vectorOf(node, [[id, seq]]))
    expect(opsFrom(node, position)).toEqual(Array.from({ length: 60 - seq }, (_, i) => seq + 1 + i))
    // Who does not want that origin misses nothing.
    expect(() => node.log.seek(vectorOf(node, []), () => false)).not.toThrow()
  })

  it('with a snapshot: the node starts, and still knows where its log begins', () => {
    const machine = simulatedMachine()
    const node = new LoggedEngine(machine, OPTIONS)
    for (let i = 0; i < 3; i++) {
      write(machine, node, 30)
      snapshot(machine, node)
    }
    write(machine, node, 5)
    expect(node.log.start).toBeGreaterThan(0)
    const { start } = node.log
    machine.disk.kill()
    const again = new LoggedEngine(machine, OPTIONS)
    expect(again.engine.keyspace.digest()).toBe(node.engine.keyspace.digest())
    expect(again.engine.applied.toWire()).toEqual(node.engine.applied.toWire())
    expect(again.log.start).toBe(start)
    expect(again.log.base.toWire()).toEqual(node.log.base.toWire())
    expect(() => again.log.seek(vectorOf(again, []))).toThrow(LogTrimmed)
    // Behind the beginning it serves what it served before, from what lies before the snapshot, too.
    const base = again.log.base
    expect(opsFrom(again, again.log.seek(base))).toEqual(
      opsFrom(node, node.log.seek(vectorOf(node, base.toWire()))),
    )
  })

  it('that a crash cut short leaves segments before a gap, which go at the next start', () => {
    const machine = simulatedMachine()
    const node = new LoggedEngine(machine, OPTIONS)
    write(machine, node, 60)
    snapshot(machine, node)
    const paths = node.log.segments.map(({ path }) => path)
    node.disk.removeFile(paths[1]!)
    machine.disk.kill()
    const again = new LoggedEngine(machine, OPTIONS)
    expect(again.log.segments.map(({ path }) => path)).toEqual(paths.slice(2))
    expect(again.engine.keyspace.digest()).toBe(node.engine.keyspace.digest())
  })
})

describe('rebase', () => {
  /** As if a snapshot with ops of region 2 had been adopted. */
  function adoptForeign(node: LoggedEngine): void {
    node.log.whenIdle(() => {
      node.engine.endBatch()
      const joined = node.engine.applied.copy()
      joined.join(vectorOf(node, [['2-00000000000b', 70]]))
      node.log.rebase(joined)
      node.engine.applied.join(joined)
    })
  }

  it('says at once durably what is not in the log, and sends for a snapshot who lacks it', () => {
    const machine = simulatedMachine()
    const node = new LoggedEngine(machine, OPTIONS)
    write(machine, node, 5)
    node.turn([['SET', 'last', 'before']])
    adoptForeign(node)
    expect(node.log.durable.toWire()).toEqual([
      ['1-000000000001', 6],
      ['2-00000000000b', 70],
    ])
    write(machine, node, 3)
    expect(() => node.log.seek(vectorOf(node, [['1-000000000001', 9]]))).toThrow(LogTrimmed)
    expect(() => node.log.seek(vectorOf(node, [['2-00000000000b', 69]]))).toThrow(LogTrimmed)
    const position = node.log.seek(vectorOf(node, [['2-00000000000b', 70]]))
    expect(opsFrom(node, position)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    const own = ({ region }: { region: number }) => region === 1
    expect(opsFrom(node, node.log.seek(vectorOf(node, []), own))).toHaveLength(9)
  })

  it('waits for the round that is under way, and keeps the order of bytes', () => {
    const machine = simulatedMachine()
    const node = new LoggedEngine(machine, { ...OPTIONS, policy: 'always' })
    const released: string[] = []
    node.turn([['SET', 'a', '1']], () => released.push('a'))
    adoptForeign(node)
    node.turn([['SET', 'b', '1']], () => released.push('b'))
    expect(node.log.base.toWire()).toEqual([])
    machine.clock.advance(SECOND)
    expect(released).toEqual(['a', 'b'])
    expect(node.log.base.toWire()).toEqual([['2-00000000000b', 70]])
    expect(opsFrom(node, node.log.start)).toEqual([1, 2])
    expect(node.log.durable.opCount).toBe(72)
  })

  it('is remembered by the log, and a snapshot from before it is not used any more', () => {
    const machine = simulatedMachine()
    const node = new LoggedEngine(machine, OPTIONS)
    write(machine, node, 5)
    snapshot(machine, node)
    adoptForeign(node)
    write(machine, node, 3)
    machine.disk.kill()
    expect(() => new LoggedEngine(machine, OPTIONS)).toThrow(/does not go on from it/)
  })

  it('is remembered by the log when a snapshot was made behind it', () => {
    const machine = simulatedMachine()
    const node = new LoggedEngine(machine, OPTIONS)
    write(machine, node, 5)
    adoptForeign(node)
    write(machine, node, 3)
    snapshot(machine, node)
    machine.disk.kill()
    const again = new LoggedEngine(machine, OPTIONS)
    expect(again.engine.applied.toWire()).toEqual(node.engine.applied.toWire())
    expect(again.log.base.toWire()).toEqual([['2-00000000000b', 70]])
  })
})
