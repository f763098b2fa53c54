/**
 * causal-buffer.test.ts: the buffer against a naive model.
 *
 * The model keeps a list and looks through all of it after every step. Both must release the same
 * batches, whatever the order of arrival, with duplicates and with links that are discarded.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type BatchHeader, lastSeq } from '../../../crdt/codec/batch.ts'
import { OriginTable } from '../../../crdt/origin.ts'
import { VersionVector } from '../../../crdt/version-vector.ts'
import { CausalBuffer } from '../../../sync/causal-buffer.ts'

const RECORD = new Uint8Array(100)
const UNLIMITED = Number.POSITIVE_INFINITY

interface Draw {
  readonly origin: number
  readonly opCount: number
  /** Pulls from these origins come before the batch is minted. */
  readonly sees: readonly number[]
}

/** Batches of four origins that see each other as drawn; every deps is a real cut. */
function history(draws: readonly Draw[]): { origins: OriginTable; batches: BatchHeader[] } {
  const origins = new OriginTable()
  const names = [1, 2, 3, 4].map((region) => origins.intern(`${region}-00000000000${region}`))
  const seen = names.map(() => new VersionVector(origins))
  const batches = draws.map(({ origin: index, opCount, sees }) => {
    const vector = seen[index]!
    for (const other of sees) vector.join(seen[other]!)
    const origin = names[index]!
    const firstSeq = vector.get(origin) + 1
    const deps = new VersionVector(origins)
    for (const [other, seq] of vector.entries()) if (other !== origin) deps.advance(other, seq)
    vector.advance(origin, firstSeq + opCount - 1)
    return { partition: 0, origin, firstSeq, opCount, deps }
  })
  return { origins, batches }
}

const draws = fc.array(
  fc.record({
    origin: fc.nat(3),
    opCount: fc.integer({ min: 1, max: 3 }),
    sees: fc.array(fc.nat(3), { maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 40 },
)

class Receiver {
  readonly applied: VersionVector
  readonly buffer: CausalBuffer<number>
  readonly #model: { header: BatchHeader; source: number }[] = []

  constructor(origins: OriginTable) {
    this.applied = new VersionVector(origins)
    this.buffer = new CausalBuffer(this.applied)
  }

  get waiting(): number {
    return this.#model.filter(({ header }) => !this.isCovered(header)).length
  }

  isCovered(header: BatchHeader): boolean {
    return lastSeq(header) <= this.applied.get(header.origin)
  }

  arrive(header: BatchHeader, source: number): void {
    if (this.isCovered(header)) return
    if (this.buffer.missing(header) === undefined) this.#apply(header)
    else {
      if (!this.#model.some((other) => other.header === header)) this.#model.push({ header, source })
      expect(this.buffer.add(RECORD, header, source, UNLIMITED)).toBe(true)
    }
    this.#release()
    this.#compare()
  }

  discard(source: number): void {
    this.buffer.discard((waiting) => waiting.source === source)
    for (let i = this.#model.length - 1; i >= 0; i--)
      if (this.#model[i]!.source === source) this.#model.splice(i, 1)
    this.#compare()
  }

  #release(): void {
    for (let next = this.buffer.take(); next !== undefined; next = this.buffer.take()) {
      if (!this.isCovered(next.header)) this.#apply(next.header)
    }
  }

  #apply(header: BatchHeader): void {
    expect(this.applied.get(header.origin)).toBeGreaterThanOrEqual(header.firstSeq - 1)
    expect(this.applied.covers(header.deps)).toBe(true)
    this.applied.advance(header.origin, lastSeq(header))
    this.buffer.advanced(header.origin, lastSeq(header))
  }

  /** Nothing that the model could apply is left in the buffer. */
  #compare(): void {
    for (const { header } of this.#model) {
      if (this.isCovered(header)) continue
      const follows = this.applied.get(header.origin) >= header.firstSeq - 1
      expect(follows && this.applied.covers(header.deps)).toBe(false)
    }
  }
}

describe('causal buffer', () => {
  it('releases exactly what a naive list would, in any order of arrival', () => {
    fc.assert(
      fc.property(draws, fc.infiniteStream(fc.nat()), (drawn, chance) => {
        const { origins, batches } = history(drawn)
        const draw = (below: number): number => chance.next().value % below
        const receiver = new Receiver(origins)
        const order = [...batches, ...batches].map((batch) => ({ batch, key: draw(1000) }))
        order.sort((a, b) => a.key - b.key)
        for (const { batch } of order) receiver.arrive(batch, draw(2))
        expect(receiver.waiting).toBe(0)
        expect(receiver.buffer.count).toBe(0)
        expect(receiver.buffer.bytes).toBe(0)
      }),
    )
  })

  it('forgets what one link delivered, and only that', () => {
    fc.assert(
      fc.property(draws, fc.infiniteStream(fc.nat()), (drawn, chance) => {
        const { origins, batches } = history(drawn)
        const draw = (below: number): number => chance.next().value % below
        const receiver = new Receiver(origins)
        const reversed = [...batches].reverse()
        for (const batch of reversed) {
          receiver.arrive(batch, draw(2))
          if (draw(8) === 0) receiver.discard(draw(2))
        }
        expect(receiver.buffer.count).toBe(receiver.waiting)
        for (const batch of batches) receiver.arrive(batch, 0)
        expect(receiver.buffer.bytes).toBe(0)
      }),
    )
  })

  it('takes no more than its limit and stays as it was', () => {
    const { origins, batches } = history([
      { origin: 0, opCount: 1, sees: [] },
      { origin: 0, opCount: 1, sees: [] },
      { origin: 0, opCount: 1, sees: [] },
    ])
    const buffer = new CausalBuffer<number>(new VersionVector(origins))
    expect(buffer.add(RECORD, batches[1]!, 0, 1000)).toBe(true)
    const { bytes } = buffer
    expect(buffer.add(RECORD, batches[2]!, 0, 1000)).toBe(false)
    expect(buffer.bytes).toBe(bytes)
    expect(buffer.holds(batches[2]!.origin, 3)).toBe(false)
    // A batch that is there already needs no room.
    expect(buffer.add(RECORD, batches[1]!, 0, 1000)).toBe(true)
  })

  it('releases a chain of 20,000 batches that arrived in reverse in a moment', () => {
    const { origins, batches } = history(
      Array.from({ length: 20_000 }, () => ({ origin: 0, opCount: 1, sees: [] })),
    )
    const receiver = new Receiver(origins)
    const { buffer, applied } = receiver
    for (let i = batches.length - 1; i > 0; i--) buffer.add(RECORD, batches[i]!, 0, UNLIMITED)
    applied.advance(batches[0]!.origin, 1)
    buffer.advanced(batches[0]!.origin, 1)
    let released = 0
    for (let next = buffer.take(); next !== undefined; next = buffer.take()) {
      released++
      applied.advance(next.header.origin, lastSeq(next.header))
      buffer.advanced(next.header.origin, lastSeq(next.header))
    }
    expect(released).toBe(19_999)
  })
})
