/**
 * structures.test.ts: the fast structures against dumb twins.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemberIndex } from '../../crdt/member-index.ts'
import { DueKeys } from '../../region-node/engine/due-keys.ts'

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e')

describe('the member index', () => {
  it('holds at each position a member, each once, as an array would', () => {
    const change = fc.tuple(fc.boolean(), name)
    fc.assert(
      fc.property(fc.uniqueArray(name), fc.array(change), (start, changes) => {
        const index = new MemberIndex(start)
        const members = new Set(start)
        for (const [adds, member] of changes) {
          if (adds) index.add(member)
          else index.remove(member)
          if (adds) members.add(member)
          else members.delete(member)
          const listed = Array.from({ length: index.size }, (_, position) => index.at(position))
          expect(listed.sort()).toEqual([...members].sort())
        }
      }),
    )
  })
})

describe('the due keys', () => {
  const change = fc.record({
    kind: fc.constant('deadline' as const),
    key: name,
    atMs: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.nat({ max: 50 })),
  })
  const pass = fc.record({ kind: fc.constant('time' as const), ms: fc.nat({ max: 10 }) })

  it('are the keys whose deadline has passed, whatever their deadlines were before', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(change, pass), { maxLength: 60 }), fc.boolean(), (steps, sweeps) => {
        const due = new DueKeys()
        const deadlines = new Map<string, number>()
        const deadlineOf = (key: string) => deadlines.get(key) ?? Number.POSITIVE_INFINITY
        let nowMs = 0
        for (const step of steps) {
          if (step.kind === 'time') {
            nowMs += step.ms
          } else if (deadlineOf(step.key) !== step.atMs) {
            deadlines.set(step.key, step.atMs)
            due.changed(step.key, step.atMs)
            // As if no entry might be out of date.
            if (sweeps) due.sweep(-DueKeys.spareMax / 2, deadlineOf)
          }
          due.advance(nowMs, deadlineOf)
          const expected = [...deadlines].filter(([, atMs]) => atMs < nowMs).map(([key]) => key)
          expect([...due.keys].sort()).toEqual(expected.sort())
        }
      }),
      { numRuns: 1000 },
    )
  })
})
