/**
 * cluster.test.ts: `causeway cluster status | failover | drain` on documents in memory.
 */
import { describe, expect, it } from 'vitest'
import { CLUSTER_HELP } from '../../../../region-node/cli/cluster.ts'
import { AskError } from '../../../../region-node/cli/node-client.ts'
import { RespError } from '../../../../region-node/resp/parse-reply.ts'
import {
  CliDesk,
  COORDINATOR,
  leaderDocument,
  nodeDocument,
  stateDocument,
} from '../../../harness/cli-run.ts'

const PLACE = `--coordinator ${COORDINATOR} --region A`

/** A primary `n1` at 7101 and a replica `n2` at 7102 that is in sync. */
async function pair(zones: readonly [string, string] = ['a', 'b']): Promise<CliDesk> {
  const desk = new CliDesk()
  await desk.store({
    'node/n1': nodeDocument('n1', 7101, { zone: zones[0] }),
    'node/n2': nodeDocument('n2', 7102, { zone: zones[1] }),
    'partition/0/state': stateDocument('n1', ['n1', 'n2']),
    'partition/0/leader': leaderDocument('n1'),
  })
  return desk
}

/** Node n2 obeys: the documents show it as primary a little later. */
function takesOver(desk: CliDesk): void {
  desk.nodes.set('127.0.0.1:7102', async () => {
    await desk.store({
      'partition/0/state': stateDocument('n2', ['n1', 'n2'], 2),
      'partition/0/leader': leaderDocument('n2', 2),
    })
    return 'OK'
  })
}

