/**
 * scenes.test.ts: what a controller does and does not do in moments that chance seldom brings about.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { Directory } from '../../../../region-node/cluster/directory.ts'
import { Keys } from '../../../../region-node/cluster/documents.ts'
import { DocumentStore } from '../../../../region-node/coordinator/document-store.ts'
import {
  type CopyState,
  type MachineDocument,
  PlacingKeys,
} from '../../../../region-node/placement/documents.ts'
import { firstPlacement } from '../../../../region-node/placement/edits.ts'
import { Patience } from '../../../../region-node/placement/patience.ts'
import { Placing } from '../../../../region-node/placement/placing.ts'
import { type Step, stepsOf } from '../../../../region-node/placement/steps.ts'
import { leaderDocument, nodeDocument, stateDocument } from '../../../harness/cli-run.ts'

const KEYS = new PlacingKeys(new Keys('test', 'north'))
const REBUILD_AFTER_MS = 1000
const PORTS = new Map([
  ['m1', 7001],
  ['m2', 7002],
  ['m3', 7003],
  ['m4', 7004],
])

const CLAIM_AFTER_MS = 3000

let store: DocumentStore
let placing: Placing
let patience: Patience
let nowMs: number

beforeEach(() => {
  store = new DocumentStore()
  placing = new Placing(KEYS)
  patience = new Patience()
  nowMs = 1_000_000
  put('layout', {
    version: 1,
    partitions: 1,
    copies: 2,
    machines: [...PORTS.keys()],
    rebuildAfterMs: REBUILD_AFTER_MS,
    cooldownMs: 10_000,
  })
})

function put(key: string, document: object): void {
  store.commit([], [{ do: 'put', key: KEYS.prefix + key, value: JSON.stringify(document) }])
}

function gone(key: string): void {
  store.commit([], [{ do: 'delete', key: KEYS.prefix + key }])
}

/** A machine with its copy, whose node is named after it. */
function machine(name: string, state?: CopyState, zone = ''): void {
  const held = state === undefined ? [] : [{ partition: 0, nodeId: `n-${name}`, state }]
  const document: MachineDocument = {
    name,
    zone,
    host: '127.0.0.1',
    firstPort: PORTS.get(name)!,
    version: '1',
    held,
  }
  put(`machine/${name}`, document)
  if (state === 'running') put(`node/n-${name}`, nodeDocument(`n-${name}`, PORTS.get(name)!))
}

function served(by: string, inSync: readonly string[], term = 1, members = inSync): void {
  put('partition/0/state', { ...stateDocument(`n-${by}`, inSync.map(id), term), members: members.map(id) })
  put('partition/0/leader', leaderDocument(`n-${by}`, term))
}

const id = (name: string): string => `n-${name}`

/** @param isCurrent  the coordinator is heard of */
function steps(passedMs = 0, isCurrent = true): Step[] {
  const directory = new Directory(KEYS.nodes)
  directory.replace(store.read(KEYS.prefix))
  placing.replace(store.read(KEYS.prefix))
  nowMs += passedMs
  patience.look(placing, directory, nowMs, isCurrent)
  return stepsOf({ placing, directory, patience, wallMs: nowMs, claimAfterMs: CLAIM_AFTER_MS })
}

describe('a copy that was released', () => {
  beforeEach(() => {
    for (const name of ['m1', 'm2', 'm3']) machine(name, 'running')
    put('partition/0/placement', { ...firstPlacement(['m1', 'm2']), released: [{ nodeId: 'n-m3', term: 4 }] })
  })

  it('is left to its machine while the term lasts', () => {
    served('m1', ['m1', 'm2', 'm3'], 4)
    expect(steps()).toEqual([])
  })

  it('is taken back when there was another term since: it may have been primary', () => {
    served('m1', ['m1', 'm2', 'm3'], 5)
    expect(steps()).toMatchObject([{ kind: 'take-back', machine: 'm3', nodeId: 'n-m3' }])
  })

  it('is forgotten when it is gone, and not while it is registered', () => {
    served('m1', ['m1', 'm2'], 4, ['m1', 'm2', 'm3'])
    machine('m3')
    expect(steps(), 'registered').toEqual([])
    gone('node/n-m3')
    machine('m3', 'stopped')
    expect(steps(), 'held').toEqual([])
    machine('m3')
    expect(steps()).toMatchObject([
      { kind: 'forget', nodeId: 'n-m3', primary: { nodeId: 'n-m1', port: 7001 } },
    ])
  })
})

describe('a copy that nobody names', () => {
  it('is taken back, and not before its node id is known', () => {
    machine('m1', 'running')
    machine('m2', 'running')
    put('partition/0/placement', firstPlacement(['m1', 'm2']))
    served('m1', ['m1', 'm2'])
    machine('m3', 'stopped')
    expect(steps()).toMatchObject([{ kind: 'take-back', machine: 'm3' }])
    const held = [{ partition: 0, nodeId: '', state: 'starting' }]
    put('machine/m3', { name: 'm3', zone: '', host: '127.0.0.1', firstPort: 7003, version: '1', held })
    expect(steps()).toEqual([])
  })
})

