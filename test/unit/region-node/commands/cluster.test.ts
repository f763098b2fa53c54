/**
 * cluster.test.ts: CLUSTER, and what becomes of clients when the cluster changes. What Redis answers too is in
 * cluster-against-redis.test.ts.
 */
import { describe, expect, it } from 'vitest'
import type { FailoverKind } from '../../../../region-node/cluster/cluster-view.ts'
import type { ClusterNode, Topology } from '../../../../region-node/cluster/topology.ts'
import type { Services } from '../../../../region-node/commands/services.ts'
import { commandError } from '../../../../region-node/errors.ts'
import { clusterNode, topologyOf } from '../../../harness/fake-cluster.ts'
import { START_MS, TestEngine } from '../../../harness/test-engine.ts'

const PRIMARY = clusterNode(1)
const REPLICA = clusterNode(2, { role: 'replica' })
const OTHER = clusterNode(3, { partition: 1 })
const NODES = [PRIMARY, REPLICA, OTHER]

const OFF = { line: 'ERR This instance has cluster support disabled' }
const MOVED_B = { line: 'MOVED 3300 127.0.0.1:7002' }

function engineIn(topology: Topology, services: Partial<Services> = {}): TestEngine {
  return new TestEngine(1, { topology, region: 'here', after: () => ({ cancel() {} }), ...services })
}

/** The engine's node is the first; from now on the second is primary. */
function demote(engine: TestEngine): void {
  const nodes: ClusterNode[] = [{ ...REPLICA, role: 'primary' }, { ...PRIMARY, role: 'replica' }, OTHER]
  const topology = topologyOf(nodes, 1, 2, 2)
  engine.services.topology = topology
  engine.engine.commands.topologyChanged(topology)
}

describe('without a topology', () => {
  it('cluster support is disabled', () => {
    const engine = new TestEngine()
    for (const line of ['cluster info', 'cluster help', 'cluster reset', 'readonly', 'readwrite', 'asking'])
      expect(engine.run(...line.split(' ')), line).toEqual(OFF)
  })
})

