/**
 * redirect.test.ts: which commands a node serves, and what clients are told about the others. That the words are
 * Redis's is in cluster-against-redis.test.ts.
 */
import { describe, expect, it } from 'vitest'
import { portFor, redirect } from '../../../../region-node/cluster/redirect.ts'
import type { Topology } from '../../../../region-node/cluster/topology.ts'
import { commandTable } from '../../../../region-node/commands/families.ts'
import { slotOf } from '../../../../region-node/engine/slot.ts'
import { clusterNode, topologyOf } from '../../../harness/fake-cluster.ts'

const NODES = [
  clusterNode(1, { partition: 0 }),
  clusterNode(2, { partition: 0, role: 'replica' }),
  clusterNode(3, { partition: 1, tlsPort: 7103 }),
]
const PRIMARY = topologyOf(NODES, 0, 2)
const REPLICA = topologyOf(NODES, 1, 2)

/** `b` and `c` belong to partition 0, `foo` to partition 1. */
const MOVED_B = 'MOVED 3300 127.0.0.1:7001'
const MOVED_FOO = 'MOVED 12182 127.0.0.1:7003'
const CROSSSLOT = "CROSSSLOT Keys in request don't hash to the same slot"

function answer(
  topology: Topology,
  line: string,
  asker: { readsReplicas?: true; isTls?: true } = {},
): string {
  const words = line.split(' ')
  const { readsReplicas = false, isTls = false } = asker
  return redirect(topology, commandTable.find(words), words, { readsReplicas, isTls })?.line ?? 'here'
}

describe('a primary', () => {
  it.each([
    ['get b', 'here'],
    ['set b 1', 'here'],
    ['get foo', MOVED_FOO],
    ['set foo 1', MOVED_FOO],
    ['mget b foo', CROSSSLOT],
    ['mget foo b', CROSSSLOT],
    ['mset foo 1 foo{foo} 2', MOVED_FOO],
    ['eval script 1 foo', MOVED_FOO],
    ['eval script 0 foo', 'here'],
    ['eval script 2 b foo', CROSSSLOT],
    ['xread streams foo 0', MOVED_FOO],
    ['object encoding foo', MOVED_FOO],
    ['ssubscribe foo', MOVED_FOO],
    ['spublish foo message', MOVED_FOO],
    ['subscribe foo', 'here'],
    ['publish foo message', 'here'],
    ['ping', 'here'],
    ['keys *', 'here'],
    ['flushall', 'here'],
    ['wait 1 0', 'here'],
  ])('%s → %s', (line, expected) => expect(answer(PRIMARY, line)).toBe(expected))

  it('serves keys of different slots, which Redis does not, as long as they are in its partition', () => {
    expect(slotOf('b')).not.toBe(slotOf('c'))
    expect(answer(PRIMARY, 'mget b c')).toBe('here')
    const alone = topologyOf([clusterNode(1)])
    expect(answer(alone, 'mset b 1 foo 2')).toBe('here')
  })
})

describe('a replica', () => {
  it('sends all to its primary', () => {
    expect(answer(REPLICA, 'get b')).toBe(MOVED_B)
    expect(answer(REPLICA, 'set b 1')).toBe(MOVED_B)
    expect(answer(REPLICA, 'get foo')).toBe(MOVED_FOO)
  })

  it('serves reads of its partition behind READONLY', () => {
    const readsReplicas = true
    expect(answer(REPLICA, 'get b', { readsReplicas })).toBe('here')
    expect(answer(REPLICA, 'eval script 1 b', { readsReplicas })).toBe('here')
    expect(answer(REPLICA, 'set b 1', { readsReplicas })).toBe(MOVED_B)
    expect(answer(REPLICA, 'get foo', { readsReplicas })).toBe(MOVED_FOO)
    expect(answer(REPLICA, 'mget b foo', { readsReplicas })).toBe(CROSSSLOT)
  })

  it('has the shard channels of its partition', () => {
    expect(answer(REPLICA, 'ssubscribe b')).toBe('here')
    expect(answer(REPLICA, 'spublish b message')).toBe('here')
    expect(answer(REPLICA, 'ssubscribe foo')).toBe(MOVED_FOO)
  })
})

describe('a partition without a primary', () => {
  const [primary, replica, other] = NODES
  const orphan = topologyOf([{ ...replica! }, other!], 0, 2)

  it('is not served, but for reads behind READONLY', () => {
    const DOWN = 'CLUSTERDOWN Hash slot not served'
    expect(answer(orphan, 'get b')).toBe(DOWN)
    expect(answer(orphan, 'set b 1', { readsReplicas: true })).toBe(DOWN)
    expect(answer(orphan, 'get b', { readsReplicas: true })).toBe('here')
    expect(answer(topologyOf([replica!, other!], 1, 2), 'get b')).toBe(DOWN)
    expect(answer(orphan, 'get foo')).toBe(MOVED_FOO)
  })

  it('is another matter than one whose primary seems to be down: its client may find it', () => {
    const nodes = [{ ...primary!, isUp: false }, replica!, other!]
    expect(answer(topologyOf(nodes, 2, 2), 'get b')).toBe(MOVED_B)
  })
})

describe('a partition of which it is open who is primary', () => {
  const DOWN = 'CLUSTERDOWN Hash slot not served'

  it.each([PRIMARY, REPLICA])('is not served, but for reads behind READONLY: clients wait', (topology) => {
    const open = { ...topology, isOpen: true }
    expect(answer(open, 'set b 1')).toBe(DOWN)
    expect(answer(open, 'get b')).toBe(DOWN)
    expect(answer(open, 'get b', { readsReplicas: true })).toBe('here')
    expect(answer(open, 'get foo')).toBe(MOVED_FOO)
  })
})

describe('the port', () => {
  it('is the one that the client can use', () => {
    expect(answer(PRIMARY, 'get foo', { isTls: true })).toBe('MOVED 12182 127.0.0.1:7103')
    expect(portFor(clusterNode(1, { tlsPort: 0 }), true)).toBe(7001)
    expect(portFor(clusterNode(1, { port: 0, tlsPort: 7101 }), false)).toBe(7101)
  })
})
