/**
 * stable-cut.test.ts: who holds the cut back, and what lets it move on.
 *
 * The node under test is in region 1. Vectors are written down by a letter and a number for each origin:
 * a, b, c are the first origins of regions 1, 2, 3, and A, B, C their second ones.
 */
import { describe, expect, it } from 'vitest'
import { TAG } from '../../../crdt/effects/effect.ts'
import { Membership } from '../../../crdt/membership.ts'
import { type Origin, OriginTable } from '../../../crdt/origin.ts'
import { VersionVector } from '../../../crdt/version-vector.ts'
import { type CutMember, type Holdup, StableCut } from '../../../sync/stable-cut.ts'

type Letters = Readonly<Record<string, number>>

class Node {
  readonly origins = new OriginTable()
  readonly applied = new VersionVector(this.origins)
  readonly durable = new VersionVector(this.origins)
  readonly membership = new Membership()
  origin: Origin = this.named('a')
  readonly cut: StableCut = new StableCut(this)
  readonly members: CutMember[] = [
    { name: 'B', regionId: 2 },
    { name: 'C', regionId: 3 },
  ]
  nowMs = 0

  named(letter: string): Origin {
    const region = letter.toLowerCase().charCodeAt(0) - 'a'.charCodeAt(0) + 1
    return this.origins.intern(`${region}-00000000000${letter === letter.toLowerCase() ? 1 : 2}`)
  }

  vector(letters: Letters): VersionVector {
    const vector = new VersionVector(this.origins)
    for (const [letter, seq] of Object.entries(letters)) vector.advance(this.named(letter), seq)
    return vector
  }

  /** Applies and fsyncs that much. */
  has(letters: Letters): void {
    this.applied.join(this.vector(letters))
    this.durable.join(this.vector(letters))
  }

  hear(letter: string, durable: Letters, heardMs = ++this.nowMs, clockMs = 0): void {
    const origin = this.named(letter)
    this.cut.heard({
      regionId: origin.region,
      origin,
      durable: this.vector(durable),
      fences: new Map(),
      heardMs,
      clockMs,
    })
  }

  seal(letter: string, end: number): void {
    const by = { origin: this.origin, seq: 1, index: 0, hlcHigh: 0, hlcLow: 0 }
    this.membership.apply({ tag: TAG.SEAL, origin: this.named(letter), end }, by, this.applied)
  }

  /** The region of that origin is suspended, by the own op with that seq. */
  suspend(letter: string, seq: number): void {
    const by = { origin: this.origin, seq, index: 0, hlcHigh: 0, hlcLow: 0 }
    const regionId = this.named(letter).region
    const effect = { tag: TAG.REGION, regionId, name: 'C', url: '', status: 'suspended', epoch: 1 } as const
    this.membership.apply(effect, by, this.applied)
  }

  update(): Holdup | undefined {
    return this.cut.update(this.members, this.nowMs)
  }

  /** The cut anew, by letters. */
  get letters(): Letters {
    this.update()
    const letters: Record<string, number> = {}
    for (const letter of 'aAbBcC') {
      const seq = this.cut.cut.get(this.named(letter))
      if (seq > 0) letters[letter] = seq
    }
    return letters
  }
}

