/**
 * cluster-placement.test.ts: `causeway cluster create | add-node | rebalance | move | drain --machine`, and what
 * `status` says of machines, on documents in memory.
 */
import { describe, expect, it } from 'vitest'
import type {
  LayoutDocument,
  MachineDocument,
  PlacementDocument,
} from '../../../../region-node/placement/documents.ts'
import { firstPlacement } from '../../../../region-node/placement/edits.ts'
import {
  CliDesk,
  COORDINATOR,
  leaderDocument,
  nodeDocument,
  stateDocument,
} from '../../../harness/cli-run.ts'
import { FakeMachines, machineDocument } from '../../../harness/fake-machines.ts'

const PLACE = `--coordinator ${COORDINATOR} --region A`
const THREE = [
  machineDocument('m1', 7000, 'a'),
  machineDocument('m2', 7100, 'b'),
  machineDocument('m3', 7200, 'c'),
]

async function deskOf(machines: readonly MachineDocument[] = THREE): Promise<CliDesk> {
  const desk = new CliDesk()
  await FakeMachines.start(desk, machines)
  return desk
}

/** Four partitions of two copies, as `create` places them, on some of the machines. */
async function placed(machines: readonly MachineDocument[] = THREE, on = 'm1,m2,m3'): Promise<CliDesk> {
  const desk = new CliDesk()
  const all = await FakeMachines.start(desk, machines)
  const { code, errors } = await desk.run(
    `cluster create --partitions 4 --copies 2 --machines ${on} ${PLACE}`,
  )
  expect({ code, errors }).toEqual({ code: 0, errors: '' })
  await all.settled()
  return desk
}

async function placementsIn(desk: CliDesk, count = 4): Promise<PlacementDocument[]> {
  const texts = await Promise.all(
    Array.from({ length: count }, (_, partition) => desk.read(`partition/${partition}/placement`)),
  )
  return texts.map((text) => JSON.parse(text!))
}

const layoutIn = async (desk: CliDesk): Promise<LayoutDocument> => JSON.parse((await desk.read('layout'))!)

const machinesOf = (placements: readonly PlacementDocument[]): string[] =>
  placements.flatMap(({ machines }) => machines)

describe('causeway cluster create', () => {
  it('spreads partitions over the machines, and tells until they are served', async () => {
    const desk = await deskOf()
    const { code, out } = await desk.run(`cluster create --partitions 4 --copies 2 ${PLACE}`)
    expect(code).toBe(0)
    expect(out).toContain('4 partitions, 2 copies of each\n')
    expect(out).toMatch(/^m1 +a +0 -> 3 +0 -> [12]$/m)
    expect(out).toMatch(/^ +\d+\.\d s {2}partition 3: is on m\d, m\d$/m)
    expect(out).toMatch(/done after [\d.]+ s\n$/)
    expect(await layoutIn(desk)).toEqual({
      version: 1,
      partitions: 4,
      copies: 2,
      machines: ['m1', 'm2', 'm3'],
      rebuildAfterMs: 600_000,
      cooldownMs: 3_600_000,
    })
    for (const { machines, leaving, edition } of await placementsIn(desk)) {
      expect(new Set(machines).size).toBe(2)
      expect({ leaving, edition }).toEqual({ leaving: [], edition: 1 })
    }
  })

  it('shows the plan and writes nothing when it is dry', async () => {
    const desk = await deskOf()
    const { code, out } = await desk.run(`cluster create --partitions 4 --copies 2 --dry-run ${PLACE}`)
    expect(code).toBe(0)
    expect(out).toMatch(/^0 +m1 +m\d$/m)
    expect(await desk.read('layout')).toBeUndefined()
    expect(await desk.read('partition')).toBeUndefined()
  })

  it('writes more placements than one commit takes', async () => {
    const desk = await deskOf(THREE.slice(0, 1))
    expect((await desk.run(`cluster create --partitions 256 --copies 1 ${PLACE}`)).code).toBe(0)
    expect(await placementsIn(desk, 256)).toHaveLength(256)
  })

  it('takes the time after which a machine is replaced', async () => {
    const desk = await deskOf()
    await desk.run(`cluster create --partitions 1 --copies 1 --rebuild-after 90s ${PLACE}`)
    expect((await layoutIn(desk)).rebuildAfterMs).toBe(90_000)
  })

  it('says that copies share a zone when there are too few', async () => {
    const desk = await deskOf([machineDocument('m1', 7000, 'a'), machineDocument('m2', 7100, 'a')])
    const { out } = await desk.run(`cluster create --partitions 1 --copies 2 --dry-run ${PLACE}`)
    expect(out).toContain('warning: there are 2 copies of a partition and 1 zone (a)')
  })

  it.each([
    ['--partitions 3 --copies 1', 2, 'a power of two'],
    ['--partitions 4', 2, '--copies is missing'],
    ['--partitions 4 --copies 0', 2, 'from 1 to'],
    ['--partitions 4 --copies 4', 1, '4 copies need as many machines, and there are 3 (m1, m2, m3)'],
    ['--partitions 4 --copies 1 --machines m1,m9', 1, 'no machine m9 is registered'],
    ['--partitions 128 --copies 1', 1, 'm1 would need the ports 7000 to 7127'],
    ['--partitions 4 --copies 1 --rebuild-after soon', 2, 'a time such as 90s'],
  ])('refuses %s', async (words, code, sentence) => {
    const desk = await deskOf()
    const run = await desk.run(`cluster create ${words} ${PLACE}`)
    expect({ code: run.code, errors: run.errors }).toEqual({
      code,
      errors: expect.stringContaining(sentence),
    })
    expect(await desk.read('layout')).toBeUndefined()
  })

  it('refuses another number of partitions than there are nodes for', async () => {
    const desk = await deskOf()
    await desk.store({ 'node/n1': nodeDocument('n1', 9000, { partitions: 8 }) })
    const { code, errors } = await desk.run(`cluster create --partitions 4 --copies 2 ${PLACE}`)
    expect(code).toBe(1)
    expect(errors).toContain('say --partitions 8')
  })

  it('is refused when there is a layout', async () => {
    const desk = await placed()
    const { code, errors } = await desk.run(`cluster create --partitions 4 --copies 2 ${PLACE}`)
    expect(code).toBe(1)
    expect(errors).toContain('placed already')
  })
})

