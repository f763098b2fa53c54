/**
 * sentinel.test.ts: what a Sentinel is asked, and what it tells those who listen. The texts are those of a Redis
 * Sentinel 7.0, where it has an answer of its own.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import type { ClusterNode, Topology } from '../../../../region-node/cluster/topology.ts'
import { Session } from '../../../../region-node/commands/session.ts'
import { ReplyParser } from '../../../../region-node/resp/parse-reply.ts'
import { Sentinel } from '../../../../region-node/sentinel/sentinel.ts'
import { clusterNode, topologyOf } from '../../../harness/fake-cluster.ts'
import { openAccess } from '../../../harness/plain-node.ts'

const PRIMARY = clusterNode(1)
const REPLICA = clusterNode(2, { role: 'replica' })
const NO_MASTER = { line: 'ERR No such master with that name' }

let access = openAccess()
let sentinel: Sentinel

beforeEach(() => {
  access = openAccess()
  sentinel = new Sentinel({ region: 'here', id: 'f'.repeat(40), access, services: { wallMs: () => 0 } })
})

class Client {
  readonly #session = new Session(1, '127.0.0.1:1', '127.0.0.1:2', 0)
  readonly #parser = new ReplyParser()

  constructor(isTls = false) {
    this.#session.isTls = isTls
    sentinel.open(this.#session)
  }

  run(...words: string[]): unknown {
    sentinel.execute(this.#session, words)
    return this.next()
  }

  /** The next reply or message that has come. */
  next(): unknown {
    this.#parser.feed(this.#session.out.take())
    return this.#parser.next()?.value
  }
}

function pairs(words: unknown): Record<string, string> {
  const list = words as string[]
  return Object.fromEntries(list.flatMap((word, i) => (i % 2 === 0 ? [[word, list[i + 1]!]] : [])))
}

