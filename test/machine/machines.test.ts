/**
 * machines.test.ts: machines, the nodes on them and the controller in virtual time, with what may happen to them.
 */
import { describe, expect, it } from 'vitest'
import type { StoreImage } from '../../region-node/coordinator/document-store.ts'
import { FETCHES_MAX } from '../../region-node/machine/copies.ts'
import { Prng } from '../harness/prng.ts'
import { type FakeMachine, FakeMachines } from './fake-machines.ts'

/** Of each partition; fewer of them use the first ones. */
const PLACED = [
  ['m0', 'm1'],
  ['m1', 'm2'],
]

/** Two partitions of two copies on three machines, all as it should be. */
function settled(...[options]: ConstructorParameters<typeof FakeMachines>): FakeMachines {
  const world = new FakeMachines(options)
  world.create(PLACED.slice(0, world.options.partitions))
  world.startAll()
  settle(world)
  return world
}

function settle(world: FakeMachines, ms = 240_000): void {
  const tookMs = world.until(() => world.isSettled, ms)
  expect(tookMs, `${world.notes.slice(-60).join('\n')}\n`).toBeLessThan(Number.POSITIVE_INFINITY)
  expect(world.allFaults).toEqual([])
}

const startsOf = (world: FakeMachines): readonly number[] => world.machines.map(({ starts }) => starts)
const machinesOf = (world: FakeMachines, partition: number): readonly string[] =>
  [...world.placement(partition).machines].sort()

function controllerOf(world: FakeMachines): FakeMachine | undefined {
  const { document } = world.documents.placing.controller
  return document === undefined ? undefined : world.machine(document.name)
}

describe('machines', () => {
  it('run the nodes that placements name them for, once each', () => {
    const world = settled()
    world.advance(60_000)
    expect(startsOf(world)).toEqual([1, 2, 1])
    expect(world.discarded).toEqual([])
  })

  it('say what they hold', () => {
    const world = settled()
    world.advance(1000)
    const { machines } = world.documents.placing
    const held = [...machines.values()].map((machine) => [
      machine.name,
      machine.held.map(({ partition, state }) => `${partition} ${state}`),
    ])
    expect(Object.fromEntries(held)).toEqual({
      m0: ['0 running'],
      m1: ['0 running', '1 running'],
      m2: ['1 running'],
    })
  })

  it('start a node again that dies, later each time, and say so when that does not help', () => {
    const world = settled({ rebuildAfterMs: 600_000 })
    const m0 = world.machine('m0')
    m0.isBroken = true
    world.crashNode(m0, 0)
    world.advance(14_000)
    const { starts } = m0
    expect(starts).toBeGreaterThan(4)
    expect(starts).toBeLessThan(8)
    world.advance(5000)
    const held = world.documents.placing.machines.get('m0')!.held
    expect(held).toMatchObject([{ partition: 0, state: 'failed' }])
    m0.isBroken = false
    settle(world)
    // Believed when it has run for a while.
    world.advance(20_000)
    expect(world.documents.placing.machines.get('m0')!.held).toMatchObject([{ state: 'running' }])
  })

  it('go on when the coordinator is away: nothing starts, ends or is deleted', () => {
    const world = settled()
    const before = startsOf(world)
    world.store.halt()
    world.advance(60_000)
    expect(startsOf(world)).toEqual(before)
    expect(world.machines.map(({ lives }) => lives.size)).toEqual([1, 2, 1])
    world.store.goOn()
    settle(world)
    world.advance(60_000)
    expect(startsOf(world)).toEqual(before)
    expect(world.discarded).toEqual([])
  })

  it('start nothing under a name that another machine has', () => {
    const world = settled()
    const twin = world.makeTwin('m0', 'host-twin')
    world.start(twin)
    world.advance(20_000)
    expect(twin.starts).toBe(0)
    expect(world.isSettled).toBe(true)
  })

  it('take over from the nodes that a former life has left, and never run two', () => {
    const world = settled()
    const m1 = world.machine('m1')
    world.crashSupervisor(m1)
    // At once: the former nodes are still on their way to their end.
    world.start(m1)
    settle(world)
    expect(m1.lives.size).toBe(2)
    expect(world.discarded).toEqual([])
  })
})