describe('the stable cut', () => {
  it('is what all members and this node have fsynced', () => {
    const node = new Node()
    node.has({ a: 5, b: 5, c: 5 })
    node.hear('b', { a: 3, b: 5, c: 4 })
    node.hear('c', { a: 4, b: 2, c: 5 })
    expect(node.update()).toBeUndefined()
    expect(node.letters).toEqual({ a: 3, b: 2, c: 4 })
  })

  it('counts only what is durable here', () => {
    const node = new Node()
    node.has({ a: 5 })
    node.applied.join(node.vector({ b: 5 }))
    node.hear('b', { a: 5, b: 5 })
    node.hear('c', { a: 5, b: 5 })
    expect(node.letters).toEqual({ a: 5 })
  })

  it('is held by a member that was never heard, and by one that was never reached', () => {
    const node = new Node()
    node.has({ a: 5 })
    node.hear('b', { a: 5 })
    expect(node.update()).toEqual({ name: 'C', regionId: 3, origin: undefined, heardMsAgo: undefined })
    node.hear('c', { a: 5 })
    node.members.push({ name: 'D', regionId: undefined })
    expect(node.update()).toMatchObject({ name: 'D', regionId: undefined })
    expect(node.cut.cut.opCount).toBe(0)
  })

  it('counts a standing once the ops of its origin up to it are applied', () => {
    const node = new Node()
    node.has({ a: 5, b: 1 })
    node.hear('c', { a: 5 })
    node.hear('b', { a: 5, b: 2 })
    node.nowMs += 70
    expect(node.update()).toEqual({ name: 'B', regionId: 2, origin: undefined, heardMsAgo: 70 })
    node.has({ b: 2 })
    expect(node.letters).toEqual({ a: 5 })
  })

  it('moves on under load, when a newer standing always comes before the ops of the last one', () => {
    const node = new Node()
    node.has({ a: 9 })
    node.hear('c', { a: 9 })
    for (let seq = 1; seq <= 8; seq++) {
      node.hear('b', { a: seq, b: seq })
      node.has({ b: seq - 1 })
      node.update()
    }
    expect(node.cut.cut.get(node.origin)).toBeGreaterThanOrEqual(6)
  })

  it('is taken over origins: a former one holds it where it stood, whatever its region says since', () => {
    const node = new Node()
    node.has({ a: 3, b: 3 })
    node.hear('c', { a: 3, b: 3 })
    node.hear('b', { a: 3, b: 3 })
    expect(node.letters).toEqual({ a: 3, b: 3 })
    node.has({ a: 9 })
    node.hear('c', { a: 9, b: 3 })
    node.hear('B', { a: 9, b: 3 })
    // Ops of b beyond 3 may still be on their way, with what b had seen long ago.
    expect(node.letters).toEqual({ a: 3, b: 3 })
    node.seal('b', 4)
    expect(node.letters).toEqual({ a: 3, b: 3 })
    node.has({ b: 4 })
    node.hear('c', { a: 9, b: 4 })
    node.hear('B', { a: 9, b: 4 })
    expect(node.letters).toEqual({ a: 9, b: 4 })
  })

  it('waits for a former origin that was never heard, and says so', () => {
    const node = new Node()
    node.has({ a: 5, b: 1 })
    node.hear('c', { a: 5 })
    node.hear('B', { a: 5 })
    expect(node.update()).toMatchObject({ regionId: 2, origin: node.named('b'), heardMsAgo: 0 })
    node.seal('b', 1)
    expect(node.update()).toBeUndefined()
  })

  it('waits for a former origin of which nothing has come yet, when somebody has an op of it', () => {
    const node = new Node()
    node.has({ a: 5 })
    node.hear('c', { a: 5 })
    // B minted b:1, having seen nothing, and restarted; its standing outruns that op.
    node.hear('B', { a: 5, b: 1 })
    expect(node.update()).toMatchObject({ origin: node.named('b') })
    expect(node.letters).toEqual({})
    node.has({ b: 1 })
    expect(node.letters).toEqual({})
    node.seal('b', 1)
    expect(node.letters).toEqual({ a: 5 })
  })

  it('waits for such a one also when only a third region has heard of it', () => {
    const node = new Node()
    node.has({ a: 5 })
    node.hear('B', { a: 5 })
    node.hear('c', { a: 5, b: 1 })
    expect(node.update()).toMatchObject({ origin: node.named('b') })
  })

  it('waits for this node’s own former origins', () => {
    const node = new Node()
    node.has({ a: 2 })
    node.origin = node.named('A')
    node.hear('b', { a: 2 })
    node.hear('c', { a: 2 })
    expect(node.update()).toMatchObject({ regionId: 1, origin: node.named('a') })
    node.seal('a', 2)
    expect(node.letters).toEqual({ a: 2 })
  })

  it('never goes back', () => {
    const node = new Node()
    node.has({ a: 5 })
    node.hear('b', { a: 5 })
    node.hear('c', { a: 5 })
    expect(node.letters).toEqual({ a: 5 })
    node.hear('C', { a: 1 })
    expect(node.letters).toEqual({ a: 5 })
    node.members.push({ name: 'D', regionId: 4 })
    expect(node.letters).toEqual({ a: 5 })
  })

  it('stands still until every member knows that a region is gone, and takes nothing of it any more', () => {
    const node = new Node()
    node.has({ a: 5, b: 5 })
    node.hear('b', { a: 3, b: 5 })
    node.hear('c', { a: 4, b: 5 })
    expect(node.letters).toEqual({ a: 3, b: 5 })
    node.members.pop()
    node.suspend('c', 6)
    node.has({ a: 6 })
    node.seal('c', 0)
    node.hear('b', { a: 5, b: 5 })
    expect(node.letters).toEqual({ a: 3, b: 5 })
    expect(node.update()).toMatchObject({ name: 'B', regionId: 2, origin: undefined })
    node.hear('b', { a: 6, b: 5 })
    expect(node.letters).toEqual({ a: 6, b: 5 })
  })

  it('begins anew when ops were left out that it counted on', () => {
    const node = new Node()
    node.has({ a: 5, b: 5, c: 5 })
    node.hear('b', { a: 5, b: 5, c: 5 })
    node.hear('c', { a: 4, b: 5, c: 5 })
    expect(node.letters).toEqual({ a: 4, b: 5, c: 5 })
    node.applied.retreat(node.named('c'), 3)
    node.cut.rebuilt()
    // What c had seen at its fifth op says nothing of its fourth, which may come again.
    expect(node.letters).toEqual({})
    node.has({ c: 5 })
    expect(node.letters).toEqual({ a: 4, b: 5, c: 5 })
  })

  it('admits no origin whose first op has not seen what lies below it, but at a replica', () => {
    const node = new Node()
    node.has({ a: 5, b: 3 })
    node.hear('b', { a: 4, b: 3 })
    node.hear('c', { a: 5, b: 2 })
    node.update()
    expect(node.cut.admits(node.named('B'), node.vector({ a: 4, b: 2 }))).toBe(true)
    expect([...node.cut.strays]).toEqual([])
    expect(node.cut.admits(node.named('B'), node.vector({ a: 3, b: 2 }))).toBe(false)
    expect([...node.cut.strays]).toEqual([node.named('B')])
    node.cut.rebuilt()
    expect(node.cut.strays.size).toBe(0)
    node.update()
    node.membership.takesFenced = true
    expect(node.cut.admits(node.named('C'), node.vector({}))).toBe(true)
  })

  it('tells what was heard of a former origin until that is sealed, for a region that has forgotten it', () => {
    const node = new Node()
    const former = () => [...node.cut.former].map(({ origin }) => origin)
    node.hear('b', { a: 4 })
    node.hear('B', { a: 2 })
    expect(former()).toEqual([node.named('b')])
    // News that were long on their way.
    node.hear('b', { a: 4 })
    node.hear('B', { a: 2 })
    expect(former()).toEqual([node.named('b')])
    node.seal('b', 0)
    expect(former()).toEqual([])
    // And who it is that has forgotten it takes part in waiting for it.
    const own = { regionId: 1, origin: node.named('A'), durable: node.vector({ b: 3 }) }
    node.cut.remembered({ ...own, fences: new Map(), heardMs: 0, clockMs: 0 })
    expect([...node.cut.origins()]).toContain(node.named('A'))
  })

  it('takes no older news for newer', () => {
    const node = new Node()
    node.has({ a: 5 })
    node.hear('b', { a: 5 }, 100)
    node.hear('b', { a: 1 }, 99)
    node.hear('c', { a: 5 })
    expect(node.letters).toEqual({ a: 5 })
    expect(node.cut.standing(2)?.heardMs).toBe(100)
  })

  it('keeps the latest clock that a region has announced, for when the region has forgotten it', () => {
    const node = new Node()
    node.hear('b', {}, 100, 7000)
    node.hear('B', {}, 101, 6000)
    expect(node.cut.standing(2)).toMatchObject({ origin: node.named('B'), clockMs: 7000 })
    // Others heard it before the disk was lost, and say so later.
    node.hear('b', {}, 99, 8000)
    expect(node.cut.standing(2)).toMatchObject({ origin: node.named('B'), heardMs: 101, clockMs: 8000 })
  })

  it('goes on without a region that is no member, once its origins are sealed', () => {
    const node = new Node()
    node.has({ a: 5, b: 2 })
    node.hear('b', { a: 1, b: 2 })
    node.hear('c', { a: 5, b: 2 })
    expect(node.letters).toEqual({ a: 1, b: 2 })
    node.members.splice(0, 1)
    node.cut.forget(2)
    expect(node.cut.standing(2)).toBeUndefined()
    expect(node.letters).toEqual({ a: 1, b: 2 })
    node.seal('b', 2)
    expect(node.letters).toEqual({ a: 5, b: 2 })
  })
})
