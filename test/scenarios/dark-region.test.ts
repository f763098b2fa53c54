/**
 * dark-region.test.ts: one of three regions is dark for thirty simulated days, with clients on all sides.
 *
 * What the others keep for it stays within limits, what it answered is there when it is back, and what was
 * deleted elsewhere stays deleted. Between two rounds of commands all clocks move on by most of an hour at
 * once, so the month takes seconds; links are found silent each time and dialed anew.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { SimMesh } from '../harness/sim-mesh.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const ROUND_MS = 40 * MINUTE_MS
const DAYS = 30
const ROUNDS = (DAYS * 24 * HOUR_MS) / ROUND_MS
const ROUNDS_A_DAY = ROUNDS / DAYS
/** After a leap: links are found dead and opened again, and what was written meanwhile travels. */
const AWAKE_MS = 6000
/** Nothing is on its way when the clocks move on: how old it is would be forgotten. */
const CALM_MS = 500

const KB = 1024
/**
 * What a region may keep while one is dark: a day of log, what two snapshots need, and the megabyte by which it
 * knows who has what. Everything written in the month is several times as much.
 */
const LOG_BYTES_MAX = 2048 * KB
const SEGMENTS_MAX = 36
const WAITING_BYTES_MAX = 64 * KB
const RECLAIM_PENDING_MAX = 200
/** Log written before a snapshot is made, and so before a part of it may go. */
const SNAPSHOT_BYTES = 256 * KB

const SETTINGS = {
  'log-segment-bytes': 64 * KB,
  'log-tail-bytes': 64 * KB,
  'log-snapshot-bytes': SNAPSHOT_BYTES,
}
const SHARED_KEYS = 20
const FILLING = 'x'.repeat(3 * KB)

class Month {
  readonly mesh = new SimMesh('abc', SETTINGS)
  /** Highest readings at a and b, over the month. */
  readonly most = { logBytes: 0, segments: 0, waitingBytes: 0, reclaimPending: 0 }
  /** Bytes of log that a wrote, kept or not. */
  writtenBytes = 0
  /** Statuses of c at a, one for each day. */
  readonly statuses: string[] = []
  /** Ops below the cut of a, one reading for each day. */
  readonly cuts: number[] = []
  incremented = 0
  removedInTheDark = 0

  async begin(): Promise<void> {
    const { mesh } = this
    await mesh.start('abc')
    mesh.pass(5000)
    for (let i = 0; i < SHARED_KEYS; i++) {
      this.#ok('a', 'SET', `old:${i}`, 'v', 'PX', String(365 * 24 * HOUR_MS))
      this.#ok('a', 'HSET', `form:${i}`, 'f', 'v')
    }
    mesh.settle('abc')
    mesh.pass(5000)
  }

  isolate(): void {
    for (const name of 'ab') this.mesh.network.cut(name, 'c')
  }

  heal(): void {
    for (const name of 'ab') this.mesh.network.heal(name, 'c')
  }

  round(i: number): void {
    const { mesh } = this
    mesh.leap(ROUND_MS - AWAKE_MS - CALM_MS)
    mesh.pass(AWAKE_MS)
    for (const name of 'ab') this.#load(name, i)
    this.#loadInTheDark(i)
    mesh.pass(CALM_MS)
    this.#look()
    if (i % ROUNDS_A_DAY !== 0) return
    this.statuses.push(mesh.core('a').membership.statusOf(3))
    this.cuts.push(mesh.core('a').mesh.cut.cut.opCount)
  }

