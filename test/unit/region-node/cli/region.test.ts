/**
 * region.test.ts: `causeway region` from its words to what it says to a node, and what it makes of the answer.
 */
import { describe, expect, it } from 'vitest'
import { runCauseway } from '../../../../region-node/cli/causeway.ts'
import type { CliHost } from '../../../../region-node/cli/host.ts'
import { AskError, type NodeAddress } from '../../../../region-node/cli/node-client.ts'
import { REGION_HELP } from '../../../../region-node/cli/region.ts'
import { nodeEnv } from '../../../../region-node/env-node.ts'
import { type Reply, RespError } from '../../../../region-node/resp/parse-reply.ts'

interface Run {
  readonly code: number
  readonly out: string
  readonly errors: string
  readonly asked: { address: NodeAddress; commands: readonly (readonly string[])[] }[]
}

/** @param answer  replies of the node, or what keeps it from answering */
async function run(line: string, answer: Reply[] | Error = ['OK'], environment = {}): Promise<Run> {
  const asked: Run['asked'] = []
  let out = ''
  let errors = ''
  const host: CliHost = {
    env: nodeEnv(),
    environment,
    print: (text) => {
      out += text
    },
    complain: (text) => {
      errors += text
    },
    onSignal: () => {},
    exitNow: () => {},
    startNode: () => Promise.reject(new Error('no node is started here')),
    askNode: (address, commands) => {
      asked.push({ address, commands })
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
    },
    openCoordinator: () => {
      throw new Error('no coordinator is opened here')
    },
  }
  const code = await runCauseway(['region', ...line.split(' ').filter((word) => word !== '')], host)
  return { code, out, errors, asked }
}

