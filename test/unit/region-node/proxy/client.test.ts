/**
 * client.test.ts: one client of the proxy over the nodes of a region: failovers, lost connections, transactions,
 * channels, tracking, and what it is not read from for.
 */
import { describe, expect, it } from 'vitest'
import { partitionOf } from '../../../../region-node/cluster/topology.ts'
import { slotOf } from '../../../../region-node/engine/slot.ts'
import { ASKED_BYTES_MAX } from '../../../../region-node/proxy/client.ts'
import { OVERDUE_MS, WAIT_MS_MAX } from '../../../../region-node/proxy/lane.ts'
import { clusterNode } from '../../../harness/fake-cluster.ts'
import { ProxiedRegion } from '../../../harness/proxied-region.ts'

/** `b` and `c` belong to partition 0, `foo` and `a` to partition 1. */
const OWN = 'b'
const OTHER = 'foo'
const PRIMARY = 1
const REPLICA = 2
const LOST = /^-ERR The connection .* was lost/
const NOT_EXECUTED = /^-CLUSTERDOWN .* was not executed/

/** Two partitions: the proxy's node has the first, the second has a primary and a replica. */
function region(seed = 1): ProxiedRegion {
  return new ProxiedRegion(seed, [{ partition: 0 }, { partition: 1 }, { partition: 1, role: 'replica' }], 2)
}

function increments(count: number): string[][] {
  return Array.from({ length: count }, () => ['INCR', OTHER])
}

it('has keys for both partitions', () => {
  expect([OWN, 'c', OTHER, 'a'].map((key) => partitionOf(slotOf(key), 2))).toEqual([0, 0, 1, 1])
})

describe('a failover', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('that is agreed costs no command, seed %i', (seed) => {
    const it = region(seed)
    const client = it.client()
    client.send(...increments(200))
    it.clock.advance(seed)
    it.replicate(PRIMARY, REPLICA)
    it.swapRoles(PRIMARY, REPLICA)
    // Some hear of it sooner than others.
    const order = [
      [0, 1, 2],
      [1, 2, 0],
      [1, 0, 2],
    ][seed % 3]!
    it.tell(PRIMARY)
    it.replicate(PRIMARY, REPLICA)
    for (const node of order) {
      it.tell(node)
      it.clock.advance(20)
    }
    const replies = [...client.take(200), ...client.ask(...increments(10))]
    const refused = replies.filter((reply) => NOT_EXECUTED.test(reply)).length
    const numbers = replies.filter((reply) => reply[0] === ':').map((reply) => Number(reply.slice(1)))
    expect(numbers).toEqual(Array.from({ length: 210 - refused }, (_, i) => i + 1))
    expect(refused).toBe(0)
    expect(numbers.length + refused).toBe(210)
  })

  it('after a crash tells what may have been executed, and takes the rest to the next primary', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const it = region(seed)
      const client = it.client()
      client.ask(['GET', OTHER])
      client.send(...increments(50))
      it.clock.advance(2)
      it.nodes[PRIMARY]!.isDown = true
      it.nodes[PRIMARY]!.cut()
      it.replicate(PRIMARY, REPLICA)
      it.clock.advance(10)
      client.send(...increments(5))
      it.clock.advance(3000)
      it.swapRoles(PRIMARY, REPLICA)
      it.tell(REPLICA)
      it.tell(0)
      const replies = client.take(55)
      const unknown = replies.filter((reply) => LOST.test(reply)).length
      expect(replies.slice(-5).every((reply) => reply[0] === ':')).toBe(true)
      const acknowledged = replies.filter((reply) => reply[0] === ':').length
      expect(acknowledged + unknown).toBe(55)
      const value = Number(it.nodes[REPLICA]!.engine.run('GET', OTHER))
      expect(value).toBeGreaterThanOrEqual(acknowledged)
      expect(value).toBeLessThanOrEqual(55)
    }
  })

  it('of a machine that is gone without a word ends the wait for it', () => {
    const it = region()
    const client = it.client()
    client.ask(['GET', OTHER])
    it.nodes[PRIMARY]!.vanish()
    client.send(['INCR', OTHER])
    it.clock.advance(20_000)
    expect(client.replies).toEqual([])
    it.swapRoles(PRIMARY, REPLICA)
    it.tell(REPLICA)
    it.tell(0)
    client.send(['INCR', OTHER])
    const before = it.clock.nowMs
    const [first, second] = client.take(2)
    expect(first).toMatch(LOST)
    expect(second).toBe(':1\r\n')
    expect(it.clock.nowMs - before).toBeLessThan(OVERDUE_MS + 1000)
  })

  it('that does not come, of a node that is silent: what was sent is answered as lost, and it is tried again', () => {
    const it = region()
    const client = it.client()
    client.ask(['GET', OTHER])
    it.nodes[PRIMARY]!.vanish()
    client.send(['INCR', OTHER])
    it.clock.advance(12_000)
    expect(client.replies).toEqual([])
    it.nodes[PRIMARY]!.isDown = false
    it.proxy.nodeSilent(clusterNode(REPLICA).id)
    it.clock.advance(100)
    expect(client.replies).toEqual([])
    it.proxy.nodeSilent(clusterNode(PRIMARY).id)
    client.send(['INCR', OTHER])
    const [first, second] = client.take(2)
    expect(first).toMatch(LOST)
    expect(second).toBe(':1\r\n')
  })

  it('that does not come is waited for so long and no longer', () => {
    const it = region()
    const client = it.client()
    it.nodes[PRIMARY]!.isDown = true
    client.send(['SET', OTHER, '1'], ['SET', OWN, '1'], ['MGET', OWN, OTHER])
    it.clock.advance(WAIT_MS_MAX - 1000)
    expect(client.replies).toEqual([])
    it.clock.advance(2000)
    const [set, own, both] = client.take(3)
    expect([own, NOT_EXECUTED.test(set!), NOT_EXECUTED.test(both!)]).toEqual(['+OK\r\n', true, true])
    // Nobody waits again until the partition is served.
    const before = it.clock.nowMs
    expect(client.run(`GET ${OTHER}`)).toMatch(NOT_EXECUTED)
    expect(it.clock.nowMs - before).toBeLessThan(1000)
    it.nodes[PRIMARY]!.isDown = false
    expect(client.run(`GET ${OTHER}`)).toBe('$-1\r\n')
  })

  it('disconnects a client whose WATCH, subscription or tracking went with a node', () => {
    const lost = (...commands: string[][]): boolean => {
      const it = region()
      const client = it.client()
      client.ask(...commands)
      it.nodes[PRIMARY]!.cut()
      it.clock.advance(100)
      return client.isClosed
    }
    expect(lost(['GET', OTHER])).toBe(false)
    expect(lost(['WATCH', OTHER])).toBe(true)
    expect(lost(['MULTI'], ['SET', OTHER, '1'])).toBe(true)
    expect(lost(['MULTI'], ['SET', OTHER, '1'], ['EXEC'])).toBe(false)
    expect(lost(['SSUBSCRIBE', OTHER])).toBe(true)
    expect(lost(['HELLO', '3'], ['CLIENT', 'TRACKING', 'ON'], ['GET', OTHER])).toBe(true)
  })
})