describe('causeway cluster status', () => {
  it('shows partitions and nodes, and that all is well', async () => {
    const desk = await pair()
    const { code, out } = await desk.run(`cluster status ${PLACE}`)
    expect(code).toBe(0)
    expect(out.split('\n')).toEqual([
      'database causeway, region A: 2 nodes registered',
      '',
      'partition  slots    term  role     address         zone  state    node',
      '0          0-16383  1     primary  127.0.0.1:7101  a     -        n1',
      '                          replica  127.0.0.1:7102  b     in sync  n2',
      '',
      'healthy',
      '',
    ])
  })

  it('takes what the environment gives to nodes', async () => {
    const desk = await pair()
    Object.assign(desk.environment, { CAUSEWAY_COORDINATOR: COORDINATOR, CAUSEWAY_REGION: 'A' })
    expect((await desk.run('cluster status')).code).toBe(0)
  })

  it('is for programs, too', async () => {
    const desk = await pair()
    const { out } = await desk.run(`cluster status ${PLACE} --json`)
    expect(JSON.parse(out)).toEqual({
      database: 'causeway',
      region: 'A',
      nodes: 2,
      partitions: [
        {
          partition: 0,
          slots: [0, 16383],
          term: 1,
          primary: { id: 'n1', address: '127.0.0.1:7101', zone: 'a', version: '0.1.0', configVersion: 0 },
          replicas: [
            {
              id: 'n2',
              address: '127.0.0.1:7102',
              zone: 'b',
              version: '0.1.0',
              configVersion: 0,
              isInSync: true,
              behindOps: 0,
            },
          ],
        },
      ],
      warnings: [],
    })
  })

  const replica = { 'node/n2': nodeDocument('n2', 7102, { zone: 'a' }) }
  it.each<[string, Record<string, object | undefined>, string]>([
    [
      'no primary, one that may take over',
      { 'partition/0/leader': undefined },
      'partition 0 has no primary; 127.0.0.1:7101, 127.0.0.1:7102 may take over: look again soon',
    ],
    [
      'no primary, and nobody fit',
      {
        'partition/0/leader': undefined,
        'partition/0/state': stateDocument('n1', ['n1']),
        'node/n1': undefined,
      },
      'nobody that could be promoted without losing writes is there. The last one was node n1',
    ],
    [
      'no primary, and nodes that know of a later term than the coordinator',
      {
        'partition/0/leader': undefined,
        'node/n2': nodeDocument('n2', 7102, { term: 9, edition: 0 }),
      },
      'there was a term 9: it was put back from a backup',
    ],
    [
      'nobody in sync',
      {
        'partition/0/state': stateDocument('n1', ['n1']),
        'node/n2': nodeDocument('n2', 7102, { zone: 'b', opCount: 60 }),
      },
      'no replica is in sync',
    ],
    [
      'one zone, although there is another',
      { ...replica, 'node/n3': nodeDocument('n3', 7103, { zone: 'b', partition: 1, partitions: 2 }) },
      'all in zone a, and would be lost together. Start a replica of it in zone b',
    ],
    ['a single node', { 'node/n2': undefined }, 'partition 0 has a single node'],
    [
      'different versions',
      { 'node/n2': nodeDocument('n2', 7102, { zone: 'b', version: '0.2.0' }) },
      'nodes run different versions of Causeway: 0.1.0 (127.0.0.1:7101); 0.2.0 (127.0.0.1:7102)',
    ],
    [
      'a partition without a node',
      {
        'node/n1': nodeDocument('n1', 7101, { zone: 'a', partitions: 2 }),
        'node/n2': nodeDocument('n2', 7102, { zone: 'b', partitions: 2 }),
      },
      'partition 1 has no node: nobody serves its slots. Start one with --partition 1',
    ],
    ['documents of another version', { 'partition/0/state': { term: 'x' } }, 'its documents cannot be read'],
  ])('warns of %s', async (_what, documents, warning) => {
    const desk = await pair()
    await desk.store(documents)
    const { code, out } = await desk.run(`cluster status ${PLACE}`)
    expect(code).toBe(1)
    expect(out).toContain('warning: ')
    expect(out).toContain(warning)
  })

  it('is content with one zone where there is no other', async () => {
    const desk = await pair(['a', 'a'])
    expect((await desk.run(`cluster status ${PLACE}`)).code).toBe(0)
  })

  it('names the regions that there are', async () => {
    const desk = await pair()
    const { code, errors } = await desk.run(`cluster status --coordinator ${COORDINATOR} --region B`)
    expect(code).toBe(2)
    expect(errors).toContain(
      'nothing is known of region B of database causeway: it has --database causeway --region A',
    )
  })

  it('makes no folder of one that is not there', async () => {
    const { code, errors } = await new CliDesk().run('cluster status --coordinator file:/nowhere --region A')
    expect([code, errors]).toEqual([2, expect.stringContaining('there is no folder /nowhere')])
  })
})

