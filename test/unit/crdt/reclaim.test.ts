/**
 * reclaim.test.ts: what goes and what stays, written down case by case. That nobody can tell afterwards is
 * test/properties/reclaim.test.ts.
 */
import { describe, expect, it } from 'vitest'
import { Deadline } from '../../../crdt/deadline.ts'
import { type Dot, OpPoint } from '../../../crdt/dot.ts'
import { TAG } from '../../../crdt/effects/effect.ts'
import { type KeyEntry, KeyState, visibleState } from '../../../crdt/key.ts'
import { OriginTable } from '../../../crdt/origin.ts'
import { isReclaimable, reclaimableFields, reclaimEntry } from '../../../crdt/reclaim.ts'
import { Register } from '../../../crdt/register.ts'
import { applyEffect, type KeyEffect } from '../../../crdt/registry.ts'
import { VersionVector } from '../../../crdt/version-vector.ts'

const NEVER = Number.POSITIVE_INFINITY
const origins = new OriginTable()
const silent = { conflict(): void {} }
const all = (): boolean => true
const none = (): boolean => false
const earlierThan =
  (hlc: number) =>
  (dot: Dot): boolean =>
    dot.hlc < hlc

/** A key that got these effects, each from a region of its own that had seen none of the others. */
function concurrently(...effects: readonly KeyEffect[]): KeyEntry {
  let entry: KeyEntry | undefined
  effects.forEach((effect, i) => {
    const origin = origins.intern(`${i + 1}-000000000000`)
    const at = new OpPoint(origin, new VersionVector(origins), silent)
    at.moveTo(origin, 1, 100 * (i + 1), new VersionVector(origins))
    entry = applyEffect(effect, entry, at)
  })
  return entry!
}

const on = { db: 0, key: 'k' }

function set(value: string, deadlineMs = NEVER): KeyEffect {
  return { tag: TAG.SET, ...on, value, deadlineMs, seen: [] }
}

function put(value: string): KeyEffect {
  return { tag: TAG.PUT, ...on, value, creates: false, seen: [] }
}

function hset(...pairs: string[]): KeyEffect {
  return { tag: TAG.HASH_PUT, ...on, pairs, creates: true, seen: [] }
}

function expire(deadlineMs: number): KeyEffect {
  return { tag: TAG.DEADLINE, ...on, deadlineMs }
}

function deadlines(entry: KeyEntry | undefined): number[] {
  if (!(entry instanceof KeyState) || entry.deadlines === undefined) return []
  const list = Array.isArray(entry.deadlines) ? entry.deadlines : [entry.deadlines]
  return list.map((one) => (one instanceof Deadline ? one.atMs : NEVER))
}

describe('below the cut', () => {
  it('the losers of a string go', () => {
    const entry = concurrently(set('a'), put('b'), put('c'))
    expect(isReclaimable(entry)).toBe(true)
    const left = reclaimEntry(entry, undefined, all) as KeyState
    expect(left.state).toBeInstanceOf(Register)
    expect((left.state as Register).value).toBe('c')
    expect(isReclaimable(left)).toBe(false)
  })

  it('a loser above it stays', () => {
    const entry = concurrently(put('a'), put('b'), put('c'))
    const left = reclaimEntry(entry, undefined, earlierThan(150)) as KeyState
    expect(left.state?.describe()).toMatchObject({ registers: [{ value: 'c' }, { value: 'b' }] })
    expect(isReclaimable(left)).toBe(true)
  })

  it('nothing goes when nothing is', () => {
    const entry = concurrently(set('a', 5), set('b', 7), hset('f', 'x'))
    const text = JSON.stringify((entry as KeyState).state?.describe())
    expect(reclaimEntry(entry, undefined, none)).toBe(entry)
    expect(JSON.stringify((entry as KeyState).state?.describe())).toBe(text)
    expect(deadlines(entry).sort()).toEqual([5, 7, NEVER])
  })

  it('hidden types stay, without their losers', () => {
    const entry = concurrently(put('a'), put('b'), hset('f', 'x'))
    const left = reclaimEntry(entry, undefined, all) as KeyState
    expect(left.state?.type).toBe('hash')
    expect(left.hidden?.map((state) => state.describe())).toMatchObject([{ value: 'b' }])
  })

  it('increments are never losers', () => {
    const increment = { tag: TAG.INCREMENT, ...on, delta: 2, run: 1, total: 2, creates: false } as const
    const left = reclaimEntry(concurrently(put('5'), put('6'), increment), undefined, all) as KeyState
    expect(left.state?.describe()).toMatchObject({ registers: [{ value: '6' }], counter: [{ amount: '2' }] })
  })

  it('the losers of one field go, and those of the others wait for theirs', () => {
    const entry = concurrently(hset('f', 'a', 'g', 'a'), hset('f', 'b', 'g', 'b'), hset('h', 'c'))
    expect(reclaimableFields(entry)).toEqual(['f', 'g'])
    const left = reclaimEntry(entry, 'f', all)!
    expect(reclaimableFields(left)).toEqual(['g'])
    expect(reclaimableFields(reclaimEntry(left, 'nothing', all)!)).toEqual(['g'])
    expect(visibleState(reclaimEntry(left, 'g', all))?.describe()).toMatchObject({ f: { value: 'b' } })
  })

  it('of several deadlines the one that shows stays', () => {
    expect(
      deadlines(reclaimEntry(concurrently(hset('f', 'x'), expire(9), expire(5)), undefined, all)),
    ).toEqual([NEVER])
    const left = reclaimEntry(concurrently(expire(5), expire(9), put('v')), undefined, earlierThan(150))
    expect(deadlines(left)).toEqual([9])
  })

  it('the deadlines of a key that is gone go together, or not at all', () => {
    const entry = concurrently(expire(9), expire(5))
    expect(visibleState(entry)).toBeUndefined()
    expect(isReclaimable(entry)).toBe(true)
    expect(deadlines(reclaimEntry(entry, undefined, earlierThan(150)))).toEqual([9, 5])
    expect(reclaimEntry(entry, undefined, all)).toBeUndefined()
  })
})