  /** Writes, removals, deadlines and counters at a region that the other one hears. */
  #load(name: string, i: number): void {
    this.#ok(name, 'SET', `${name}:${i % SHARED_KEYS}`, `v${i}`, 'PX', String(2 * HOUR_MS))
    this.#ok(name, 'SET', `both:${i % SHARED_KEYS}`, `${name}${i}${FILLING}`)
    this.#ok(name, 'HSET', 'both', `f${i % SHARED_KEYS}`, `${name}${i}`)
    this.#ok(name, 'DEL', `old:${i % SHARED_KEYS}`, `both:${(i + 7) % SHARED_KEYS}`)
    this.#ok(name, 'PEXPIRE', `${name}:${(i + 1) % SHARED_KEYS}`, String(HOUR_MS))
    this.#count(name)
  }

  #loadInTheDark(i: number): void {
    this.#ok('c', 'SET', `dark:${i}`, `v${i}`)
    this.#ok('c', 'SADD', 'dark', `m${i}`)
    this.#count('c')
    if (i % ROUNDS_A_DAY !== 0) return
    this.#ok('c', 'HDEL', `form:${i / ROUNDS_A_DAY}`, 'f')
    if (i / ROUNDS_A_DAY < SHARED_KEYS) this.removedInTheDark++
  }

  #count(name: string): void {
    this.#ok(name, 'INCR', 'sum')
    this.incremented++
  }

  #ok(name: string, ...words: string[]): void {
    const reply = this.mesh.run(name, ...words)
    if (reply === undefined || reply instanceof Error)
      throw new Error(`${words.join(' ')} at ${name}: ${reply}`)
  }

  #look(): void {
    const { mesh, most } = this
    for (const name of 'ab') {
      const { log, mesh: links, engine } = mesh.core(name)
      most.logBytes = Math.max(most.logBytes, log.bytes)
      most.segments = Math.max(most.segments, log.segments.length)
      most.waitingBytes = Math.max(most.waitingBytes, links.waiting.bytes)
      most.reclaimPending = Math.max(most.reclaimPending, engine.reclaimPending)
    }
    this.writtenBytes = mesh.core('a').log.writtenPosition
  }
}

describe('a region that is dark for thirty days under load', () => {
  const month = new Month()
  const { mesh } = month

  beforeAll(async () => {
    await month.begin()
    month.isolate()
    for (let i = 0; i < ROUNDS; i++) month.round(i)
  })

  it('is suspended after a day, and the cut of the others moves on from then on', () => {
    expect(month.statuses[0]).toBe('member')
    expect(new Set(month.statuses.slice(2))).toEqual(new Set(['suspended']))
    for (let day = 3; day < DAYS; day++) expect(month.cuts[day]).toBeGreaterThan(month.cuts[day - 1]!)
  })

  it('does not make the memory or the log of the others grow beyond their limits', () => {
    const { logBytes, segments, waitingBytes, reclaimPending } = month.most
    expect(month.writtenBytes).toBeGreaterThan(3 * LOG_BYTES_MAX)
    expect(logBytes).toBeLessThan(LOG_BYTES_MAX)
    expect(segments).toBeLessThan(SEGMENTS_MAX)
    expect(waitingBytes).toBeLessThan(WAITING_BYTES_MAX)
    expect(reclaimPending).toBeLessThan(RECLAIM_PENDING_MAX)
  })

  it('loses nothing that it answered and brings nothing back that was deleted, when it returns', () => {
    month.heal()
    mesh.until(() => 'abc'.split('').every((name) => mesh.core(name).membership.epochOf(3) === 2))
    mesh.until(() => mesh.core('c').engine.refusal === undefined)
    mesh.settle('abc')
    for (const name of 'abc') {
      for (let i = 0; i < ROUNDS; i++) expect(mesh.run(name, 'GET', `dark:${i}`)).toBe(`v${i}`)
      expect(mesh.run(name, 'SCARD', 'dark')).toBe(ROUNDS)
      expect(mesh.run(name, 'GET', 'sum')).toBe(String(month.incremented))
      for (let i = 0; i < SHARED_KEYS; i++) {
        expect(mesh.run(name, 'EXISTS', `old:${i}`)).toBe(0)
        // Removed in the dark only: dropped, and counted.
        expect(mesh.run(name, 'HGET', `form:${i}`, 'f')).toBe('v')
      }
    }
    expect(mesh.core('c').lateTail.droppedCount).toBe(month.removedInTheDark)
    expect(new Set([...'abc'].map((name) => mesh.digest(name))).size).toBe(1)
  })

  it('leaves nothing to be reclaimed behind it, and the cut reaches everything', () => {
    mesh.pass(60_000)
    mesh.settle('abc')
    for (const name of 'abc') {
      const { engine, mesh: links, applied } = mesh.core(name)
      expect(engine.reclaimPending).toBe(0)
      expect(links.cut.cut.covers(applied)).toBe(true)
    }
    expect(new Set([...'abc'].map((name) => mesh.digest(name))).size).toBe(1)
  })
})