describe('causeway cluster failover', () => {
  it('tells the replica, and waits until it is primary', async () => {
    const desk = await pair()
    takesOver(desk)
    const { code, out } = await desk.run(`cluster failover --to 127.0.0.1:7102 ${PLACE} --password s3`)
    expect(desk.asked).toEqual(['127.0.0.1:7102 AUTH s3', '127.0.0.1:7102 CLUSTER FAILOVER'])
    expect(code).toBe(0)
    expect(out).toMatch(
      /^handing partition 0 over from 127.0.0.1:7101 to 127.0.0.1:7102 \.\.\.\n127.0.0.1:7102 is primary of partition 0, term 2, after \d+ ms\n$/,
    )
  })

  it('reaches a node at another address than its own', async () => {
    const desk = await pair()
    desk.nodes.set('tunnel:1', (command) => {
      desk.nodes.get('127.0.0.1:7102')!(command)
      return 'OK'
    })
    takesOver(desk)
    expect((await desk.run(`cluster failover --to tunnel:1 --node n2 ${PLACE}`)).code).toBe(0)
  })

  it('speaks TLS at the port for that, whichever port it was given', async () => {
    const desk = await pair()
    await desk.store({ 'node/n2': nodeDocument('n2', 7102, { tlsPort: 7202 }) })
    desk.nodes.set('127.0.0.1:7202', () => {
      takesOver(desk)
      return desk.nodes.get('127.0.0.1:7102')!([])
    })
    const line = `cluster failover --to 127.0.0.1:7102 ${PLACE} --tls --insecure`
    expect(await desk.run(line)).toMatchObject({ code: 0, errors: '' })
    expect(desk.asked).toEqual(['tls 127.0.0.1:7202 CLUSTER FAILOVER'])
  })

  it.each([
    ['', { port: 0, tlsPort: 7202 }, '127.0.0.1:7202 takes only TLS: add --tls'],
    ['--tls', { tlsPort: 0 }, '127.0.0.1:7102 takes no TLS: speak to it without'],
  ])('says so when the node does not speak as it was told to: %s', async (words, ports, sentence) => {
    const desk = await pair()
    await desk.store({ 'node/n2': nodeDocument('n2', 7102, ports) })
    for (const line of ['drain --node 127.0.0.1:7101', `failover --to 127.0.0.1:${ports.tlsPort || 7102}`]) {
      const { code, errors } = await desk.run(`cluster ${line} ${PLACE} ${words}`.trim())
      expect([code, errors]).toEqual([1, expect.stringContaining(sentence)])
    }
    expect(desk.asked).toEqual([])
  })

  it('only says what it would do', async () => {
    const desk = await pair()
    const { out } = await desk.run(`cluster failover --to 127.0.0.1:7102 ${PLACE} --dry-run`)
    expect(out).toBe('would hand partition 0 over from 127.0.0.1:7101 to 127.0.0.1:7102\n')
    expect(desk.asked).toEqual([])
  })

  it('is done when it is so already', async () => {
    const desk = await pair()
    const { code, out } = await desk.run(`cluster failover --to 127.0.0.1:7101 ${PLACE}`)
    expect([code, out]).toEqual([0, '127.0.0.1:7101 is primary of partition 0 already\n'])
  })

  it('says who is primary when it is another one', async () => {
    const desk = await pair()
    desk.nodes.set('127.0.0.1:7102', async () => {
      await desk.store({ 'partition/0/leader': leaderDocument('n3', 2) })
      return 'OK'
    })
    const { code, errors } = await desk.run(`cluster failover --to 127.0.0.1:7102 ${PLACE}`)
    expect([code, errors]).toEqual([1, expect.stringContaining('node n3 is primary of term 2')])
  })

  it.each<[string, Record<string, object | undefined>, string]>([
    [
      '127.0.0.1:9',
      {},
      'no node is registered at 127.0.0.1:9. Registered: 127.0.0.1:7101 (n1), 127.0.0.1:7102 (n2)',
    ],
    [
      '127.0.0.1:7102',
      { 'partition/0/state': stateDocument('n1', ['n1']) },
      'is not in sync (0 ops behind): wait',
    ],
    ['127.0.0.1:7102', { 'partition/0/leader': undefined }, 'has no primary that could hand over'],
  ])('refuses %s before it changes anything', async (to, documents, sentence) => {
    const desk = await pair()
    await desk.store(documents)
    const { code, errors } = await desk.run(`cluster failover --to ${to} ${PLACE}`)
    expect([code, errors]).toEqual([1, expect.stringContaining(sentence)])
    expect(desk.asked).toEqual([])
  })

  it.each([
    [
      new RespError('NOAUTH Authentication required.'),
      '127.0.0.1:7102 asks for a password: give it with --password',
    ],
    [
      new RespError('ERR You should send CLUSTER FAILOVER to a replica'),
      'causeway: 127.0.0.1:7102: You should send',
    ],
  ])('tells why the node refuses', async (reply, sentence) => {
    const desk = await pair()
    desk.nodes.set('127.0.0.1:7102', () => reply)
    const { code, errors } = await desk.run(`cluster failover --to 127.0.0.1:7102 ${PLACE}`)
    expect([code, errors]).toEqual([1, expect.stringContaining(sentence)])
  })

  it('tells that the node cannot be reached', async () => {
    const desk = await pair()
    desk.nodes.set('127.0.0.1:7102', () => {
      throw new AskError('cannot reach a node at 127.0.0.1:7102')
    })
    const { code, errors } = await desk.run(`cluster failover --to 127.0.0.1:7102 ${PLACE}`)
    expect([code, errors]).toEqual([1, 'causeway: cannot reach a node at 127.0.0.1:7102\n'])
  })
})

