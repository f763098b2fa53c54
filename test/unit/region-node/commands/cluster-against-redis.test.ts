/**
 * cluster-against-redis.test.ts: what clients of a Redis Cluster are told, beside the nodes of a real one, to the byte
 * in RESP2 and RESP3. Both are described by the same topology: two partitions, and a replica of the first.
 *
 * What Redis counts on its bus, and its epochs and offsets, are made alike before they are compared.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { topologyOf } from '../../../harness/fake-cluster.ts'
import { RedisCluster } from '../../../harness/redis-cluster.ts'
import { redisIsInstalled } from '../../../harness/redis-reference.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

/** `b` belongs to the first partition, `foo` to the other one; nobody writes `{b}none`. */
const ON_ALL = [
  'cluster slots',
  'cluster info',
  'cluster keyslot foo',
  'cluster keyslot {b}foo',
  'cluster myid',
  'cluster nosuch',
  'cluster',
  'cluster keyslot',
  'cluster countkeysinslot 16384',
  'cluster countkeysinslot -1',
  'cluster countkeysinslot abc',
  'cluster getkeysinslot 99999 1',
  'cluster getkeysinslot 1 -1',
  'cluster getkeysinslot 1 abc',
  'cluster count-failure-reports foo',
  'cluster replicas foo',
  'cluster slaves foo',
  'cluster failover foo',
  'cluster failover force now',
  'select 0',
  'select 1',
  'select abc',
  'asking',
  'get {b}none',
  'get foo',
  'set b 1',
  'set foo 1',
  'mget b foo',
  'eval return_1 1 foo',
  'spublish foo message',
  'sunsubscribe foo',
  'watch foo',
  'multi',
  'get foo',
  'ping',
  'exec',
  'multi',
  'get {foo}1',
  'discard',
  'readonly',
  'get {b}none',
  'mget {b}none {b}nothing',
  'get foo',
  'readwrite',
  'get {b}none',
]

const DIALOGUES: readonly (readonly [node: string, self: number, lines: readonly string[]])[] = [
  [
    'a primary',
    0,
    [
      ...ON_ALL,
      'wait 0 0',
      'replicaof 127.0.0.1 1',
      'slaveof no one',
      'swapdb 0 1',
      'swapdb a b',
      'cluster failover',
      'cluster failover force',
      'cluster failover takeover',
      'move b 1',
      'copy {b}1 {b}2 db 1',
      'copy {b}1 {b}1',
      'mset {b}1 1 {b}2 2 {b}3 3',
      'cluster countkeysinslot 3300',
      'cluster countkeysinslot 3301',
      'cluster getkeysinslot 3300 0',
      'cluster getkeysinslot 3301 10',
      'sort b by w*',
      'sort b get w*',
      "eval return(redis.pcall('get','foo')) 0",
      "eval return(redis.pcall('get',KEYS[1])) 1 {b}none",
      'multi',
      'set b 2',
      'exec',
    ],
  ],
  [
    'a replica',
    1,
    [
      ...ON_ALL,
      'readonly',
      'multi',
      'get {b}none',
      'exec',
      'multi',
      'get {b}none',
      'set b 1',
      'exec',
      "eval return(redis.pcall('get',KEYS[1])) 1 {b}none",
      "eval return(redis.pcall('get','foo')) 1 b",
      'move b 1',
      'reset',
      'get {b}none',
      'spublish b message',
    ],
  ],
]

/** Takes out what two clusters never have alike. */
function alike(reply: string): string {
  return reply
    .replace(/^(?:\$|=)\d+\r\n(?=(?:txt:)?cluster_state)/, '')
    .replace(/(cluster_(?:current|my)_epoch):\d+/g, '$1:?')
    .replace(/cluster_stats_messages_\w+:\d+\r\n/g, '')
    .replace(/\b(?:total_cluster_links_buffer_limit_exceeded):\d+\r\n/g, '')
}

/** CLUSTER NODES and REPLICAS: bus port, times and epoch are none of ours. */
function alikeLines(reply: string): string[] {
  return reply
    .split('\n')
    .map((line) =>
      line
        .replace(/^txt:/, '')
        .replace(/@\d+/, '@?')
        .replace(/ \d+ \d+ \d+ (connected|disconnected)/, ' ? $1')
        .trim(),
    )
    .filter((line) => /^[0-9a-f]{40} /.test(line))
    .sort()
}

/** The shards of CLUSTER SHARDS as words, in one order. */
function alikeShards(reply: string): string[][] {
  return reply
    .replace(/replication-offset\r\n:\d+/g, 'replication-offset\r\n:?')
    .split(/(?=[*%]\d+\r\n\$5\r\nslots\r\n)/)
    .slice(1)
    .map((shard) => shard.split('\r\n'))
    .sort()
}

describe.skipIf(!redisIsInstalled)('beside a Redis Cluster', () => {
  let redis: RedisCluster
  beforeAll(async () => {
    redis = await RedisCluster.start()
  })
  afterAll(() => redis.stop())

  function engineOf(self: number): TestEngine {
    const engine = new TestEngine(1, {
      topology: topologyOf(redis.nodes, self, 2),
      after: (_delayMs, task) => {
        task()
        return { cancel() {} }
      },
      publish() {},
      failover: () => undefined,
    })
    return engine
  }

  function ours(engine: TestEngine, line: string): string {
    const session = engine.session()
    engine.engine.execute(session, line.split(' '))
    return session.out.take()
  }

  describe.each([2, 3])('in RESP%i', (protocol) => {
    it.each(DIALOGUES)('%s gives the same answers', async (_name, self, lines) => {
      const engine = engineOf(self)
      const server = redis.server(self)
      await redis.server(0).exchange(['flushall'])
      for (const line of ['reset', `hello ${protocol}`]) {
        ours(engine, line)
        await server.exchange(line.split(' '))
      }
      const told: string[] = []
      const expected: string[] = []
      for (const line of lines) {
        told.push(`${line} → ${JSON.stringify(alike(ours(engine, line)))}`)
        expected.push(`${line} → ${JSON.stringify(alike(await server.exchange(line.split(' '))))}`)
      }
      expect(told).toEqual(expected)
    })

    it.each([0, 1, 2])('node %i describes nodes, replicas and shards in the same way', async (self) => {
      const engine = engineOf(self)
      const server = redis.server(self)
      ours(engine, `hello ${protocol}`)
      await server.exchange(['hello', String(protocol)])
      const primary = redis.nodes[0]!.id
      for (const line of ['cluster nodes', `cluster replicas ${primary}`, `cluster slaves ${primary}`]) {
        const theirs = alikeLines(await server.exchange(line.split(' ')))
        expect(alikeLines(ours(engine, line)), line).toEqual(theirs)
        expect(theirs.length).toBeGreaterThan(0)
      }
      const theirs = alikeShards(await server.exchange(['cluster', 'shards']))
      expect(theirs).toHaveLength(2)
      expect(alikeShards(ours(engine, 'cluster shards'))).toEqual(theirs)
    })

    it('greets as the node of a cluster', async () => {
      for (const self of [0, 1]) {
        const engine = engineOf(self)
        const { replication } = engine.services
        const { role } = redis.nodes[self]!
        engine.services.replication = { ...replication, state: () => ({ ...replication.state(), role }) }
        const about = ours(engine, `hello ${protocol}`).split('\r\n')
        const theirs = (await redis.server(self).exchange(['hello', String(protocol)])).split('\r\n')
        for (const field of ['mode', 'role']) {
          expect(about[about.indexOf(field) + 2]).toBe(theirs[theirs.indexOf(field) + 2])
        }
      }
    })
  })
})