describe('causeway cluster add-node and rebalance', () => {
  const FOUR = [...THREE, machineDocument('m4', 7300, 'd')]

  it('lets a machine take copies, says what would move, and then moves it', async () => {
    const desk = await placed(FOUR)
    const before = await placementsIn(desk)
    const added = await desk.run(`cluster add-node --machine m4 ${PLACE}`)
    expect(added.code).toBe(0)
    expect(added.out).toContain('m4 takes copies from now on. Nothing has moved')
    expect(added.out).toMatch(/^2 copies move \(200 ops on the way\)/m)
    expect((await layoutIn(desk)).machines).toEqual(['m1', 'm2', 'm3', 'm4'])
    expect(await placementsIn(desk)).toEqual(before)
    const dry = await desk.run(`cluster rebalance --dry-run ${PLACE}`)
    expect(dry.out).toMatch(/^\d +copy m\d -> m4 +100 +m\d has 3 copies, m4 has 0$/m)
    expect(await placementsIn(desk)).toEqual(before)
    const { code, out } = await desk.run(`cluster rebalance ${PLACE}`)
    expect(code).toBe(0)
    expect(out).toMatch(/done after/)
    const after = await placementsIn(desk)
    expect(machinesOf(after).filter((name) => name === 'm4')).toHaveLength(2)
    expect(after.map(({ leaving }) => leaving)).toEqual([[], [], [], []])
    expect((await desk.run(`cluster rebalance ${PLACE}`)).out).toContain('nothing has to move\n')
  })

  it('is dry as well', async () => {
    const desk = await placed(FOUR)
    expect((await desk.run(`cluster add-node --machine m4 --dry-run ${PLACE}`)).out).toContain(
      'm4 would take copies',
    )
    expect((await layoutIn(desk)).machines).toEqual(['m1', 'm2', 'm3'])
  })

  it('takes only machines that are there', async () => {
    const desk = await placed()
    const { code, errors } = await desk.run(`cluster add-node --machine m7 ${PLACE}`)
    expect(code).toBe(1)
    expect(errors).toContain("start it with 'causeway machine --name m7'. Registered: m1, m2, m3")
  })

  it('does not plan for a machine that is away', async () => {
    const desk = await placed()
    await desk.store({ 'machine/m2': undefined })
    const { code, errors } = await desk.run(`cluster rebalance ${PLACE}`)
    expect(code).toBe(1)
    expect(errors).toContain('m2 is away: bring it back')
  })

  it('needs a layout', async () => {
    const desk = await deskOf()
    const { code, errors } = await desk.run(`cluster rebalance ${PLACE}`)
    expect(code).toBe(1)
    expect(errors).toContain("'causeway cluster create' does that")
  })
})