describe('causeway cluster drain', () => {
  it('hands over, and says that the node may be stopped', async () => {
    const desk = await pair()
    takesOver(desk)
    const { code, out } = await desk.run(`cluster drain --node 127.0.0.1:7101 ${PLACE}`)
    expect(code).toBe(0)
    expect(out).toContain('127.0.0.1:7101 is primary of nothing and may be stopped')
    expect(out).toContain('While it is away nobody can stand in for the primary of partition 0')
  })

  it('says at once of a replica that it may be stopped, and who is left', async () => {
    const desk = await pair()
    await desk.store({
      'node/n3': nodeDocument('n3', 7103, { zone: 'b' }),
      'partition/0/state': stateDocument('n1', ['n1', 'n2', 'n3']),
    })
    const { code, out } = await desk.run(`cluster drain --node 127.0.0.1:7103 ${PLACE}`)
    expect([code, desk.asked]).toEqual([0, []])
    expect(out).toContain('may be stopped (SIGTERM, or SHUTDOWN). Partition 0 has a stand-in meanwhile')
  })

  it('only says what it would do', async () => {
    const desk = await pair()
    const { out } = await desk.run(`cluster drain --node 127.0.0.1:7101 ${PLACE} --dry-run`)
    expect(out).toContain('would hand partition 0 over from 127.0.0.1:7101 to 127.0.0.1:7102\n')
    expect(out).toContain('would then be primary of nothing')
    expect(desk.asked).toEqual([])
  })

  it('leaves the duty with the node while nobody else is in sync', async () => {
    const desk = await pair()
    await desk.store({ 'partition/0/state': stateDocument('n1', ['n1']) })
    const { code, errors } = await desk.run(`cluster drain --node 127.0.0.1:7101 ${PLACE}`)
    expect([code, errors]).toEqual([
      1,
      expect.stringContaining('nobody is in sync that could take over partition 0'),
    ])
  })
})

describe('causeway cluster', () => {
  it.each([
    ['cluster', CLUSTER_HELP],
    ['cluster staus', "unknown action 'cluster staus': did you mean 'status'?"],
    ['cluster status', '--region is missing: its name'],
    ['cluster status --region A', '--coordinator is missing: what its nodes are given'],
    [`cluster status --region a/b --coordinator ${COORDINATOR}`, "'a/b' is no name"],
    ['cluster status --region A --coordinator x', '--coordinator: argument must be http://HOST:PORT'],
    [`cluster status ${PLACE} --too x`, "'cluster status' takes no --too: see 'causeway cluster --help'"],
    [`cluster drain ${PLACE} --nod x`, "'cluster drain' takes no --nod: did you mean '--node'?"],
    [`cluster status ${PLACE} --json=no`, '--json takes no value'],
    [`cluster status ${PLACE} now`, "unexpected word 'now'"],
    [`cluster status ${PLACE} --region B`, '--region is given twice'],
    [`cluster failover ${PLACE}`, '--to is missing: HOST:PORT of the replica'],
    [`cluster drain ${PLACE} --node`, '--node needs a value'],
    [`cluster drain ${PLACE} --node http://a`, "'http://a' is no address of a node: write --node HOST:PORT"],
  ])('%s: says what is wrong', async (line, sentence) => {
    const { code, errors } = await new CliDesk().run(line)
    expect([code, errors]).toEqual([2, expect.stringContaining(sentence)])
  })

  it('teaches', async () => {
    expect((await new CliDesk().run('cluster drain --help')).out).toBe(CLUSTER_HELP)
    for (const line of CLUSTER_HELP.split('\n')) expect(line.length, line).toBeLessThanOrEqual(115)
  })
})
