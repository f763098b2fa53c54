/**
 * doctor.test.ts: `causeway doctor` on nodes that are functions: whom it visits, and what it finds.
 */
import { describe, expect, it } from 'vitest'
import { DOCTOR_HELP } from '../../../../region-node/cli/doctor.ts'
import { AskError } from '../../../../region-node/cli/node-client.ts'
import { defaultValues, SETTING_ROWS, type SettingName } from '../../../../region-node/config/table.ts'
import { type Reply, RespError } from '../../../../region-node/resp/parse-reply.ts'
import { CliDesk, type FakeNode } from '../../../harness/cli-run.ts'

interface FakeFacts {
  readonly region?: string
  readonly regionId?: number
  readonly info?: Readonly<Record<string, string | number>>
  readonly settings?: Partial<Record<SettingName, string>>
  readonly regions?: readonly Reply[]
  readonly links?: readonly Reply[]
  readonly users?: readonly string[]
  readonly cluster?: string
  /** Its clock, milliseconds ahead of ours. */
  readonly aheadMs?: number
}

function fakeNode(nodeId: string, facts: FakeFacts = {}): FakeNode {
  const { region = 'A', regionId = 1, aheadMs = 0 } = facts
  const info = {
    causeway_version: '0.1.0',
    region,
    region_id: regionId,
    node_id: nodeId,
    replication_role: 'primary',
    replication_term: 1,
    cut_state: 'moves',
    ...facts.info,
  }
  const values = defaultValues()
  const settings = [...SETTING_ROWS].flatMap(([name, row]) => [
    name,
    facts.settings?.[name as SettingName] ?? row.kind.format(values[name as SettingName]),
  ])
  const answers: Record<string, () => Reply> = {
    TIME: () => {
      const nowMs = performance.timeOrigin + performance.now() + aheadMs
      return [String(Math.floor(nowMs / 1000)), String(Math.floor((nowMs % 1000) * 1000))]
    },
    INFO: () =>
      Object.entries(info)
        .map(([name, value]) => `${name}:${value}\r\n`)
        .join(''),
    CONFIG: () => settings,
    'CRDT.REGION': () => [...(facts.regions ?? [regionRow(region, regionId, 'self')])],
    'CRDT.LINK': () => [...(facts.links ?? [])],
    ACL: () => [...(facts.users ?? ['user default on nopass ~* &* +@all'])],
    CLUSTER: () => facts.cluster ?? new RespError('ERR This instance has cluster support disabled'),
  }
  return ([name]) => answers[name!]!()
}

function regionRow(name: string, id: number | null, status: string): Reply {
  return ['name', name, 'id', id, 'status', status, 'epoch', 0]
}

function linkRow(region: string, more: Readonly<Record<string, Reply>> = {}): Reply {
  const fields = {
    region,
    pull: 'streaming',
    serve: 'streaming',
    paused: 'no',
    'lag-ms': 0,
    'behind-ms': 0,
    ...more,
  }
  return Object.entries(fields).flat()
}

function deskOf(nodes: Readonly<Record<string, FakeNode>>): CliDesk {
  const desk = new CliDesk()
  for (const [place, node] of Object.entries(nodes)) desk.nodes.set(place, node)
  return desk
}

const BOTH = [regionRow('A', 1, 'self'), regionRow('B', 2, 'member')]
const OTHER = [regionRow('B', 2, 'self'), regionRow('A', 1, 'member')]