describe('CLUSTER', () => {
  it('SHARDS names the zone of a node that has one, and its TLS port', () => {
    const nodes = [
      clusterNode(1, { zone: 'a', tlsPort: 7101 }),
      clusterNode(2, { role: 'replica', isUp: false }),
    ]
    const engine = engineIn(topologyOf(nodes))
    engine.run('hello', '3')
    const [shard] = engine.run('cluster', 'shards') as [Map<string, unknown>]
    expect(shard.get('slots')).toEqual([0, 16383])
    const [first, second] = shard.get('nodes') as [Map<string, unknown>, Map<string, unknown>]
    expect(Object.fromEntries(first)).toEqual({
      id: PRIMARY.id,
      port: 7001,
      'tls-port': 7101,
      ip: '127.0.0.1',
      endpoint: '127.0.0.1',
      role: 'master',
      'replication-offset': 100,
      health: 'online',
      'availability-zone': 'a',
    })
    expect(second.get('health')).toBe('fail')
    expect(second.has('availability-zone')).toBe(false)
  })

  it('SHARDS and SLOTS leave slots out that nobody serves', () => {
    const engine = engineIn(topologyOf([REPLICA, OTHER], 0, 2))
    expect((engine.run('cluster', 'slots') as unknown[]).length).toBe(1)
    expect(engine.run('cluster', 'shards')).toEqual([
      ['slots', [], 'nodes', [expect.arrayContaining([REPLICA.id])]],
      ['slots', [8192, 16383], 'nodes', [expect.arrayContaining([OTHER.id])]],
    ])
    const info = engine.run('cluster', 'info') as string
    expect(info).toContain('cluster_state:ok\r\ncluster_slots_assigned:8192\r\ncluster_slots_ok:8192\r\n')
  })

  it('tells of nodes that are down, of replicas too', () => {
    const nodes = NODES.map((node) => ({ ...node, isUp: false }))
    const engine = engineIn(topologyOf(nodes, 1, 2))
    const lines = (engine.run('cluster', 'nodes') as string).split('\n')
    expect(lines).toEqual([
      `${PRIMARY.id} 127.0.0.1:7001@0 master,fail - 0 0 1 disconnected 0-8191`,
      `${REPLICA.id} 127.0.0.1:7002@0 myself,slave ${PRIMARY.id} 0 0 1 connected`,
      `${OTHER.id} 127.0.0.1:7003@0 master,fail - 0 0 1 disconnected 8192-16383`,
      '',
    ])
    const info = engine.run('cluster', 'info') as string
    expect(info).toContain('cluster_state:fail\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:0\r\n')
    expect(info).toContain('cluster_slots_fail:16384\r\n')
  })

  it('SLOTS tells a client that speaks TLS of the ports for it', () => {
    const engine = engineIn(topologyOf([clusterNode(1, { tlsPort: 7101 })]))
    engine.session().isTls = true
    expect(engine.run('cluster', 'slots')).toEqual([[0, 16383, ['127.0.0.1', 7101, PRIMARY.id, []]]])
  })

  it('MYSHARDID is the same on all nodes of a partition, and on no other', () => {
    const [first, replica, other] = [0, 1, 2].map((self) =>
      engineIn(topologyOf(NODES, self, 2)).run('cluster', 'myshardid'),
    )
    expect(first).toMatch(/^[0-9a-f]{40}$/)
    expect(replica).toBe(first)
    expect(other).not.toBe(first)
  })

  it('COUNTKEYSINSLOT and GETKEYSINSLOT know the keys that can be read', () => {
    const engine = engineIn(topologyOf([PRIMARY]))
    engine.run('mset', '{b}1', '1', '{b}2', '2', '{b}3', '3', 'other', '4')
    engine.run('pexpireat', '{b}3', String(START_MS + 1000))
    expect(engine.run('cluster', 'countkeysinslot', '3300')).toBe(3)
    engine.wallMs += 2000
    expect(engine.run('cluster', 'countkeysinslot', '3300')).toBe(2)
    expect((engine.run('cluster', 'getkeysinslot', '3300', '10') as string[]).sort()).toEqual([
      '{b}1',
      '{b}2',
    ])
    expect(engine.run('cluster', 'getkeysinslot', '3300', '1')).toHaveLength(1)
    expect(engine.run('cluster', 'getkeysinslot', '3301', '1')).toEqual([])
  })

  it('has no links and no failure reports', () => {
    const engine = engineIn(topologyOf(NODES, 0, 2))
    expect(engine.run('cluster', 'links')).toEqual([])
    expect(engine.run('cluster', 'count-failure-reports', OTHER.id)).toBe(0)
    expect(engine.run('cluster', 'replicas', REPLICA.id)).toEqual({
      line: 'ERR The specified node is not a master',
    })
  })

  it('sends operators to where clusters are changed', () => {
    const engine = engineIn(topologyOf(NODES, 0, 2))
    for (const line of ['meet 127.0.0.1 7000', 'addslots 1 2', 'reset hard', 'saveconfig']) {
      const words = line.split(' ')
      expect(engine.run('cluster', ...words)).toEqual({
        line: `ERR CLUSTER ${words[0]!.toUpperCase()} is not for clients here: 'causeway cluster' does this`,
      })
    }
  })
})

describe('CLUSTER FAILOVER', () => {
  function replica(nodes: readonly ClusterNode[], self: number) {
    const asked: FailoverKind[] = []
    const failover = (kind: FailoverKind) => {
      asked.push(kind)
      return kind === 'takeover' ? commandError('ERR not now') : undefined
    }
    return { engine: engineIn(topologyOf(nodes, self, 2), { failover }), asked }
  }

  it('asks the node to become primary', () => {
    const { engine, asked } = replica(NODES, 1)
    expect(engine.run('cluster', 'failover')).toBe('OK')
    expect(engine.run('cluster', 'failover', 'FORCE')).toBe('OK')
    expect(engine.run('cluster', 'failover', 'takeover')).toEqual({ line: 'ERR not now' })
    expect(asked).toEqual(['agreed', 'forced', 'takeover'])
  })

  it('needs the word of a primary that is there, or FORCE', () => {
    const dead = replica([{ ...PRIMARY, isUp: false }, REPLICA, OTHER], 1)
    expect(dead.engine.run('cluster', 'failover')).toEqual({
      line: 'ERR Master is down or failed, please use CLUSTER FAILOVER FORCE',
    })
    expect(dead.engine.run('cluster', 'failover', 'force')).toBe('OK')
    const unknown = replica([REPLICA, OTHER], 0)
    expect(unknown.engine.run('cluster', 'failover', 'force')).toEqual({
      line: "ERR I'm a replica but my master is unknown to me",
    })
  })
})

