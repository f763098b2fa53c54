/**
 * stored-state.test.ts: what ops of others leave to be forgotten, and that it is found without looking at all.
 */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { portableLatin1 } from '../../../../crdt/codec/bytes.ts'
import { OpPoint } from '../../../../crdt/dot.ts'
import { TAG } from '../../../../crdt/effects/effect.ts'
import { HashState } from '../../../../crdt/hash-aw.ts'
import { Membership } from '../../../../crdt/membership.ts'
import { OriginTable, originId } from '../../../../crdt/origin.ts'
import type { Effect } from '../../../../crdt/registry.ts'
import { VersionVector } from '../../../../crdt/version-vector.ts'
import { Keyspace } from '../../../../region-node/engine/keyspace.ts'
import { StoredState } from '../../../../region-node/engine/stored-state.ts'

const ON = { db: 0, key: 'k' }
const NEVER = Number.POSITIVE_INFINITY

class World {
  readonly #origins = new OriginTable()
  readonly state = new StoredState(
    new Keyspace(this.#origins, portableLatin1),
    new Membership(),
    new VersionVector(this.#origins),
    1,
  )
  readonly #at = new Map<number, OpPoint>()

  /** Applies an op of a region, which has seen its own ones and none of the others. */
  apply(region: number, effect: Effect): void {
    const origin = this.#origins.intern(originId(region, new Uint8Array(6)))
    const at =
      this.#at.get(region) ?? new OpPoint(origin, new VersionVector(this.#origins), { conflict() {} })
    this.#at.set(region, at)
    at.moveTo(origin, at.seq + 1, 2 ** 50 + at.seq, at.deps)
    this.state.apply(effect, at)
  }

  put(...fields: readonly string[]): void {
    const pairs = fields.flatMap((field) => [field, 'v'])
    this.apply(2, { tag: TAG.HASH_PUT, ...ON, pairs, creates: true, seen: [] })
  }

  expire(region: number, ...fields: readonly string[]): void {
    this.apply(region, { tag: TAG.FIELD_DEADLINE, ...ON, fields, deadlineMs: 1000 })
  }

  remove(...fields: readonly string[]): void {
    this.apply(2, { tag: TAG.HASH_REMOVE, ...ON, fields, seen: [] })
  }

  get pending(): number {
    return this.state.reclaimer.pending
  }
}

describe('what ops leave behind', () => {
  afterEach(() => void vi.restoreAllMocks())

  it('is a deadline of a field whose removal had not seen it', () => {
    const world = new World()
    world.put('a', 'b', 'c')
    world.expire(3, 'a')
    world.state.reclaimer.clear()
    world.remove('b')
    expect(world.pending).toBe(0)
    world.remove('a')
    expect(world.pending).toBe(1)
  })

  it('is found when the whole hash is replaced', () => {
    const world = new World()
    world.put('a', 'b')
    world.expire(3, 'a')
    world.state.reclaimer.clear()
    world.apply(2, { tag: TAG.SET, ...ON, value: 'v', deadlineMs: NEVER, seen: [] })
    expect(world.pending).toBe(1)
  })

  // 20,000 HPEXPIREs of one hash kept the other regions busy for 18 s: each of them looked at all fields.
  it('is looked for in the fields that an op names, not in all of the hash', () => {
    const world = new World()
    world.put('a', 'b', 'c')
    world.expire(2, 'a')
    const cells = vi.spyOn(HashState.prototype, 'cells')
    world.expire(2, 'b')
    world.remove('c')
    expect(cells).not.toHaveBeenCalled()
  })

  it('is not looked for in a plain string', () => {
    const world = new World()
    const get = vi.spyOn(Keyspace.prototype, 'get')
    world.apply(2, { tag: TAG.SET, ...ON, value: 'v', deadlineMs: NEVER, seen: [] })
    expect(get).not.toHaveBeenCalled()
  })
})
