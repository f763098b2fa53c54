/**
 * late-tail.test.ts: how a late tail is found in the log, and that reads are served meanwhile. What of it is minted
 * again is judged in remint.test.ts and by the simulator.
 */
import { describe, expect, it } from 'vitest'
import { portableLatin1 } from '../../../crdt/codec/bytes.ts'
import { LateTail } from '../../../region-node/late-tail.ts'
import type { LogPosition, LogRecord } from '../../../sync/ports.ts'
import { ManualClock } from '../../harness/manual-clock.ts'
import { MemoryHost } from '../../harness/memory-host.ts'

/** What each reading of the log takes. */
const READ_MS = 0.6
const VALUE_BYTES = 30_000

/** A clock that also moves while the log is read. */
class ReadingClock extends ManualClock {
  #readMs = 0

  override monoMs(): number {
    return super.monoMs() + this.#readMs
  }

  read(): void {
    this.#readMs += READ_MS
  }
}

/** Region 1, which was away, and region 2, which went on. */
class World {
  readonly clock = new ReadingClock()
  readonly own = new MemoryHost(this.clock, 'A', 1)
  readonly other = new MemoryHost(this.clock, 'B', 2)
  readonly late: LateTail
  readonly reminted: number[] = []
  /** What was looked at in turn: own ops by their seq, those of the other region that do not count with a minus. */
  readonly looked: number[] = []
  readonly reads: LogPosition[] = []
  readonly reports: string[] = []
  isEnding = false
  isFull = false
  isBusy = false
  #idle: (() => void) | undefined
  found = 0

  constructor() {
    const { own } = this
    const world = this
    const { membership } = own
    this.late = new LateTail({
      env: this.clock,
      engine: {
        applied: own.applied,
        membership,
        get mintedCount() {
          return world.reminted.length
        },
        declare: () => {},
        remint: (_origin, { seq }) => {
          this.reminted.push(seq)
          this.looked.push(seq)
          return { isMinted: true, dropped: 0, overwritten: 0 }
        },
        takenApart: ({ seq }) => this.looked.push(-seq),
        endRemint: () => {},
        endTurn: () => {},
        refusal: undefined,
      },
      log: {
        start: 0,
        get end() {
          return own.log.end
        },
        get isFull() {
          return world.isFull
        },
        read: (position, bytesMax) => this.#read(position, bytesMax),
        whenIdle: (task) => {
          if (this.isBusy) this.#idle = task
          else task()
        },
        flushNow: () => {},
      },
      origins: own.origins,
      turnBegan: () => {},
      latin1: portableLatin1,
      regionId: 1,
      report: (sentence) => this.reports.push(sentence),
      isEnding: () => this.isEnding,
    })
  }

  #read(position: LogPosition, bytesMax: number): { records: readonly LogRecord[]; next: LogPosition } {
    this.clock.read()
    this.reads.push(position)
    return this.own.log.read(position, bytesMax)
  }

  /** The log: so many batches of the other region, `tail` of the own one, and as many of the other again. */
  fill(batches: number, tail: number): void {
    for (let i = 0; i < batches; i++) this.#receive()
    for (let i = 0; i < tail; i++) this.own.write(1, VALUE_BYTES)
    for (let i = 0; i < batches; i++) this.#receive()
    // What was minted in the dark counts no more.
    this.own.applied.retreat(this.own.origin, 0)
  }

  #receive(): void {
    const { own, other } = this
    const bytes = other.write(1, VALUE_BYTES)
    const origin = own.origins.intern(other.origin.id)
    const firstSeq = other.applied.get(other.origin)
    own.applied.advance(origin, firstSeq)
    own.log.append({ bytes, span: { partition: 0, origin, firstSeq, opCount: 1 } })
  }

  search(): void {
    this.late.search(() => {
      this.found++
    })
  }

  idle(): void {
    this.isBusy = false
    this.#idle?.()
  }
}

describe('a late tail', () => {
  it('is found at once in a short log, and minted again in the order of the log', () => {
    const world = new World()
    world.fill(0, 3)
    world.late.suspect()
    expect(world.late.isPending).toBe(true)
    world.search()
    expect(world.found).toBe(1)
    world.late.remint()
    expect(world.reminted).toEqual([1, 2, 3])
    expect(world.late.isPending).toBe(false)
    expect(world.reports).toEqual([expect.stringMatching(/^3 ops /)])
  })

  it('is searched for in slices of a long log, and only where it lies it is read again', () => {
    const world = new World()
    world.fill(40, 10)
    world.late.suspect()
    world.search()
    expect(world.found).toBe(0)
    expect(world.reads.length).toBeLessThan(4)
    // Asked again meanwhile, it is not begun again.
    world.search()
    world.clock.advance(0)
    expect(world.found).toBe(1)
    expect(new Set(world.reads).size).toBe(world.reads.length)
    const searched = world.reads.splice(0)
    expect(searched.length).toBeGreaterThan(40)
    world.late.remint()
    expect(world.reminted).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(world.reads).toHaveLength(1)
  })

  it('is minted again behind what it was built upon, which another region minted in the same dark', () => {
    const world = new World()
    const { own, other } = world
    world.fill(20, 3)
    // The last of those before the tail count no more, and the first of those behind it.
    own.applied.retreat(own.origins.intern(other.origin.id), 18)
    world.late.suspect()
    world.search()
    world.clock.advance(0)
    world.late.remint()
    expect(world.looked.slice(0, 5)).toEqual([-19, -20, 1, 2, 3])
    expect(world.looked.slice(5).every((seq) => seq < -20)).toBe(true)
  })

  it('that is not there is not read again', () => {
    const world = new World()
    world.fill(20, 0)
    world.late.suspect()
    world.search()
    world.clock.advance(0)
    world.reads.length = 0
    world.late.remint()
    expect([world.reads, world.reminted, world.reports]).toEqual([[], [], []])
  })

  it('that may be another one by now is searched for anew', () => {
    const world = new World()
    world.fill(20, 3)
    world.late.suspect()
    world.search()
    world.late.suspect()
    world.clock.advance(0)
    expect(world.found).toBe(0)
    world.search()
    world.clock.advance(0)
    expect(world.found).toBe(1)
  })

  it('is said to be found again to who could not mint it then', () => {
    const world = new World()
    world.fill(0, 1)
    world.late.suspect()
    world.search()
    world.reads.length = 0
    world.search()
    expect([world.found, world.reads]).toEqual([2, []])
  })

  it('waits until nothing is being written, and for room on the disk', () => {
    const world = new World()
    world.fill(0, 1)
    world.late.suspect()
    world.isBusy = true
    world.search()
    expect(world.found).toBe(0)
    world.idle()
    expect(world.found).toBe(1)
    world.isFull = true
    world.search()
    expect(world.found).toBe(1)
  })

  it('is searched for no longer when the node ends', () => {
    const world = new World()
    world.fill(20, 3)
    world.late.suspect()
    world.search()
    const reads = world.reads.length
    world.isEnding = true
    world.clock.advance(0)
    expect([world.found, world.reads.length]).toEqual([0, reads])
  })
})