describe('causeway region', () => {
  it('says ADD to the node it is told', async () => {
    const { code, out, asked } = await run('add D --id 4 --url=ws://d:7204 --to host-a:7101')
    expect(asked).toEqual([
      {
        address: { host: 'host-a', port: 7101 },
        commands: [['CRDT.REGION', 'ADD', 'D', '4', 'ws://d:7204']],
      },
    ])
    expect([code, out]).toEqual([0, expect.stringContaining("Region 'D' joins.")])
  })

  it('says REMOVE, and prints what the node answers', async () => {
    const { asked, out } = await run('remove D', ["Region 'D' has left"])
    expect(asked[0]).toEqual({
      address: { host: '127.0.0.1', port: 6379 },
      commands: [['CRDT.REGION', 'REMOVE', 'D']],
    })
    expect(out).toBe("Region 'D' has left\n")
  })

  it('says ADD of a passive region', async () => {
    const { out, asked } = await run('add D --id 4 --passive --url ws://d:7204')
    expect(asked[0]!.commands).toEqual([['CRDT.REGION', 'ADD', 'D', '4', 'ws://d:7204', 'PASSIVE']])
    expect(out).toContain('It can be promoted when it has a snapshot')
  })

  it.each([
    ['promote --to h:1', ['CRDT.REGION', 'PROMOTE']],
    ['promote --force --to h:1', ['CRDT.REGION', 'PROMOTE', 'FORCE']],
    ['demote --to h:1', ['CRDT.REGION', 'DEMOTE']],
  ])('%s: says so, and prints what the node answers', async (line, command) => {
    const { code, out, asked } = await run(line, ["Region 'D' is so"])
    expect(asked).toEqual([{ address: { host: 'h', port: 1 }, commands: [command] }])
    expect([code, out]).toEqual([0, "Region 'D' is so\n"])
  })

  it('shows LIST as a table', async () => {
    const row = (...pairs: Reply[]): Reply => pairs
    const rows = [
      row(
        'name',
        'A',
        'id',
        1,
        'url',
        '',
        'status',
        'self',
        'epoch',
        0,
        'mode',
        'active',
        'heard-ms-ago',
        null,
        'lacking',
        'no',
      ),
      row('name', 'Bee', 'id', null, 'url', 'ws://b', 'status', 'member', 'epoch', 0, 'lag-ops', null),
      row(
        'name',
        'D',
        'id',
        4,
        'url',
        'ws://d',
        'status',
        'suspended',
        'epoch',
        12,
        'heard-ms-ago',
        10_800_000,
      ),
      row('name', 'E', 'id', 5, 'status', 'member', 'heard-ms-ago', 400, 'lag-ops', 3, 'lag-ms', 20),
      row('name', 'F', 'id', 6, 'status', 'self', 'mode', 'passive', 'behind-ops', 12, 'lacking', 'no'),
    ]
    const { out } = await run('list --to [::1]', [rows])
    expect(out.split('\n')).toEqual([
      'name  id  status     epoch  mode     heard    lag           behind  takes writes  url',
      'A     1   self       0      active   -        -             -       yes           -',
      'Bee   -   member     0      -        -        -             -       -             ws://b',
      'D     4   suspended  12     -        3 h ago  -             -       -             ws://d',
      'E     5   member     -      -        0 s ago  3 ops, 20 ms  -       -             -',
      'F     6   self       -      passive  -        -             12 ops  no            -',
      '',
    ])
  })

  it('gives the password, from its word or the environment', async () => {
    const given = await run('list --password s3', ['OK', []])
    expect(given.asked[0]!.commands).toEqual([
      ['AUTH', 's3'],
      ['CRDT.REGION', 'LIST'],
    ])
    const inherited = await run('list', ['OK', []], { CAUSEWAY_REQUIREPASS: 'å' })
    expect(inherited.asked[0]!.commands[0]).toEqual(['AUTH', 'Ã¥'])
  })

  it.each([
    [
      'list',
      new RespError('NOAUTH Authentication required.'),
      "required. Give the node's password with --password\n",
    ],
    ['list --password x', new RespError('WRONGPASS invalid'), 'the password is wrong: correct --password\n'],
    [
      'demote',
      new RespError("READONLY You can't write against a read only replica."),
      'replica. Say it at the primary of the region\n',
    ],
    ['remove D', new RespError("ERR There is no region 'D'"), "causeway: There is no region 'D'\n"],
    ['list', new AskError('cannot reach a node at h:1'), 'causeway: cannot reach a node at h:1\n'],
  ])('%s: tells why not', async (line, answer, sentence) => {
    const { code, out, errors } = await run(line, answer instanceof RespError ? [answer] : answer)
    expect([code, out]).toEqual([1, ''])
    expect(errors).toContain(sentence)
  })

  it.each([
    ['add D --url ws://d', "'region add' needs --id"],
    ['add D --id 4', "'region add' needs --url"],
    ['add --id 4 --url ws://d', "write 'region list', 'region add NAME ...'"],
    ['remove D E', "write 'region list'"],
    ['list D', "write 'region list'"],
    ['rename D', "write 'region list'"],
    ['remove D --id 4', "'region remove' takes no --id"],
    ['demote D', "write 'region list'"],
    ['demote --force', "'region demote' takes no --force"],
    ['promote --force --force', '--force is given twice'],
    ['promote --force=yes', '--force takes no value'],
    ['list --too x', "unknown option '--too': did you mean '--to'?"],
    ['list --region x', "unknown option '--region': see 'causeway region --help'"],
    ['list --to', '--to needs a value'],
    ['list --to a --to b', '--to is given twice'],
    ['list --to http://a', "'http://a' is no address of a node: write --to HOST:PORT"],
    ['list --to a:99999', "'a:99999' is no address"],
  ])('%s: says what is wrong and asks nobody', async (line, sentence) => {
    const { code, errors, asked } = await run(line)
    expect(code).toBe(1)
    expect(errors).toContain(`causeway: ${sentence}`)
    expect(asked).toEqual([])
  })

  it('teaches', async () => {
    expect((await run('--help')).out).toBe(REGION_HELP)
    expect((await run('')).errors).toBe(REGION_HELP)
    expect((await run('add --help')).out).toBe(REGION_HELP)
    for (const line of REGION_HELP.split('\n')) expect(line.length, line).toBeLessThanOrEqual(115)
  })
})