describe('a transaction', () => {
  it('runs in one piece at the node of its first key', () => {
    const it = region()
    const client = it.client()
    const lines = ['MULTI', 'PING', `SET ${OTHER} 1`, `INCR ${OTHER}`, 'GET a', 'EXEC', `GET ${OWN}`]
    expect(client.ask(...lines.map((line) => line.split(' '))).slice(1)).toEqual([
      ...Array(4).fill('+QUEUED\r\n'),
      '*4\r\n+PONG\r\n+OK\r\n:2\r\n$-1\r\n',
      '$-1\r\n',
    ])
  })

  it('notices what happened to a watched key, and watches in one partition', () => {
    const it = region()
    const [client, other] = [it.client(), it.client()]
    expect(client.run(`WATCH ${OTHER}`)).toBe('+OK\r\n')
    expect(client.run(`WATCH ${OWN}`)).toMatch(/^-CROSSSLOT/)
    other.run(`SET ${OTHER} 1`)
    client.ask(['MULTI'], ['SET', OTHER, '2'])
    expect(client.run('EXEC')).toBe('*-1\r\n')
    client.ask(['WATCH', OTHER], ['MULTI'])
    expect(client.run(`SET ${OWN} 1`)).toMatch(/^-CROSSSLOT/)
    expect(client.run('EXEC')).toMatch(/^-EXECABORT/)
    // Nothing of it is left behind.
    expect(client.run(`SET ${OTHER} 3`)).toBe('+OK\r\n')
  })

  it('whose partition has another primary now was not executed', () => {
    const it = region()
    const client = it.client()
    client.ask(['MULTI'], ['SET', OTHER, '2'])
    it.swapRoles(PRIMARY, REPLICA)
    it.tell(PRIMARY)
    expect(client.run('EXEC')).toMatch(NOT_EXECUTED)
    it.tell(REPLICA)
    it.tell(0)
    expect(client.run(`GET ${OTHER}`)).toBe('$-1\r\n')
  })
})