describe('a move', () => {
  it('brings the copy and the primary over, and deletes the one that was left', () => {
    const world = settled()
    const left = world.machine('m0').disks.get(0)!.nodeId
    world.move(0, ['m2', 'm1'])
    settle(world)
    expect(world.discarded).toEqual([left])
    expect(world.machine('m0').disks.size).toBe(0)
    expect(world.until(() => world.primaryOf(0)?.name === 'm2')).toBeLessThan(90_000)
  })

  it('comes to its end whichever step the controller dies in', () => {
    for (let step = 1; step <= 4; step++) {
      const world = settled()
      let placements = 0
      world.placed = () => {
        placements++
        const controller = controllerOf(world)
        // The commit has happened; whoever made it never hears so.
        if (placements === step && controller !== undefined) world.crashSupervisor(controller)
      }
      world.move(0, ['m2', 'm1'])
      world.move(1, ['m0', 'm1'])
      world.until(() => placements >= step)
      world.advance(5000)
      world.placed = () => {}
      world.startAll()
      settle(world)
      expect(machinesOf(world, 0)).toEqual(['m1', 'm2'])
      expect(machinesOf(world, 1)).toEqual(['m0', 'm1'])
    }
  })

  it('waits while the machine that the copy moves to is away, and goes on with it', () => {
    const world = settled({ rebuildAfterMs: 600_000 })
    const m2 = world.machine('m2')
    world.crash(m2)
    world.move(0, ['m2', 'm1'])
    world.advance(60_000)
    expect(world.machine('m0').disks.has(0)).toBe(true)
    expect(world.discarded).toEqual([])
    world.start(m2)
    settle(world)
    expect(world.machine('m0').disks.has(0)).toBe(false)
  })

  it('back to a machine that has not heard yet that it was left keeps its copy', () => {
    const world = settled()
    const { nodeId } = world.machine('m0').disks.get(0)!
    world.placed = (partition, { released }) => {
      if (released.length === 0) return
      world.placed = () => {}
      world.move(partition, ['m0', 'm1'])
    }
    world.move(0, ['m2', 'm1'])
    world.until(() => world.placement(0).released.length > 0)
    settle(world)
    expect(world.machine('m0').disks.get(0)!.nodeId).toBe(nodeId)
  })
})

describe('many moves', () => {
  it('to one machine are fetched few at one time', () => {
    const world = new FakeMachines({ partitions: 6 })
    world.create(Array.from({ length: 6 }, () => ['m0', 'm1']))
    world.startAll()
    settle(world)
    // The preferred primaries have taken over, and say how much they have.
    world.advance(120_000)
    const m2 = world.machine('m2')
    const fetching = (): number => {
      const { directory } = world.documents
      const isInSync = ({ partition, disk }: { partition: number; disk: { nodeId: string } }): boolean =>
        directory.of(partition).state.document!.inSync.includes(disk.nodeId)
      return [...m2.lives.values()].filter((life) => !isInSync(life)).length
    }
    for (let partition = 0; partition < 6; partition++) world.move(partition, ['m0', 'm2'])
    let most = 0
    world.until(() => {
      most = Math.max(most, fetching())
      return world.isSettled
    })
    settle(world)
    expect(most).toBe(FETCHES_MAX)
    expect(m2.starts).toBe(6)
  })
})

describe('a copy that was released', () => {
  it('is kept when it was promoted before its machine heard of that', () => {
    const world = settled({ rebuildAfterMs: 600_000 })
    const m0 = world.machine('m0')
    const { nodeId } = m0.disks.get(0)!
    world.placed = (_, { released }) => {
      if (released.length === 0) return
      world.placed = () => {}
      // Its machine hears nothing, its node does, and those that are to stay die.
      m0.supervisor!.gate.cut()
      for (const name of ['m1', 'm2']) {
        world.machine(name).isBroken = true
        world.crashNode(world.machine(name), 0)
      }
    }
    world.move(0, ['m2', 'm1'])
    world.until(() => world.machine('m2').isBroken && world.primaryOf(0) === m0)
    world.advance(10_000)
    m0.supervisor!.gate.heal()
    world.advance(30_000)
    expect(world.discarded).toEqual([])
    for (const name of ['m1', 'm2']) world.machine(name).isBroken = false
    settle(world)
    expect(world.discarded).toContain(nodeId)
  })

  it('is kept while one of those that are to have a copy is away', () => {
    const world = settled({ rebuildAfterMs: 600_000 })
    const m0 = world.machine('m0')
    const { nodeId } = m0.disks.get(0)!
    world.placed = (_, { released }) => {
      if (released.length === 0) return
      world.placed = () => {}
      m0.supervisor!.gate.cut()
    }
    world.advance(40_000)
    world.move(0, ['m2', 'm1'])
    world.until(() => world.placement(0).released.length > 0)
    const replica = ['m1', 'm2'].map((name) => world.machine(name)).find((one) => one !== world.primaryOf(0))!
    world.crash(replica)
    world.advance(5000)
    m0.supervisor!.gate.heal()
    world.advance(60_000)
    expect(world.placement(0).released).toMatchObject([{ nodeId }])
    expect(world.discarded).toEqual([])
    world.start(replica)
    settle(world)
    expect(world.discarded).toEqual([nodeId])
  })
})