describe('a machine that is lost', () => {
  beforeEach(() => {
    machine('m1', 'running', 'a')
    machine('m2', 'running', 'b')
    machine('m3', undefined, 'a')
    machine('m4', undefined, 'b')
    put('partition/0/placement', firstPlacement(['m1', 'm2']))
    served('m1', ['m1', 'm2'])
    steps()
    gone('machine/m2')
  })

  it('is not, while its node is there', () => {
    steps()
    expect(steps(5000)).toEqual([])
  })

  it('is replaced in another zone than that of the copy that is left', () => {
    gone('node/n-m2')
    served('m1', ['m1'])
    expect(steps()).toEqual([])
    expect(steps(REBUILD_AFTER_MS - 1)).toEqual([])
    expect(steps(1)).toMatchObject([{ kind: 'rebuild', lost: 'm2', on: 'm4' }])
  })

  it('is not counted as away while the coordinator was out of reach', () => {
    gone('node/n-m2')
    served('m1', ['m1'])
    steps()
    steps(500)
    steps(60_000, false)
    expect(steps(60_000)).toEqual([])
    expect(steps(400)).toEqual([])
    expect(steps(100)).toMatchObject([{ kind: 'rebuild' }])
  })

  it('is not replaced while nobody is primary, nor soon after another one', () => {
    gone('node/n-m2')
    gone('partition/0/leader')
    steps()
    expect(steps(5000)).toEqual([])
    served('m1', ['m1'])
    put('partition/0/placement', { ...firstPlacement(['m1', 'm2']), rebuiltMs: nowMs - 1000 })
    expect(steps()).toEqual([])
    expect(steps(8999)).toEqual([])
    expect(steps(1)).toMatchObject([{ kind: 'rebuild' }])
  })

  it('is also one that cannot start its copy', () => {
    gone('node/n-m2')
    machine('m2', 'failed', 'b')
    served('m1', ['m1'])
    steps()
    expect(steps(REBUILD_AFTER_MS)).toMatchObject([{ kind: 'rebuild', lost: 'm2', on: 'm4' }])
  })

  it('gives its place to one that is about to leave, which has everything already', () => {
    gone('node/n-m2')
    machine('m3', 'running', 'b')
    put('partition/0/placement', { ...firstPlacement(['m1', 'm2']), leaving: ['m3'] })
    served('m1', ['m1', 'm3'])
    steps()
    expect(steps(REBUILD_AFTER_MS)).toMatchObject([{ kind: 'rebuild', lost: 'm2', on: 'm3' }])
  })
})

describe('the preferred primary', () => {
  beforeEach(() => {
    for (const name of ['m1', 'm2']) machine(name, 'running')
    put('partition/0/placement', firstPlacement(['m1', 'm2']))
  })

  it('takes over soon from whoever was there first', () => {
    served('m2', ['m1', 'm2'], 1)
    expect(steps()).toEqual([])
    expect(steps(5000)).toMatchObject([{ kind: 'hand-over', machine: 'm1' }])
  })

  it('waits while the primary still asks the other regions: its successor would have to', () => {
    served('m2', ['m1', 'm2'], 2)
    const state = { ...stateDocument('n-m2', ['n-m1', 'n-m2']), term: 2, members: ['n-m1', 'n-m2'] }
    put('partition/0/state', { ...state, isWhole: false })
    steps()
    expect(steps(60_000)).toEqual([])
    put('partition/0/state', state)
    expect(steps()).toMatchObject([{ kind: 'hand-over', machine: 'm1' }])
  })

  it('takes over when it has followed for a minute', () => {
    served('m2', ['m1', 'm2'], 2)
    expect(steps()).toEqual([])
    expect(steps(59_999)).toEqual([])
    expect(steps(1)).toMatchObject([
      { kind: 'hand-over', machine: 'm1', node: { nodeId: 'n-m1', port: 7001 } },
    ])
  })

  it('does not take over at once what it has just given away because it was not well', () => {
    served('m1', ['m1', 'm2'], 1)
    steps()
    steps(100_000)
    served('m2', ['m1', 'm2'], 2)
    expect(steps()).toEqual([])
    expect(steps(30_000)).toEqual([])
  })
})

describe('a primary on a machine that leaves', () => {
  beforeEach(() => {
    for (const name of ['m1', 'm2', 'm3']) machine(name, 'running')
    put('partition/0/placement', { ...firstPlacement(['m3', 'm2']), leaving: ['m1'] })
  })

  it('waits for the preferred one, so that clients are moved once', () => {
    served('m1', ['m1', 'm2'])
    expect(steps()).toEqual([])
    served('m1', ['m1', 'm2', 'm3'])
    expect(steps(), 'it would not claim yet').toEqual([])
    expect(steps(CLAIM_AFTER_MS - 1)).toEqual([])
    expect(steps(1)).toMatchObject([{ kind: 'hand-over', machine: 'm3' }])
  })

  it('goes to another one when the preferred one is away', () => {
    gone('machine/m3')
    gone('node/n-m3')
    served('m1', ['m1', 'm2'])
    expect(steps()).toEqual([])
    expect(steps(CLAIM_AFTER_MS)).toMatchObject([{ kind: 'hand-over', machine: 'm2' }])
  })
})