describe('what holds for a connection', () => {
  it('is said to every node, before anything else', () => {
    const it = region()
    const client = it.client()
    client.ask(['HELLO', '3'], ['CLIENT', 'SETNAME', 'me'])
    expect(client.run(`HGETALL ${OTHER}`)).toBe('%0\r\n')
    expect(client.run('HGETALL c')).toBe('%0\r\n')
    const names = it.nodes.map((node) => [...node.connections].map(({ session }) => session.name))
    expect(names).toEqual([['me'], ['me'], []])
  })

  it('makes a node that refuses it refuse everything', () => {
    const it = region()
    const client = it.client()
    for (const node of it.nodes) node.engine.run('ACL', 'SETUSER', 'default', '>right')
    it.nodes[PRIMARY]!.engine.run('ACL', 'SETUSER', 'default', 'nopass')
    it.nodes[PRIMARY]!.engine.run('ACL', 'SETUSER', 'someone', 'on', '>else')
    it.nodes[0]!.engine.run('ACL', 'SETUSER', 'someone', 'on', '>right', '~*', '+@all')
    expect(client.run('AUTH someone right')).toBe('+OK\r\n')
    expect(client.run(`SET ${OWN} 1`)).toBe('+OK\r\n')
    // It would have been the default user's there.
    expect(client.run(`SET ${OTHER} 1`)).toMatch(/^-WRONGPASS/)
    expect(it.nodes[PRIMARY]!.engine.run('EXISTS', OTHER)).toBe(0)
  })

  it('tells of changes at every node (CLIENT TRACKING)', () => {
    const it = region()
    const [client, other] = [it.client(), it.client()]
    client.ask(['HELLO', '3'], ['CLIENT', 'TRACKING', 'ON', 'OPTIN'], ['CLIENT', 'CACHING', 'YES'])
    client.ask(['MGET', OWN, OTHER])
    client.ask(['GET', 'a'])
    other.ask(['MSET', OWN, '1', OTHER, '1', 'a', '1'])
    it.clock.advance(100)
    expect(client.replies.sort()).toEqual([
      `>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\n${OWN}\r\n`,
      `>2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\n${OTHER}\r\n`,
    ])
  })

  it('is forgotten by RESET', () => {
    const it = region()
    const client = it.client()
    client.ask(['HELLO', '3'], ['GET', OTHER], ['MULTI'], ['SET', OTHER, '1'])
    expect(client.run('RESET')).toBe('+RESET\r\n')
    expect(client.run(`HGETALL ${OTHER}`)).toBe('*0\r\n')
    expect(client.run('EXEC')).toBe('-ERR EXEC without MULTI\r\n')
  })
})