describe('a controller', () => {
  it('that is started anew goes on at once, by its former lease or not', () => {
    const world = settled({ zones: ['z1', 'z2'], partitions: 1 })
    const controller = controllerOf(world)!
    const { revision } = world.documents.placing.controller
    world.crashSupervisor(controller)
    world.start(controller)
    expect(world.until(() => world.documents.placing.controller.revision > revision)).toBeLessThan(2000)
  })
})

describe('a machine that is lost', () => {
  it('is replaced after the time, and taken back and let go when it returns', () => {
    const world = settled()
    const m0 = world.machine('m0')
    const { nodeId } = m0.disks.get(0)!
    world.crash(m0)
    world.advance(15_000)
    expect(machinesOf(world, 0)).toEqual(['m0', 'm1'])
    expect(world.until(() => world.placement(0).machines.includes('m2'))).toBeLessThan(15_000)
    world.until(() => world.documents.directory.of(0).state.document!.inSync.length === 2)
    expect(world.discarded).toEqual([])
    const placements: string[] = []
    world.placed = (partition, { leaving }) => {
      if (partition === 0) placements.push(leaving.join())
    }
    world.start(m0)
    settle(world)
    expect(placements).toEqual(['m0', ''])
    expect(world.discarded).toEqual([nodeId])
  })

  it('is taken back also when only its way to the coordinator was lost', () => {
    const world = settled()
    const replica = ['m0', 'm1'].map((name) => world.machine(name)).find((one) => one !== world.primaryOf(0))!
    const { nodeId } = replica.disks.get(0)!
    world.cut(replica)
    expect(world.until(() => world.placement(0).machines.includes('m2'))).toBeLessThan(40_000)
    expect(replica.lives.has(0)).toBe(true)
    world.heal(replica)
    settle(world)
    expect(world.discarded).toContain(nodeId)
  })

  it('is not replaced again before the cool-down is over', () => {
    const world = settled({ zones: ['z1', 'z2', 'z3', 'z4'] })
    world.crash(world.machine('m0'))
    world.until(() => !world.placement(0).machines.includes('m0'))
    const [onto] = world.placement(0).machines.filter((name) => name !== 'm1')
    world.crash(world.machine(onto!))
    world.advance(50_000)
    expect(world.placement(0).machines).toContain(onto)
    expect(world.until(() => !world.placement(0).machines.includes(onto!))).toBeLessThan(60_000)
  })

  it('is not replaced while nobody hears of the coordinator', () => {
    const world = settled()
    world.crash(world.machine('m0'))
    world.advance(10_000)
    world.store.halt()
    world.advance(100_000)
    world.store.goOn()
    world.advance(5000)
    expect(machinesOf(world, 0)).toEqual(['m0', 'm1'])
  })
})