describe('CLUSTER FORGET', () => {
  it('asks for any node but itself to be forgotten, and says why not', () => {
    const asked: string[] = []
    const forget = (nodeId: string) => {
      asked.push(nodeId)
      return nodeId === REPLICA.id ? commandError('ERR it is in sync') : undefined
    }
    const engine = engineIn(topologyOf(NODES, 0, 2), { forget })
    expect(engine.run('cluster', 'forget', 'gone')).toBe('OK')
    expect(engine.run('cluster', 'forget', REPLICA.id)).toEqual({ line: 'ERR it is in sync' })
    expect(engine.run('cluster', 'forget', PRIMARY.id)).toEqual({
      line: "ERR I tried hard but I can't forget myself...",
    })
    expect(asked).toEqual(['gone', REPLICA.id])
  })
})

describe('when another node becomes primary', () => {
  it('a client that waits for a key is sent there', () => {
    const engine = engineIn(topologyOf(NODES, 0, 2))
    expect(engine.run('blpop', 'b', '0')).toBeUndefined()
    demote(engine)
    expect(engine.reply()).toEqual(MOVED_B)
    expect(engine.session().blocked).toBeUndefined()
    expect(engine.run('ping')).toBe('PONG')
  })

  it('a transaction that was queued is discarded', () => {
    const engine = engineIn(topologyOf(NODES, 0, 2))
    engine.run('multi')
    engine.run('set', 'b', '1')
    demote(engine)
    expect(engine.run('exec')).toEqual(MOVED_B)
    expect(engine.run('exec')).toEqual({ line: 'ERR EXEC without MULTI' })
  })

  it('a shard channel is still heard; one of a partition that is served elsewhere is not', () => {
    const engine = engineIn(topologyOf(NODES, 0, 2))
    engine.run('ssubscribe', 'b')
    demote(engine)
    expect(engine.session().subscriptions).toBe(1)
    const moved = topologyOf([{ ...PRIMARY, partition: 1 }, OTHER], 0, 2)
    engine.engine.commands.topologyChanged(moved)
    expect(engine.reply()).toEqual(['sunsubscribe', 'b', 0])
    expect(engine.session().subscriptions).toBe(0)
  })
})

describe('READONLY', () => {
  it('reads what a replica has, also by a script, until READWRITE or RESET', () => {
    const engine = engineIn(topologyOf([PRIMARY]))
    engine.run('set', 'b', '1')
    engine.services.topology = topologyOf([clusterNode(2), { ...PRIMARY, role: 'replica' }], 1)
    const script = ['eval', "return redis.call('get', KEYS[1])", '1', 'b']
    expect(engine.run('get', 'b')).toEqual(MOVED_B)
    for (const leave of ['readwrite', 'reset']) {
      expect(engine.run('readonly')).toBe('OK')
      expect(engine.run('client', 'info')).toContain(' flags=r ')
      expect(engine.run('get', 'b')).toBe('1')
      expect(engine.run(...script)).toBe('1')
      expect(engine.run('set', 'b', '2')).toEqual(MOVED_B)
      engine.run(leave)
      expect(engine.run('get', 'b')).toEqual(MOVED_B)
      expect(engine.run(...script)).toEqual(MOVED_B)
    }
  })
})

describe('a script', () => {
  it('reaches keys of this partition only, whatever keys it was given', () => {
    const engine = engineIn(topologyOf(NODES, 0, 2))
    const error = expect.stringContaining('ERR Script attempted to access a non local key in a cluster node')
    expect(engine.run('eval', "return redis.call('set', 'foo', 1)", '1', 'b')).toEqual({ line: error })
    expect(engine.run('eval', "return redis.call('mget', 'b', 'foo')", '0')).toEqual({ line: error })
    expect(engine.run('eval', "return redis.call('set', 'c', 1)", '1', 'b')).toBe('OK')
  })
})

describe('a database of one partition', () => {
  it('keeps commands with several keys, patterns of SORT included', () => {
    const engine = engineIn(topologyOf([PRIMARY]))
    expect(engine.run('mset', 'foo', '1', 'b', '2')).toBe('OK')
    engine.run('rpush', 'l', 'b', 'foo')
    expect(engine.run('sort', 'l', 'by', '*', 'get', '*')).toEqual(['1', '2'])
  })

  it('has one logical database, as every cluster', () => {
    const engine = engineIn(topologyOf([PRIMARY]))
    const line = 'ERR SELECT is not allowed in cluster mode'
    expect(engine.run('select', '1')).toEqual({ line })
    const error = expect.stringContaining(line)
    expect(engine.run('eval', "return redis.call('select', '1')", '0')).toEqual({ line: error })
  })
})
