/**
 * cluster-config.test.ts: `causeway cluster config get | set | unset` on a document in memory.
 */
import { describe, expect, it } from 'vitest'
import {
  CliDesk,
  COORDINATOR,
  leaderDocument,
  nodeDocument,
  stateDocument,
} from '../../../harness/cli-run.ts'

const PLACE = `--coordinator ${COORDINATOR} --region A`

async function deskWith(config?: object): Promise<CliDesk> {
  const desk = new CliDesk()
  await desk.store({
    'node/n1': nodeDocument('n1', 7101),
    'node/n2': nodeDocument('n2', 7102),
    'partition/0/state': stateDocument('n1', ['n1', 'n2']),
    'partition/0/leader': leaderDocument('n1'),
    ...(config === undefined ? {} : { config }),
  })
  return desk
}

async function stored(desk: CliDesk): Promise<unknown> {
  const text = await desk.read('config')
  return text === undefined ? undefined : JSON.parse(text)
}

describe('causeway cluster config', () => {
  it('sets, in the form that nodes show, and counts versions', async () => {
    const desk = await deskWith()
    const first = await desk.run(`cluster config set maxmemory=64mb TIMEOUT=60 ${PLACE}`)
    expect([first.code, first.out]).toEqual([0, expect.stringContaining('version 1 is written')])
    expect(await stored(desk)).toEqual({ version: 1, settings: { maxmemory: '67108864', timeout: '60' } })
    await desk.run(`cluster config set timeout=0 ${PLACE}`)
    expect(await stored(desk)).toEqual({ version: 2, settings: { maxmemory: '67108864', timeout: '0' } })
  })

  it('unsets', async () => {
    const desk = await deskWith({ version: 4, settings: { timeout: '1', maxmemory: '2' } })
    expect((await desk.run(`cluster config unset timeout ${PLACE}`)).code).toBe(0)
    expect(await stored(desk)).toEqual({ version: 5, settings: { maxmemory: '2' } })
  })

  it('shows all, one, or JSON', async () => {
    const desk = await deskWith({ version: 4, settings: { timeout: '1', maxmemory: '2' } })
    expect((await desk.run(`cluster config get ${PLACE}`)).out).toBe('# version 4\nmaxmemory=2\ntimeout=1\n')
    expect((await desk.run(`cluster config get timeout ${PLACE}`)).out).toBe('1\n')
    const { out } = await desk.run(`cluster config get --json ${PLACE}`)
    expect(JSON.parse(out)).toEqual({ version: 4, settings: { timeout: '1', maxmemory: '2' } })
    const { code, errors } = await desk.run(`cluster config get appendfsync ${PLACE}`)
    expect([code, errors]).toEqual([1, expect.stringContaining('says nothing of appendfsync')])
  })

  it('only says what it would write', async () => {
    const desk = await deskWith()
    const { out } = await desk.run(`cluster config set timeout=60 ${PLACE} --dry-run`)
    expect(out).toBe('would write version 1:\ntimeout=60\n')
    expect(await stored(desk)).toBeUndefined()
  })

  it.each([
    ['set', "write 'cluster config get [NAME]'"],
    ['', "write 'cluster config get [NAME]'"],
    ['set timeout', "'timeout' sets nothing: write NAME=VALUE"],
    ['set timeuot=1', "there is no setting 'timeuot': did you mean 'timeout'?"],
    ['set timeout=soon', "bad value for timeout: argument couldn't be parsed into an integer"],
    ['set timeout=1 timeout=2', 'timeout is given twice'],
    [
      'set port=1',
      "port cannot be set for all nodes: it is each node's own, because it says where the node is reached",
    ],
    ['set zone=b', "zone cannot be set for all nodes: it is each node's own"],
    ['set requirepass=x', 'requirepass cannot be set for all nodes: it is a secret'],
    ['set databases=4', 'databases cannot be set for all nodes: it is read when a node starts'],
    ['set hz=20', 'hz cannot be set for all nodes: it is always so in this version'],
    ['set drift-warn-ms=70000', 'drift-warn-ms is above max-drift-ms'],
    ['unset timeout', 'the configuration says nothing of timeout'],
  ])('%s: says what is wrong and writes nothing', async (line, sentence) => {
    const desk = await deskWith()
    const { code, errors } = await desk.run(`cluster config ${line} ${PLACE}`.replaceAll('  ', ' '))
    expect([code, errors]).toEqual([2, expect.stringContaining(sentence)])
    expect(await stored(desk)).toBeUndefined()
  })

  it('takes two settings that are right only together', async () => {
    const desk = await deskWith()
    const { code } = await desk.run(`cluster config set drift-warn-ms=70000 max-drift-ms=80000 ${PLACE}`)
    expect(code).toBe(0)
  })

  it('gives way to one who has written meanwhile', async () => {
    const desk = await deskWith()
    const [one, two] = await Promise.all([
      desk.run(`cluster config set timeout=1 ${PLACE}`),
      desk.run(`cluster config set timeout=2 ${PLACE}`),
    ])
    expect([one.code, two.code].sort()).toEqual([0, 1])
    expect(one.errors + two.errors).toContain('somebody else has changed the configuration meanwhile')
    expect(await stored(desk)).toMatchObject({ version: 1 })
  })

  it('writes nothing for a region that is not there, or over what it cannot read', async () => {
    const desk = await deskWith({ version: 'two' })
    expect((await desk.run(`cluster config set timeout=1 ${PLACE}`)).errors).toContain(
      'config cannot be read',
    )
    const { code, errors } = await desk.run(
      `cluster config set timeout=1 --coordinator ${COORDINATOR} --region B`,
    )
    expect([code, errors]).toEqual([2, expect.stringContaining('nothing is known of region B')])
  })

  it('is part of the status', async () => {
    const desk = await deskWith()
    await desk.store({
      'node/n1': nodeDocument('n1', 7101, { configVersion: 2, configNotApplied: ['maxmemory'] }),
      'node/n2': nodeDocument('n2', 7102, { configVersion: 1 }),
    })
    const { code, out } = await desk.run(`cluster status ${PLACE}`)
    expect(code).toBe(1)
    expect(out).toContain(
      'nodes run different versions of the configuration: 2 (127.0.0.1:7101); 1 (127.0.0.1:7102)',
    )
    expect(out).toContain('127.0.0.1:7101 could not apply maxmemory of configuration 2: its log says why')
  })
})