describe('causeway cluster move', () => {
  it('moves one copy in its place', async () => {
    const desk = await placed()
    const [before] = await placementsIn(desk)
    const [from, other] = before!.machines
    const to = ['m1', 'm2', 'm3'].find((name) => !before!.machines.includes(name))
    const { code, out } = await desk.run(`cluster move --partition 0 --from ${from} --to ${to} ${PLACE}`)
    expect(code).toBe(0)
    expect(out).toContain(`copy ${from} -> ${to}`)
    expect(out).toContain(`primary ${from} -> ${to}`)
    expect((await placementsIn(desk))[0]!.machines).toEqual([to, other])
  })

  it('refuses what it cannot do, with what it could', async () => {
    const desk = await placed([...THREE, machineDocument('m4', 7300, 'a')])
    await desk.store({ 'partition/0/placement': firstPlacement(['m1', 'm2']) })
    const refusal = async (words: string): Promise<string> =>
      (await desk.run(`cluster move ${words} ${PLACE}`)).errors
    expect(await refusal('--partition 0 --from m3 --to m4')).toContain('m3 has no copy of partition 0')
    expect(await refusal('--partition 0 --from m1 --to m2')).toContain('m2 has a copy of partition 0 already')
    expect(await refusal('--partition 0 --from m2 --to m4')).toContain('add-node --machine m4')
    expect(await refusal('--partition 4 --from m2 --to m3')).toContain('from 0 to 3')
    await desk.store({ layout: { ...(await layoutIn(desk)), machines: ['m1', 'm2', 'm3', 'm4'] } })
    expect(await refusal('--partition 0 --from m2 --to m4')).toContain(
      'm4 is in zone a, like m1 with another copy of partition 0: they would be lost together; m3 in zone c would do',
    )
  })
})

describe('causeway cluster drain --machine', () => {
  it('empties it, and it takes none any more', async () => {
    const desk = await placed()
    const { code, out } = await desk.run(`cluster drain --machine m2 ${PLACE}`)
    expect(code).toBe(0)
    expect(out).toContain('m2 is to be empty')
    expect(out).toContain('m2 holds no copies and takes none: its process may be stopped\n')
    expect(machinesOf(await placementsIn(desk))).not.toContain('m2')
    expect((await layoutIn(desk)).machines).toEqual(['m1', 'm3'])
  })

  it('says that it is empty when its disk is', async () => {
    const desk = await placed()
    const held = [{ partition: 0, nodeId: 'm2-0', state: 'stopped' }]
    await desk.store({ 'machine/m2': { ...THREE[1]!, held } })
    let isEmptied = false
    const run = desk.run(`cluster drain --machine m2 ${PLACE}`).then(({ out }) => ({ out, isEmptied }))
    await new Promise((resolve) => setTimeout(resolve, 100))
    isEmptied = true
    await desk.store({ 'machine/m2': THREE[1]! })
    expect(await run).toEqual({ out: expect.stringContaining('m2 holds no copies'), isEmptied: true })
  })

  it('is refused when too few would be left', async () => {
    const desk = await placed(THREE.slice(0, 2), 'm1,m2')
    const { code, errors } = await desk.run(`cluster drain --machine m2 ${PLACE}`)
    expect(code).toBe(1)
    expect(errors).toContain('only m1 would be left')
    expect((await layoutIn(desk)).machines).toEqual(['m1', 'm2'])
  })

  it('knows which of the two is meant', async () => {
    const desk = await placed()
    const { code, errors } = await desk.run(`cluster drain --machine m2 --node 127.0.0.1:7000 ${PLACE}`)
    expect(code).toBe(2)
    expect(errors).toContain('say either --node HOST:PORT')
  })
})

describe('causeway cluster failover', () => {
  it('makes the machine of the new primary the preferred one', async () => {
    const desk = await placed()
    const { machines } = (await placementsIn(desk))[0]!
    const [first, second] = machines.map((name) => `${name}-0`)
    const { port } = JSON.parse((await desk.read(`node/${second}`))!)
    desk.nodes.set(`127.0.0.1:${port}`, async () => {
      await desk.store({
        'partition/0/state': stateDocument(second!, [first!, second!], 2),
        'partition/0/leader': leaderDocument(second!, 2),
      })
      return 'OK'
    })
    const { code, errors } = await desk.run(`cluster failover --to 127.0.0.1:${port} ${PLACE}`)
    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    expect((await placementsIn(desk))[0]!.machines).toEqual([...machines].reverse())
  })
})