describe('a coordinator that is put back from a backup', () => {
  it('of before a move costs no copy, and the move is undone in order', () => {
    const world = settled()
    const image = world.backUp()
    world.move(0, ['m2', 'm1'])
    settle(world)
    const after = world.discarded.length
    const { starts } = world.machine('m2')
    world.restore(image)
    // The new copy is named by no placement now, and may be the only one with what was written since: it goes on.
    expect(world.until(() => world.placement(0).leaving.includes('m2'))).toBeLessThan(10_000)
    expect(world.machine('m2').lives.has(0)).toBe(true)
    expect(world.discarded.length).toBe(after)
    settle(world)
    expect(world.machine('m2').starts).toBe(starts)
    expect(machinesOf(world, 0)).toEqual(['m0', 'm1'])
  })

  it('of the middle of a move ends the move', () => {
    const world = settled()
    world.move(0, ['m2', 'm1'])
    const image = world.backUp()
    settle(world)
    world.restore(image)
    settle(world)
    expect(machinesOf(world, 0)).toEqual(['m1', 'm2'])
  })

  /** A copy of partition 0 on m0 that was released, and promoted before m0 heard of it; and a backup from between. */
  function promotedAfterRelease(): { world: FakeMachines; m0: FakeMachine; image: StoreImage } {
    const world = settled({ rebuildAfterMs: 600_000 })
    // Long enough for machines to believe what they hear.
    world.advance(40_000)
    const m0 = world.machine('m0')
    let image = world.backUp()
    world.placed = (_, { released }) => {
      if (released.length === 0) return
      world.placed = () => {}
      image = world.backUp()
      m0.supervisor!.gate.cut()
      for (const name of ['m1', 'm2']) {
        world.machine(name).isBroken = true
        world.crashNode(world.machine(name), 0)
      }
    }
    world.move(0, ['m2', 'm1'])
    world.until(() => world.machine('m2').isBroken && world.primaryOf(0) === m0)
    // Acknowledged by this copy, and by nobody else.
    world.advance(20_000)
    for (const name of ['m1', 'm2']) world.machine(name).isBroken = false
    return { world, m0, image }
  }

  it('to just after a release costs nothing, when the copy was promoted since', () => {
    const { world, m0, image } = promotedAfterRelease()
    world.restore(image)
    m0.supervisor!.gate.heal()
    // Taken back, so that it hands up what it has.
    expect(world.until(() => world.placement(0).leaving.includes('m0'))).toBeLessThan(30_000)
    expect(world.discarded).toEqual([])
    settle(world)
  })

  it('likewise costs no copy when its machine is started anew', () => {
    const { world, m0, image } = promotedAfterRelease()
    world.crash(m0)
    world.restore(image)
    world.start(m0)
    expect(world.until(() => world.placement(0).leaving.includes('m0'))).toBeLessThan(30_000)
    expect(world.discarded).toEqual([])
  })

  it('of before everything starts no deletion', () => {
    const world = new FakeMachines()
    const image = world.backUp()
    world.create(PLACED)
    world.startAll()
    settle(world)
    world.restore(image)
    world.advance(60_000)
    expect(world.discarded).toEqual([])
    expect(world.machines.map(({ lives }) => lives.size)).toEqual([1, 2, 1])
  })
})

describe('whatever happens to machines while copies move', () => {
  const HAPPENINGS: Readonly<
    Record<string, (world: FakeMachines, machine: FakeMachine, prng: Prng) => void>
  > = {
    crash: (world, machine) => world.crash(machine),
    'crash of the machine process': (world, machine) => world.crashSupervisor(machine),
    'crash of a node': (world, machine, prng) => world.crashNode(machine, prng.below(2)),
    cut: (world, machine) => world.cut(machine),
    heal: (world, machine) => world.heal(machine),
    start: (world) => world.startAll(),
    halt: (world) => world.store.halt(),
    'go on': (world) => world.store.goOn(),
  }

  it.each(Array.from({ length: 24 }, (_, at) => at + 1))('nothing acknowledged is lost: seed %i', (seed) => {
    const world = settled({ seed, zones: ['z1', 'z2', 'z3', 'z1'], cooldownMs: 5000 })
    const prng = new Prng(seed)
    const names = Object.keys(HAPPENINGS)
    for (let at = 0; at < 12; at++) {
      const partition = prng.below(2)
      const others = world.machines.map(({ name }) => name).sort(() => prng.random() - 0.5)
      if (prng.random() < 0.4 && !world.store.isHalted) world.move(partition, others.slice(0, 2))
      const name = names[prng.below(names.length)]!
      const machine = world.machines[prng.below(world.machines.length)]!
      world.note(`${name} ${machine.name}`)
      HAPPENINGS[name]!(world, machine, prng)
      world.advance(prng.random() * 15_000)
    }
    if (world.store.isHalted) world.store.goOn()
    for (const machine of world.machines) world.heal(machine)
    world.startAll()
    settle(world)
  })
})
