/**
 * reclaimer.test.ts: when a key is given out to be looked at: only once all is stable that was applied when
 * it was last noted.
 */
import { describe, expect, it } from 'vitest'
import { OriginTable } from '../../../../crdt/origin.ts'
import { VersionVector } from '../../../../crdt/version-vector.ts'
import { Reclaimer } from '../../../../region-node/engine/reclaimer.ts'

class World {
  readonly origins = new OriginTable()
  readonly applied = new VersionVector(this.origins)
  readonly cut = new VersionVector(this.origins)
  readonly reclaimer = new Reclaimer()

  apply(seq: number): void {
    this.applied.advance(this.origins.intern('1-000000000001'), seq)
  }

  stable(seq: number): void {
    this.cut.advance(this.origins.intern('1-000000000001'), seq)
  }

  take(limit = 100): string[] {
    const due = this.reclaimer.take(this.cut, this.applied, limit)
    return due.map(({ key, field }) => (field === undefined ? key : `${key}.${field}`))
  }
}

describe('a noted key', () => {
  it('waits for all that was applied when its set was closed', () => {
    const world = new World()
    world.apply(5)
    world.reclaimer.note(0, 'k')
    world.stable(4)
    expect(world.take()).toEqual([])
    world.apply(9)
    world.stable(5)
    expect(world.take()).toEqual(['k'])
    expect(world.reclaimer.pending).toBe(0)
  })

  it('waits anew when it is noted anew', () => {
    const world = new World()
    world.apply(5)
    world.reclaimer.note(0, 'k')
    world.reclaimer.note(0, 'l')
    expect(world.take()).toEqual([])
    world.apply(6)
    world.reclaimer.note(0, 'k')
    world.stable(5)
    expect(world.take()).toEqual(['l'])
    expect(world.take()).toEqual([])
    world.stable(6)
    expect(world.take()).toEqual(['k'])
  })

  it('is not held up by those noted after its set was closed', () => {
    const world = new World()
    world.apply(1)
    world.reclaimer.note(0, 'k')
    world.take()
    for (let seq = 2; seq < 50; seq++) {
      world.apply(seq)
      world.reclaimer.note(0, `later-${seq}`)
      world.take()
    }
    world.stable(1)
    expect(world.take()).toEqual(['k'])
    expect(world.reclaimer.pending).toBe(48)
  })

  it('comes in portions', () => {
    const world = new World()
    for (const key of ['a', 'b', 'c']) world.reclaimer.note(0, key)
    expect([world.take(2), world.take(2), world.take(2)]).toEqual([['a', 'b'], ['c'], []])
  })

  it('is one with itself only: databases, keys and fields are told apart whatever they are called', () => {
    const world = new World()
    const notes: [number, string, string?][] = [
      [0, 'k'],
      [1, 'k'],
      [0, 'k', ''],
      [0, 'k', 'f'],
      [0, 'kf'],
      [0, 'kf', ''],
      [0, '1:kf'],
      [0, '1:k'],
    ]
    for (const note of [...notes, ...notes]) world.reclaimer.note(...note)
    expect(world.reclaimer.pending).toBe(notes.length)
  })
})
