/**
 * region.test.ts: `causeway region` from its words to what it says to each partition, and what it makes of the answers.
 */
import { describe, expect, it } from 'vitest'
import { AskError } from '../../../../region-node/cli/node-client.ts'
import { REGION_HELP } from '../../../../region-node/cli/region.ts'
import { errors } from '../../../../region-node/errors.ts'
import { type Reply, RespError } from '../../../../region-node/resp/parse-reply.ts'
import { CliDesk, type CliRun } from '../../../harness/cli-run.ts'

const row = (...pairs: Reply[]): Reply => pairs
const OWN = row('name', 'A', 'id', 1, 'status', 'self', 'mode', 'active')
const ALONE = '127.0.0.1:6379'

/** A node without a coordinator. @param answer  what it says to the command behind the questions @param list  LIST */
function alone(answer: Reply | Error, list: Reply = [OWN]): (command: readonly string[]) => Reply {
  return (command) => {
    if (command[0] === 'AUTH') return 'OK'
    if (command[0] === 'CLUSTER') return new RespError(errors.clusterOff.line)
    if (answer instanceof Error) throw answer
    return command[1] === 'LIST' ? list : answer
  }
}

interface Run extends CliRun {
  readonly asked: readonly string[]
}

/** @param list  what the node answers to LIST @param answer  to anything else */
async function run(line: string, list?: Reply, answer: Reply | Error = 'OK', environment = {}): Promise<Run> {
  const desk = new CliDesk()
  Object.assign(desk.environment, environment)
  for (const place of [ALONE, 'host-a:7101', 'h:1', '[::1]:6379']) desk.nodes.set(place, alone(answer, list))
  const words = `region ${line}`.split(' ').filter((word) => word !== '')
  return { ...(await desk.run(words.join(' '))), asked: desk.asked }
}