describe('SENTINEL', () => {
  it('knows no master before there is a topology', () => {
    const client = new Client()
    expect(client.run('sentinel', 'masters')).toEqual([])
    expect(client.run('sentinel', 'get-master-addr-by-name', 'here')).toBeNull()
    expect(client.run('sentinel', 'master', 'here')).toEqual(NO_MASTER)
  })

  it('names a database of one partition after its region', () => {
    sentinel.topologyChanged(topologyOf([PRIMARY, REPLICA]))
    const client = new Client()
    expect(client.run('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'here')).toEqual(['127.0.0.1', '7001'])
    expect(client.run('sentinel', 'get-master-addr-by-name', 'mymaster')).toBeNull()
    expect(pairs(client.run('sentinel', 'master', 'here'))).toMatchObject({
      name: 'here',
      ip: '127.0.0.1',
      port: '7001',
      runid: PRIMARY.id,
      flags: 'master',
      'num-slaves': '1',
      quorum: '1',
    })
    for (const name of ['replicas', 'slaves']) {
      const [replica] = client.run('sentinel', name, 'here') as unknown[]
      expect(pairs(replica)).toMatchObject({
        name: '127.0.0.1:7002',
        flags: 'slave',
        'master-link-status': 'ok',
        'master-host': '127.0.0.1',
        'master-port': '7001',
        'slave-repl-offset': '200',
      })
      expect(client.run('sentinel', name, 'other')).toEqual(NO_MASTER)
    }
    expect(client.run('role')).toEqual(['sentinel', ['here']])
    expect(client.run('info', 'sentinel')).toContain(
      'master0:name=here,status=ok,address=127.0.0.1:7001,slaves=1,sentinels=1\r\n',
    )
    expect(client.run('sentinel', 'sentinels', 'here')).toEqual([])
    expect(client.run('sentinel', 'myid')).toBe('f'.repeat(40))
    expect(client.run('sentinel', 'ckquorum', 'here')).toBe(
      'OK 1 usable Sentinels. Quorum and failover authorization can be reached',
    )
  })

  it('names several partitions by their numbers', () => {
    sentinel.topologyChanged(topologyOf([PRIMARY, clusterNode(3, { partition: 1 })], 0, 2))
    const client = new Client()
    expect(client.run('role')).toEqual(['sentinel', ['here-0', 'here-1']])
    expect(client.run('sentinel', 'get-master-addr-by-name', 'here-1')).toEqual(['127.0.0.1', '7003'])
    expect(client.run('sentinel', 'get-master-addr-by-name', 'here')).toBeNull()
  })

  it('names ports for TLS to clients that speak it, and the only one where there is but one', () => {
    const replica = { ...REPLICA, port: 0, tlsPort: 7102 }
    sentinel.topologyChanged(topologyOf([{ ...PRIMARY, tlsPort: 7101 }, replica]))
    for (const [client, port] of [
      [new Client(true), '7101'],
      [new Client(), '7001'],
    ] as const) {
      expect(client.run('sentinel', 'get-master-addr-by-name', 'here')).toEqual(['127.0.0.1', port])
      expect(pairs(client.run('sentinel', 'master', 'here'))).toMatchObject({ port })
      const [only] = client.run('sentinel', 'replicas', 'here') as unknown[]
      expect(pairs(only)).toMatchObject({ name: '127.0.0.1:7102', port: '7102', 'master-port': port })
      expect(client.run('info', 'sentinel')).toContain(`address=127.0.0.1:${port},`)
    }
    sentinel.topologyChanged(topologyOf([{ ...PRIMARY, tlsPort: 7101, isUp: false }, replica]))
    const isDown = ['sentinel', 'is-master-down-by-addr', '127.0.0.1', '7101', '0', '*']
    expect([new Client(true).run(...isDown), new Client().run(...isDown)]).toEqual([
      [1, '*', 0],
      [0, '*', 0],
    ])
  })

  it('answers maps to clients of RESP3', () => {
    sentinel.topologyChanged(topologyOf([PRIMARY]))
    const client = new Client()
    const about = client.run('hello', '3') as Map<string, unknown>
    expect(about.get('mode')).toBe('sentinel')
    expect(about.has('role')).toBe(false)
    const [master] = client.run('sentinel', 'masters') as [Map<string, string>]
    expect(master.get('name')).toBe('here')
  })

  it('names the last primary while there is none, as down', () => {
    sentinel.topologyChanged(topologyOf([PRIMARY, REPLICA]))
    sentinel.topologyChanged(topologyOf([{ ...PRIMARY, role: 'replica' }, REPLICA]))
    const client = new Client()
    expect(client.run('sentinel', 'get-master-addr-by-name', 'here')).toEqual(['127.0.0.1', '7001'])
    expect(pairs(client.run('sentinel', 'master', 'here')).flags).toBe('master,s_down,o_down')
    const ask = (port: string) =>
      client.run('sentinel', 'is-master-down-by-addr', '127.0.0.1', port, '0', '*')
    expect(ask('7001')).toEqual([1, '*', 0])
    expect(ask('7002')).toEqual([0, '*', 0])
  })

  it('refuses in the words of a Sentinel', () => {
    const client = new Client()
    const line = (text: string) => ({ line: text })
    expect(client.run('sentinel')).toEqual(line("ERR wrong number of arguments for 'sentinel' command"))
    expect(client.run('sentinel', 'master')).toEqual(
      line("ERR wrong number of arguments for 'sentinel|master' command"),
    )
    expect(client.run('sentinel', 'nosuch')).toEqual(
      line("ERR unknown subcommand 'nosuch'. Try SENTINEL HELP."),
    )
    expect(client.run('get', 'a')).toEqual(line("ERR unknown command 'get', with args beginning with: 'a' "))
    expect(client.run('sentinel', 'is-master-down-by-addr', 'a', 'b', 'c', 'd')).toEqual(
      line('ERR value is not an integer or out of range'),
    )
  })

  it('lets nobody ask who has not given the password, where there is one', () => {
    access.setDefaultPassword('secret')
    const client = new Client()
    expect(client.run('sentinel', 'masters')).toEqual({ line: 'NOAUTH Authentication required.' })
    expect(client.run('auth', 'wrong')).toMatchObject({ line: expect.stringContaining('WRONGPASS') })
    expect(client.run('auth', 'secret')).toBe('OK')
    expect(client.run('sentinel', 'masters')).toEqual([])
  })
})

describe('a client that listens', () => {
  function heard(topologies: readonly Topology[], isTls = false): string[] {
    const client = new Client(isTls)
    client.run('psubscribe', '*')
    for (const topology of topologies) sentinel.topologyChanged(topology)
    const messages: string[] = []
    for (let message = client.next(); message !== undefined; message = client.next()) {
      const [, , channel, text] = message as string[]
      messages.push(`${channel} ${text}`)
    }
    return messages
  }

  const swapped = [clusterNode(2), clusterNode(1, { role: 'replica' })]

  it('hears of a new primary, and of the replicas it has', () => {
    expect(heard([topologyOf([PRIMARY, REPLICA]), topologyOf(swapped)])).toEqual([
      '+switch-master here 127.0.0.1 7001 127.0.0.1 7002',
      '+slave slave 127.0.0.1:7001 127.0.0.1 7001 @ here 127.0.0.1 7002',
    ])
  })

  it('hears of ports for TLS, if it speaks that', () => {
    const secured = (nodes: readonly ClusterNode[]) =>
      nodes.map((node) => ({ ...node, tlsPort: node.port + 100 }))
    expect(heard([topologyOf(secured([PRIMARY, REPLICA])), topologyOf(secured(swapped))], true)).toEqual([
      '+switch-master here 127.0.0.1 7101 127.0.0.1 7102',
      '+slave slave 127.0.0.1:7101 127.0.0.1 7101 @ here 127.0.0.1 7102',
    ])
  })

  it('leaves the others behind when it goes', () => {
    const [one, other] = [new Client(true), new Client()]
    for (const client of [one, other]) client.run('subscribe', '+switch-master')
    expect(one.run('unsubscribe')).toEqual(['unsubscribe', '+switch-master', 0])
    for (const nodes of [[PRIMARY, REPLICA], swapped]) sentinel.topologyChanged(topologyOf(nodes))
    expect([one.next(), other.next()]).toEqual([undefined, expect.arrayContaining(['+switch-master'])])
  })

  it('hears of it also when there was none for a while', () => {
    const none = topologyOf([{ ...PRIMARY, role: 'replica', isUp: false }, REPLICA])
    expect(heard([topologyOf([PRIMARY, REPLICA]), none, topologyOf(swapped)])).toEqual([
      '+sdown master here 127.0.0.1 7001',
      '+odown master here 127.0.0.1 7001 #quorum 1/1',
      '+switch-master here 127.0.0.1 7001 127.0.0.1 7002',
      '+slave slave 127.0.0.1:7001 127.0.0.1 7001 @ here 127.0.0.1 7002',
    ])
  })

  it('hears of nodes that go and come back', () => {
    const [down, up] = [{ isUp: false }, { isUp: true }]
    const of = (primary: object, replica: object) =>
      topologyOf([
        { ...PRIMARY, ...primary },
        { ...REPLICA, ...replica },
      ])
    expect(heard([of(up, up), of(down, up), of(down, up), of(up, down), of(up, up)])).toEqual([
      '+sdown master here 127.0.0.1 7001',
      '+odown master here 127.0.0.1 7001 #quorum 1/1',
      '-sdown master here 127.0.0.1 7001',
      '-odown master here 127.0.0.1 7001',
      '+sdown slave 127.0.0.1:7002 127.0.0.1 7002 @ here 127.0.0.1 7001',
      '-sdown slave 127.0.0.1:7002 127.0.0.1 7002 @ here 127.0.0.1 7001',
    ])
  })

  it('may do little else over RESP2', () => {
    const client = new Client()
    expect(client.run('subscribe', '+switch-master')).toEqual(['subscribe', '+switch-master', 1])
    expect(client.run('ping')).toEqual(['pong', ''])
    expect(client.run('sentinel', 'masters')).toMatchObject({
      line: expect.stringContaining("Can't execute"),
    })
    expect(client.run('unsubscribe')).toEqual(['unsubscribe', '+switch-master', 0])
    expect(client.run('sentinel', 'masters')).toEqual([])
  })
})
