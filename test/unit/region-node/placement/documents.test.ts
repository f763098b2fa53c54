/**
 * documents.test.ts: keys and documents of machines and placements, and that nodes do not take them for their own.
 */
import { describe, expect, it } from 'vitest'
import { Keys } from '../../../../region-node/cluster/documents.ts'
import {
  decodeLayout,
  decodeMachine,
  decodePlacement,
  encodePlacing,
  isReleased,
  type MachineDocument,
  PlacingKeys,
} from '../../../../region-node/placement/documents.ts'
import { firstPlacement, letGo, moved, rebuilt, takenBack } from '../../../../region-node/placement/edits.ts'

const NODES = new Keys('shop', 'berlin')
const KEYS = new PlacingKeys(NODES)

describe('keys', () => {
  it.each([
    [KEYS.machine('berlin-1'), { kind: 'machine', name: 'berlin-1' }],
    [KEYS.controller, { kind: 'controller' }],
    [KEYS.layout, { kind: 'layout' }],
    [KEYS.placement(12), { kind: 'placement', partition: 12 }],
  ])('%s is known for what it is, and is nothing to a node', (key, meaning) => {
    expect(KEYS.meaning(key)).toEqual(meaning)
    expect(NODES.meaning(key)).toBeUndefined()
  })

  it.each([
    NODES.config,
    NODES.node('n1'),
    NODES.of('state', 1),
    `${KEYS.prefix}partition/x/placement`,
    `${KEYS.prefix}partition/1/placement/more`,
    `${KEYS.prefix}machine/a/b`,
  ])('%s is another matter', (key) => expect(KEYS.meaning(key)).toBeUndefined())
})

describe('documents', () => {
  const machine: MachineDocument = {
    name: 'm1',
    zone: 'a',
    host: '10.0.0.1',
    firstPort: 7000,
    version: '1',
    held: [{ partition: 3, nodeId: 'n', state: 'running' }],
  }

  it('are read as they were written, with what a later version has added', () => {
    expect(decodeMachine(encodePlacing(machine))).toEqual(machine)
    expect(decodeMachine(JSON.stringify({ ...machine, more: 1 }))).toMatchObject(machine)
  })

  it.each([
    { ...machine, firstPort: '7000' },
    { ...machine, held: [{ partition: 3, nodeId: 'n', state: 'asleep' }] },
    { ...machine, held: [{ partition: 3, state: 'running' }] },
    { ...machine, held: undefined },
  ])('are refused when they are damaged: %j', (damaged) => {
    expect(decodeMachine(JSON.stringify(damaged))).toBeUndefined()
  })

  it('are not taken for one another', () => {
    expect(decodeLayout(encodePlacing(machine))).toBeUndefined()
    expect(decodePlacement(encodePlacing(machine))).toBeUndefined()
    expect(decodePlacement('{')).toBeUndefined()
  })
})

describe('the changes of a placement', () => {
  const first = firstPlacement(['m1', 'm2'])
  const moving = moved(first, ['m3', 'm2'])

  it('keep a copy until it is let go', () => {
    expect(moving).toEqual({ ...first, edition: 2, machines: ['m3', 'm2'], leaving: ['m1'] })
    const after = letGo(moving, 'm1', { nodeId: 'n1', term: 4 })
    expect(after).toEqual({ ...moving, edition: 3, leaving: [], released: [{ nodeId: 'n1', term: 4 }] })
    expect([isReleased(after, 'n1', 4), isReleased(after, 'n1', 5), isReleased(after, 'n2', 4)]).toEqual([
      true,
      false,
      false,
    ])
    expect(takenBack(after, 'm1', 'n1')).toMatchObject({ leaving: ['m1'], released: [] })
  })

  it('name nobody twice', () => {
    expect(moved(moving, ['m1', 'm2'])).toMatchObject({ machines: ['m1', 'm2'], leaving: ['m3'] })
    expect(rebuilt(moving, { lost: 'm2', on: 'm1' }, 9)).toMatchObject({
      machines: ['m3', 'm1'],
      leaving: [],
      rebuiltMs: 9,
    })
  })

  it('remember the last few releases', () => {
    let placement = first
    for (let term = 1; term <= 40; term++) placement = letGo(placement, 'm9', { nodeId: `n${term}`, term })
    expect(placement.released).toHaveLength(16)
    expect(isReleased(placement, 'n40', 40)).toBe(true)
  })
})