describe('channels', () => {
  it.each([2, 3])('are heard between replies, in RESP%i', (protocol) => {
    const it = region()
    const [client, other] = [it.client(), it.client()]
    client.run(`HELLO ${protocol}`)
    const sign = protocol === 2 ? '*' : '>'
    const confirmed = (verb: string, name: string, count: number): string =>
      `${sign}3\r\n$${verb.length}\r\n${verb}\r\n$${name.length}\r\n${name}\r\n:${count}\r\n`
    client.send(['SUBSCRIBE', 'x', 'y'], ['PSUBSCRIBE', 'z*'], ['SSUBSCRIBE', OTHER])
    expect(client.take(4).join('')).toBe(
      confirmed('subscribe', 'x', 1) +
        confirmed('subscribe', 'y', 2) +
        confirmed('psubscribe', 'z*', 3) +
        confirmed('ssubscribe', OTHER, 1),
    )
    expect(other.run('PUBLISH x hello')).toBe(':1\r\n')
    expect(other.run(`SPUBLISH ${OTHER} shard`)).toBe(':1\r\n')
    it.clock.advance(100)
    expect(client.take(2)).toEqual([
      `${sign}3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$5\r\nhello\r\n`,
      `${sign}3\r\n$8\r\nsmessage\r\n$3\r\n${OTHER}\r\n$5\r\nshard\r\n`,
    ])
    const get = client.run(`GET ${OTHER}`)
    expect(get).toMatch(protocol === 2 ? /^-ERR Can't execute 'get'/ : /^_/)
    client.send(['UNSUBSCRIBE'], ['PUNSUBSCRIBE'], ['SUNSUBSCRIBE'])
    expect(client.take(4).join('')).toBe(
      confirmed('unsubscribe', 'x', 2) +
        confirmed('unsubscribe', 'y', 1) +
        confirmed('punsubscribe', 'z*', 0) +
        confirmed('sunsubscribe', OTHER, 0),
    )
    expect(client.run(`EXISTS ${OTHER}`)).toBe(':0\r\n')
  })

  it('are heard while replies come in pieces', () => {
    const it = region(3)
    const [client, other] = [it.client(), it.client()]
    client.run('HELLO 3')
    client.run('SUBSCRIBE x')
    other.run(`SET ${OTHER} ${'v'.repeat(100_000)}`)
    for (let i = 0; i < 50; i++) {
      client.send(['GET', OTHER])
      other.send(['PUBLISH', 'x', String(i)])
    }
    it.clock.advance(5000)
    expect(client.replies.filter((reply) => reply.length > 100_000)).toHaveLength(50)
    expect(client.replies.filter((reply) => reply[0] === '>')).toHaveLength(50)
  })
})

describe('flow', () => {
  it('holds commands for other nodes back while one blocks', () => {
    const it = region()
    const [client, other] = [it.client(), it.client()]
    client.send(['BLPOP', OTHER, '0'], ['SET', OWN, 'after'])
    it.clock.advance(1000)
    expect(other.run(`GET ${OWN}`)).toBe('$-1\r\n')
    other.run(`RPUSH ${OTHER} element`)
    expect(client.take(2)).toEqual([`*2\r\n$3\r\n${OTHER}\r\n$7\r\nelement\r\n`, '+OK\r\n'])
  })

  it('answers everything that came before the client closed its side', () => {
    const it = region()
    const client = it.client()
    client.send(['SET', OWN, '1'], ['SET', OTHER, '2'], ['SELECT', '0'], ['MGET', OWN, OTHER])
    client.connection.receiveEnd()
    expect(client.take(4)).toEqual(['+OK\r\n', '+OK\r\n', '+OK\r\n', '*2\r\n$1\r\n1\r\n$1\r\n2\r\n'])
    it.clock.advance(1000)
    expect(client.isClosed).toBe(true)
    expect(it.nodes.map(({ connections }) => connections.size)).toEqual([0, 0, 0])
  })

  it('does not take more than it can pass on', () => {
    const it = region()
    const client = it.client()
    const value = 'x'.repeat(ASKED_BYTES_MAX / 4)
    it.nodes[PRIMARY]!.isDown = true
    client.send(...Array.from({ length: 20 }, () => ['SET', OTHER, value]))
    it.clock.advance(1000)
    expect(client.connection.inputBytes).toBeGreaterThan(14 * value.length)
    it.nodes[PRIMARY]!.isDown = false
    expect(client.take(20)).toEqual(Array(20).fill('+OK\r\n'))
  })

  it('ends with the client at its own node', () => {
    const it = region()
    const [client, other] = [it.client(), it.client()]
    client.run(`GET ${OTHER}`)
    const id = client.run('CLIENT ID').slice(1).trim()
    const own = [...it.nodes[0]!.connections].find(({ session }) => String(session.id) === id)!
    own.session.closing = true
    own.session.resume()
    it.clock.advance(100)
    expect([client.isClosed, other.isClosed]).toEqual([true, false])
    expect(it.nodes[PRIMARY]!.connections.size).toBe(0)
  })
})

describe('a client that needs to know nothing', () => {
  it('sees one server', () => {
    const client = region().client()
    expect(client.run('HELLO')).toContain('$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n')
    for (const line of ['CLUSTER SLOTS', 'CLUSTER INFO', 'READONLY'])
      expect(client.run(line)).toBe('-ERR This instance has cluster support disabled\r\n')
    expect(client.run('CLIENT TRACKING ON REDIRECT 1')).toMatch(/^-ERR CLIENT TRACKING with REDIRECT/)
  })

  it('walks through all keys with SCAN', () => {
    const client = region().client()
    const keys = Array.from({ length: 500 }, (_, i) => `key:${i}`)
    client.ask(...keys.map((key) => ['SET', key, '1']))
    const seen = new Set<string>()
    let cursor = '0'
    do {
      const reply = client.run(`SCAN ${cursor} COUNT 50`)
      cursor = /^\*2\r\n\$\d+\r\n(\d+)/.exec(reply)![1]!
      for (const [, key] of reply.matchAll(/(key:\d+)/g)) seen.add(key!)
    } while (cursor !== '0')
    expect(seen.size).toBe(500)
    expect(client.run('SCAN x')).toBe('-ERR invalid cursor\r\n')
    expect(client.run('RANDOMKEY')).toMatch(/key:\d+/)
  })
})