describe('causeway doctor', () => {
  it('visits the neighbours of a node, each once, and finds all well', async () => {
    const cluster =
      'id1 10.0.0.1:1@0 myself,master - 0 0 1 connected 0-16383\nid2 10.0.0.2:2@0 slave id1 0 0 1 connected\n'
    const replica = {
      replication_role: 'replica',
      master_host: '10.0.0.1',
      master_port: 1,
      master_link_status: 'up',
    }
    const desk = deskOf({
      'localhost:1': fakeNode('n1', { cluster }),
      '10.0.0.1:1': fakeNode('n1', { cluster }),
      '10.0.0.2:2': fakeNode('n2', { info: replica }),
    })
    const { code, out } = await desk.run('doctor --to localhost:1')
    expect(out.split('\n')).toEqual([
      'node         region  partition  role     term  version',
      'localhost:1  A (1)   0          primary  1     0.1.0',
      '10.0.0.2:2   A (1)   0          replica  1     0.1.0',
      '',
      'all is alike and well',
      '',
    ])
    expect(code).toBe(0)
  })

  it('finds replicas without a coordinator', async () => {
    const desk = deskOf({
      'a:1': fakeNode('n1', { info: { slave0: 'ip=b,port=2,state=online,offset=1,lag=0' } }),
      'b:2': fakeNode('n2', { info: { replication_role: 'replica' } }),
    })
    expect((await desk.run('doctor --to a:1')).out).toContain('b:2')
  })

  it('goes on inside TLS, where it was told to begin so', async () => {
    const cluster = 'id1 a:1@0 myself,master - 0 0 1 connected 0-16383\nid2 b:2@0 slave id1 0 0 1 connected\n'
    const follower = { slave0: 'ip=b,port=9,state=online,offset=1,lag=0' }
    const desk = deskOf({
      'a:1': fakeNode('n1', { cluster, info: follower }),
      'b:2': fakeNode('n2', {
        cluster,
        info: { replication_role: 'replica', master_host: 'a', master_port: 8 },
      }),
    })
    const { code, out } = await desk.run('doctor --to a:1 --tls --insecure')
    expect(code, out).toBe(0)
    expect(desk.asked.every((one) => one.startsWith('tls '))).toBe(true)
  })

  /** Findings of two nodes, `a:1` and `b:2`, of one region or of two. */
  async function findings(one: FakeFacts, two: FakeFacts): Promise<string> {
    const desk = deskOf({ 'a:1': fakeNode('n1', one), 'b:2': fakeNode('n2', two) })
    const { code, out } = await desk.run('doctor --to a:1 --to b:2')
    expect(code).toBe(1)
    return out.replaceAll(/ {2,}/g, ' | ')
  }

  const replica = { replication_role: 'replica' }
  it.each<[string, FakeFacts, FakeFacts, string]>([
    [
      'versions',
      {},
      { info: { ...replica, causeway_version: '0.2.0' } },
      'nodes | the version of Causeway is not alike | 0.1.0 | a:1\n | 0.2.0 | b:2',
    ],
    [
      'settings of a region',
      {},
      { info: replica, settings: { maxmemory: '100' } },
      'settings | maxmemory is not alike | 0 | a:1\n | 100 | b:2',
    ],
    [
      'settings of the database',
      { regions: BOTH },
      { region: 'B', regionId: 2, regions: OTHER, settings: { databases: '4' } },
      'settings | databases is not alike | 16 | a:1\n | 4 | b:2',
    ],
    [
      'users',
      { users: ['user default on #aaaa ~* +@all'] },
      { info: replica, users: ['user default on #bbbb ~* +@all', 'user app on'] },
      'user app (password or rights) is not alike | absent | a:1\n | definition 1 | b:2',
    ],
    [
      'ids of one region',
      {},
      { info: replica, regionId: 7 },
      'the id of region A is not alike | 1 | a:1\n | 7 | b:2',
    ],
    [
      'what is known of a region',
      { regions: [...BOTH, regionRow('C', 3, 'suspended')] },
      { region: 'B', regionId: 2, regions: [...OTHER, regionRow('C', 3, 'member')] },
      'what is known of region C is not alike | suspended, id 3 | a:1\n | member, id 3 | b:2',
    ],
    [
      'terms',
      {},
      { info: { ...replica, replication_term: 2 } },
      'the term of partition 0 of region A is not alike',
    ],
    ['two primaries', {}, {}, 'roles: partition 0 of region A has more than one primary: a:1 and b:2.'],
    [
      'no primary',
      { info: replica },
      { info: { replication_role: 'idle' } },
      'roles: partition 0 of region A has no primary.',
    ],
    ['clocks of a region', {}, { info: replica, aheadMs: 5000 }, 'in region A the clock of b:2 is '],
    [
      'clocks of regions',
      { regions: BOTH, links: [linkRow('B', { 'skew-ms': -900 })] },
      { region: 'B', regionId: 2, regions: OTHER },
      'clocks: the clocks of a:1 and of region B are 900 ms apart: run NTP.',
    ],
    [
      'links that are down',
      {
        regions: BOTH,
        links: [linkRow('B', { pull: 'waiting', 'last-error': 'secret: it does not match' })],
      },
      { region: 'B', regionId: 2, regions: OTHER },
      'links: a:1 does not receive from region B: secret: it does not match.',
    ],
    [
      'links that were cut',
      { regions: BOTH, links: [linkRow('B', { pull: 'paused', paused: 'yes' })] },
      { region: 'B', regionId: 2, regions: OTHER },
      'links: a:1 does not receive from region B: cut by CRDT.LINK DOWN.',
    ],
    [
      'lag',
      { regions: BOTH, links: [linkRow('B', { 'lag-ms': 61_000, 'behind-ms': 9000 })] },
      { region: 'B', regionId: 2, regions: OTHER },
      'links: a:1 lags behind region B by 9 s.\nlinks: region B lags behind a:1 by 61 s.',
    ],
    [
      'a replica without its primary',
      {},
      { info: { ...replica, master_link_status: 'down', master_link_error: 'it refused' } },
      'links: b:2 does not reach its primary: it refused.',
    ],
    [
      'a full disk',
      { info: { aof_last_write_status: 'err' } },
      { info: replica },
      'disk: a:1 cannot write its log',
    ],
    [
      'a failed snapshot',
      { info: { rdb_last_bgsave_status: 'err', snapshot_last_error: 'EIO' } },
      { info: replica },
      'disk: a:1 could not make its last snapshot: EIO.',
    ],
    [
      'memory',
      { info: { used_memory: 95, maxmemory: 100, maxmemory_policy: 'noeviction' } },
      { info: replica },
      'memory: a:1 uses 95 % of maxmemory, and will refuse writes',
    ],
    [
      'the heap',
      { info: { used_memory_heap: 97, heap_limit: 100 } },
      { info: replica },
      'memory: a:1 uses 97 % of its heap',
    ],
    [
      'a cut that stands still',
      { info: { cut_state: 'waits for region B, last heard 3 h ago' } },
      { info: replica },
      'cut: a:1 gives nothing back, because its stable cut waits for region B, last heard 3 h ago.',
    ],
    [
      'a node that loads',
      {},
      { info: { ...replica, loading: 1, loading_loaded_perc: '12' } },
      'nodes: b:2 reads its data',
    ],
    [
      'a coordinator out of reach',
      {},
      { info: { ...replica, coordinator: 'away' } },
      'b:2 does not reach its coordinator',
    ],
    [
      'one that may lack writes',
      { info: { lacking: 1 } },
      { info: replica },
      'regions: a:1 takes no writes yet',
    ],
  ])('finds %s', async (_what, one, two, sentence) => {
    expect(await findings(one, two)).toContain(sentence)
  })

  it('says which regions it was not sent to', async () => {
    const desk = deskOf({ 'a:1': fakeNode('n1', { regions: BOTH, links: [linkRow('B')] }) })
    const { code, out } = await desk.run('doctor --to a:1')
    expect([code, out]).toEqual([
      1,
      expect.stringContaining('regions: region B was not visited: give the address'),
    ])
  })

  it('shows no secret and no digest of one', async () => {
    const out = await findings(
      { users: ['user default on #5e884898 ~* +@all'] },
      { info: replica, users: ['user default on #ef92b778 ~* +@all'] },
    )
    expect(out).toContain(
      'user default (password or rights) is not alike | definition 1 | a:1\n | definition 2 | b:2',
    )
    expect(out).not.toMatch(/5e88|ef92/)
  })

  it('leaves a node its own settings', async () => {
    const desk = deskOf({
      'a:1': fakeNode('n1'),
      'b:2': fakeNode('n2', { info: replica, settings: { port: '2', zone: 'b', dir: 'other' } }),
    })
    expect((await desk.run('doctor --to a:1 --to b:2')).code).toBe(0)
  })

  it('tells who was not visited, and what was not answered', async () => {
    const refusing = fakeNode('n2', { info: replica })
    const desk = deskOf({
      'a:1': fakeNode('n1'),
      'b:2': (command) => (command[0] === 'ACL' ? new RespError('NOPERM no rights') : refusing(command)),
      'c:3': () => {
        throw new AskError('cannot reach a node at c:3')
      },
    })
    const { code, out } = await desk.run('doctor --to a:1 --to b:2 --to c:3')
    expect(code).toBe(1)
    expect(out).toContain('nodes: c:3 was not visited: cannot reach a node at c:3.\n')
    expect(out).toContain('nodes: b:2 did not answer ACL LIST: no rights.\n')
  })

  it('is for programs, too', async () => {
    const desk = deskOf({
      'a:1': fakeNode('n1'),
      'b:2': fakeNode('n2', { info: replica, settings: { timeout: '9' } }),
    })
    const { out } = await desk.run('doctor --to a:1 --to b:2 --json')
    expect(JSON.parse(out)).toMatchObject({
      nodes: [
        { address: 'a:1', id: 'n1', region: 'A', regionId: 1, partition: 0, role: 'primary', term: 1 },
        {},
      ],
      findings: [
        {
          about: 'settings',
          sentence: 'timeout is not alike',
          values: [
            { value: '0', nodes: ['a:1'] },
            { value: '9', nodes: ['b:2'] },
          ],
        },
      ],
    })
  })

  it.each([
    ['doctor', 'name a node with --to HOST:PORT'],
    ['doctor a:1', "unexpected word 'a:1': nodes are named with --to"],
    ['doctor --to http://a', "'http://a' is no address of a node: write --to HOST:PORT"],
    ['doctor --to a:1 --region A', "'doctor' takes no --region: see 'causeway doctor --help'"],
  ])('%s: says what is wrong', async (line, sentence) => {
    const { code, errors } = await new CliDesk().run(line)
    expect([code, errors]).toEqual([2, expect.stringContaining(sentence)])
  })

  it('ends with 2 when no node lets it in', async () => {
    const desk = deskOf({ 'a:1': () => new RespError('NOAUTH Authentication required.') })
    const { code, errors } = await desk.run('doctor --to a:1')
    expect([code, errors]).toEqual([
      2,
      expect.stringContaining('a:1 asks for a password: give it with --password'),
    ])
  })

  it('teaches', async () => {
    expect((await new CliDesk().run('doctor --help')).out).toBe(DOCTOR_HELP)
    for (const line of DOCTOR_HELP.split('\n')) expect(line.length, line).toBeLessThanOrEqual(115)
  })
})