describe('a change of somebody else', () => {
  it('is not overwritten', async () => {
    const desk = await placed()
    const theirs = { ...firstPlacement(['m1', 'm3']), edition: 7 }
    desk.beforeCommit = async () => {
      desk.beforeCommit = undefined
      await desk.store({ 'partition/0/placement': theirs, 'partition/1/placement': theirs })
    }
    const { code, errors } = await desk.run(`cluster drain --machine m2 ${PLACE}`)
    expect(code).toBe(1)
    expect(errors).toContain('something else has changed meanwhile')
    expect((await placementsIn(desk)).slice(0, 2)).toEqual([theirs, theirs])
  })
})

/** Partition 0 moves from m2 to m3, and nobody does anything. */
async function underWay(
  nodes: readonly string[],
  inSync: readonly string[],
  primary = 'm1',
): Promise<CliDesk> {
  const desk = new CliDesk()
  await FakeMachines.start(desk, THREE, () => false)
  const ports = new Map(THREE.map(({ name, firstPort }) => [name, firstPort]))
  const layout: LayoutDocument = {
    version: 1,
    partitions: 1,
    copies: 2,
    machines: ['m1', 'm2', 'm3'],
    rebuildAfterMs: 600_000,
    cooldownMs: 0,
  }
  await desk.store({
    layout,
    'partition/0/placement': { ...firstPlacement(['m1', 'm3']), leaving: ['m2'] },
    'partition/0/state': stateDocument(primary, inSync),
    'partition/0/leader': leaderDocument(primary),
    'machine/m3': { ...THREE[2]!, held: [{ partition: 0, nodeId: '', state: 'starting' }] },
  })
  for (const name of nodes)
    await desk.store({
      [`node/${name}`]: nodeDocument(name, ports.get(name)!, { opCount: name === 'm3' ? 40 : 100 }),
    })
  return desk
}

describe('causeway cluster status', () => {
  it('shows machines, and that all is well', async () => {
    const desk = await placed()
    const { code, out } = await desk.run(`cluster status ${PLACE}`)
    expect(out).toMatch(/^m1 +a +127\.0\.0\.1:7000 and up +3 +there, controller$/m)
    expect(out).toMatch(/^healthy$/m)
    expect(code).toBe(0)
  })

  it.each([
    [['m1', 'm2'], ['m1', 'm2'], 'm1', 'm3 starts its copy'],
    [['m1', 'm2', 'm3'], ['m1', 'm2'], 'm1', 'm3 has 40 of 100 ops'],
    [['m1', 'm2', 'm3'], ['m1', 'm2', 'm3'], 'm1', 'm2 is about to be let go'],
    [['m1', 'm2', 'm3'], ['m1', 'm2', 'm3'], 'm2', 'm1 is about to become primary in place of m2'],
    [['m2', 'm3'], ['m2', 'm3'], 'm2', 'm1 has not begun its copy'],
    [['m1', 'm3'], ['m1', 'm3'], 'm2', 'nobody is primary'],
  ])('of nodes %j, in sync %j, with primary %s says: %s', async (nodes, inSync, primary, sentence) => {
    const desk = await underWay(nodes, inSync, primary)
    const { out } = await desk.run(`cluster status ${PLACE}`)
    expect(out).toContain(`under way:\n  partition 0: ${sentence}\n`)
  })

  it('is for programs, too', async () => {
    const desk = await placed()
    const { out } = await desk.run(`cluster status --json ${PLACE}`)
    const { machines, moves } = JSON.parse(out)
    expect(machines[0]).toEqual({
      name: 'm1',
      address: '127.0.0.1:7000',
      zone: 'a',
      version: '0.1.0',
      held: [],
      named: 3,
      takesCopies: true,
      isController: true,
    })
    expect(moves).toEqual([])
  })

  it('warns of machines that are away', async () => {
    const desk = await placed()
    await desk.store({ 'machine/m3': undefined })
    const { code, out } = await desk.run(`cluster status ${PLACE}`)
    expect(code).toBe(1)
    expect(out).toMatch(
      /warning: machine m3 is away, and \d copies with it: bring it back, or they are built/,
    )
  })

  it('says what to do with machines that hold nothing', async () => {
    const desk = await deskOf()
    expect((await desk.run(`cluster status ${PLACE}`)).out).toContain(
      "'causeway cluster create' places partitions",
    )
  })
})