describe('causeway region, at a node alone', () => {
  it('says ADD to the node it is told', async () => {
    const { code, out, asked } = await run('add D --id 4 --url=ws://d:7204 --to host-a:7101')
    expect(asked).toEqual([
      'host-a:7101 CLUSTER SHARDS',
      'host-a:7101 CRDT.REGION LIST',
      'host-a:7101 CRDT.REGION ADD D 4 ws://d:7204',
    ])
    expect([code, out]).toEqual([0, expect.stringContaining("Region 'D' joins\nIt takes writes when it has")])
  })

  it('says REMOVE, and prints what the node answers', async () => {
    const { asked, out } = await run('remove D', [OWN], "Region 'D' has left: stop its node")
    expect(asked.at(-1)).toBe(`${ALONE} CRDT.REGION REMOVE D`)
    expect(out).toBe("Region 'D' has left: stop its node\n")
  })

  it('says ADD of a passive region', async () => {
    const { out, asked } = await run('add D --id 4 --passive --url ws://d:7204')
    expect(asked.at(-1)).toBe(`${ALONE} CRDT.REGION ADD D 4 ws://d:7204 PASSIVE`)
    expect(out).toContain('It can be promoted when it has a snapshot')
  })

  it.each([
    ['promote --to h:1', 'PROMOTE', 'passive'],
    ['promote --force --to h:1', 'PROMOTE FORCE', 'passive'],
    ['demote --to h:1', 'DEMOTE', 'active'],
  ])('%s: says so, and prints what the node answers', async (line, command, mode) => {
    const own = row('name', 'D', 'status', 'self', 'mode', mode)
    const { code, out, asked } = await run(line, [own], "Region 'D' is so")
    expect(asked.at(-1)).toBe(`h:1 CRDT.REGION ${command}`)
    expect([code, out]).toEqual([0, "Region 'D' is so\n"])
  })

  it.each([
    ['add D --id 4 --url ws://d', row('name', 'D', 'id', 4, 'status', 'member'), "Region 'D' joins already"],
    ['remove D', row('name', 'D', 'id', 4, 'status', 'left'), "Region 'D' has left already"],
    ['promote', row('name', 'A', 'status', 'self', 'mode', 'active'), 'The region is active already'],
    ['demote', row('name', 'A', 'status', 'self', 'mode', 'passive'), 'The region is passive already'],
  ])('%s: leaves alone what is so', async (line, known, sentence) => {
    const { code, out, asked } = await run(line, [known])
    expect([code, asked.length]).toEqual([0, 2])
    expect(out).toContain(sentence)
  })

  it('does nothing in a dry run', async () => {
    const { code, out, asked } = await run('demote --dry-run')
    expect([code, out]).toEqual([0, 'would say CRDT.REGION DEMOTE\n'])
    expect(asked.some((one) => one.includes('DEMOTE'))).toBe(false)
  })

  it('shows LIST as a table', async () => {
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
    const { out } = await run('list --to [::1]', rows)
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
    const given = await run('list --password s3', [])
    expect(given.asked.slice(0, 2)).toEqual([`${ALONE} AUTH s3`, `${ALONE} CLUSTER SHARDS`])
    const inherited = await run('list', [], 'OK', { CAUSEWAY_REQUIREPASS: 'å' })
    expect(inherited.asked[0]).toBe(`${ALONE} AUTH Ã¥`)
  })

  it.each([
    [
      'demote',
      new RespError("READONLY You can't write against a read only replica."),
      'Say it at the primary',
    ],
    ['remove D', new RespError("ERR There is no region 'D'"), "causeway: There is no region 'D'\n"],
    ['list', new AskError('cannot reach a node at h:1'), 'causeway: cannot reach a node at h:1\n'],
  ])('%s: tells why not', async (line, answer, sentence) => {
    const { code, out, errors } = await run(line, [OWN], answer)
    expect([code, out]).toEqual([1, ''])
    expect(errors).toContain(sentence)
  })

  it.each([
    ['', new RespError('NOAUTH Authentication required.'), 'asks for a password: give it with --password'],
    ['x', new RespError('WRONGPASS invalid'), 'refuses the password: correct it with --password'],
    ['', new RespError('NOPERM no permissions'), `${ALONE}: no permissions`],
  ])('tells when it is not let in', async (password, answer, sentence) => {
    const desk = new CliDesk()
    desk.nodes.set(ALONE, () => answer)
    const { code, errors } = await desk.run(`region list${password === '' ? '' : ` --password ${password}`}`)
    expect([code, errors]).toEqual([1, expect.stringContaining(sentence)])
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
    ['list --too x', "'region list' takes no --too: did you mean '--to'?"],
    ['list --region x', "'region list' takes no --region: see 'causeway region --help'"],
    ['list --dry-run', "'region list' takes no --dry-run"],
    ['list --to', '--to needs a value'],
    ['list --to a --to b', '--to is given twice'],
    ['list --to http://a', "'http://a' is no address of a node: write --to HOST:PORT"],
    ['list --cacert ca.pem', '--cacert is for TLS: add --tls, or leave it out'],
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

describe('causeway region, at a region of two partitions', () => {
  const node = (port: number, role: string): Reply =>
    row('id', `n${port}`, 'port', port, 'ip', 'h', 'endpoint', 'h', 'role', role, 'health', 'online')
  const SHARDS: Reply[] = [
    row('slots', [0, 8191], 'nodes', [node(2, 'replica'), node(1, 'master')]),
    row('slots', [8192, 16383], 'nodes', [node(3, 'master'), node(4, 'replica')]),
  ]

  /** Each primary by itself: which regions it knows, and why it refuses. */
  class Parted {
    readonly desk = new CliDesk()
    readonly known = new Map<number, Reply[]>([
      [1, [OWN]],
      [3, [OWN]],
    ])
    readonly refusals = new Map<number, RespError | AskError>()
    shards: Reply = SHARDS

    constructor() {
      for (const port of [1, 2, 3, 4])
        this.desk.nodes.set(`h:${port}`, (command) => this.#answer(port, command))
    }

    #answer(port: number, [name, what, ...words]: readonly string[]): Reply {
      if (name === 'CLUSTER') return this.shards
      const known = this.known.get(port)
      if (known === undefined) return new RespError("READONLY You can't write against a read only replica.")
      const refusal = this.refusals.get(port)
      if (refusal instanceof AskError) throw refusal
      if (what === 'LIST') return known
      if (refusal !== undefined) return refusal
      known.push(row('name', words[0]!, 'id', Number(words[1]), 'status', 'member'))
      return 'OK'
    }

    get said(): readonly string[] {
      return this.desk.asked.filter((one) => !one.endsWith('LIST') && !one.endsWith('SHARDS'))
    }
  }

  const ADD = 'region add D --id 4 --url ws://d:7204 --to h:4'

  it('is said at the primary of each, whoever is asked', async () => {
    const region = new Parted()
    const { code, out } = await region.desk.run(ADD)
    expect(region.said).toEqual([
      'h:1 CRDT.REGION ADD D 4 ws://d:7204',
      'h:3 CRDT.REGION ADD D 4 ws://d:7204',
    ])
    expect(code).toBe(0)
    expect(out.split('\n').slice(0, 3)).toEqual([
      "partition 0 at h:1: Region 'D' joins",
      "partition 1 at h:3: Region 'D' joins",
      expect.stringContaining('It takes writes when'),
    ])
  })

  it.each([new RespError('ERR Region C was not heard lately'), new AskError('cannot reach a node at h:1')])(
    'goes on where one fails, says which, and does what is missing when it is said again: %s',
    async (why) => {
      const region = new Parted()
      region.refusals.set(1, why)
      const first = await region.desk.run(ADD)
      expect([first.code, first.out]).toEqual([1, "partition 1 at h:3: Region 'D' joins\n"])
      expect(first.errors).toMatch(/partition 0 at h:1: .*(heard lately|cannot reach)/)
      expect(first.errors).toContain('it is not so at 1 of 2 partitions')
      region.refusals.clear()
      const again = await region.desk.run(ADD)
      expect([again.code, again.errors]).toEqual([0, ''])
      expect(again.out).toContain("partition 1 at h:3: Region 'D' joins already\n")
      expect(region.said.filter((one) => one.startsWith('h:3'))).toHaveLength(1)
    },
  )

  it.each([
    ['no primary', row('slots', [], 'nodes', [node(2, 'replica')]), 'partition 0: it has no primary now'],
    ['no node', undefined, 'partition 0: it has no primary now'],
    [
      'a primary with TLS only',
      row('slots', [0, 8191], 'nodes', [row('tls-port', 1, 'endpoint', 'h', 'role', 'master')]),
      'partition 0: h:1 takes only TLS: add --tls\n',
    ],
  ])('misses one that has %s', async (_what, shard, sentence) => {
    const region = new Parted()
    region.shards = [...(shard === undefined ? [] : [shard]), SHARDS[1]!]
    const { code, errors } = await region.desk.run(ADD)
    expect([code, region.said.length]).toEqual([1, 1])
    expect(errors).toContain(sentence)
  })

  it('is said at the ports for TLS to whoever speaks it', async () => {
    const region = new Parted()
    const both = row('port', 9, 'tls-port', 1, 'endpoint', 'h', 'role', 'master')
    region.shards = [row('slots', [0, 8191], 'nodes', [both]), SHARDS[1]!]
    const { code, errors } = await region.desk.run(`${ADD} --tls --insecure`)
    expect([code, region.said]).toEqual([1, ['tls h:1 CRDT.REGION ADD D 4 ws://d:7204']])
    expect(errors).toContain('partition 1: h:3 takes no TLS: speak to it without, or give it a tls-port\n')
  })

  it('is shown in one table', async () => {
    const region = new Parted()
    const { code, out } = await region.desk.run('region list --to h:2')
    expect(code).toBe(0)
    expect(out.split('\n').map((line) => line.split(/ +/).slice(0, 3))).toEqual([
      ['partition', 'name', 'id'],
      ['0', 'A', '1'],
      ['1', 'A', '1'],
      [''],
    ])
  })
})
