/**
 * machine-faults.ts: copies that move between machines, and machines that are lost with all their nodes, under load.
 */
import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { eventually } from '../../../compose/cluster/eventually.ts'
import { MachineScene, type Shape } from './machine-scene.ts'
import type { FaultTitle, Report } from './trial.ts'

const PARTITIONS = 4
const COPIES = 2
/** A moved primary hands over once. */
const MOVE_MS_MAX = 1000
/** A machine or its network lost. */
const LOSS_MS_MAX = 5000
const REBUILD_AFTER_S = 5
/** Writes that a moved copy brings along. */
const LOAD_MS = 5000
const SOON_MS = 120_000

export interface MachineFault extends FaultTitle {
  readonly shape: Shape
  readonly run: (scene: MachineScene) => Promise<void>
}

const THREE: Shape = new Map([['A', ['zone-1', 'zone-2', 'zone-3']]])

/** A partition under load moves to the machine that has none of it. */
export const MOVED: MachineFault = {
  ...{
    number: '21a',
    fault: 'a partition moves',
    done: 'cluster move of a primary, under load',
    ack: 'sync',
  },
  shape: THREE,
  run: async (scene) => {
    const { fleet } = scene
    await scene.place('A', COPIES)
    const writer = await scene.writer('A', 0)
    await scene.writer('A', 1)
    await delay(LOAD_MS)
    const { from, to } = await wayOf(scene)
    const beganMs = performance.now()
    await fleet.cluster('A', 'move', '--partition', '0', '--from', from.name, '--to', to.name)
    await fleet.settled('A')
    scene.remark(`the move took ${seconds(performance.now() - beganMs)}`)
    await scene.window(writer, beganMs, MOVE_MS_MAX)
    const { machines } = await fleet.placement('A', 0)
    scene.expect(machines.includes(to.name) && !machines.includes(from.name), 'the partition is not there')
    scene.expect(!existsSync(from.folderOf(0)), `${from.name} still has a folder of partition 0`)
  },
}

/** The same, while the processes of all machines are killed one after another. */
export const MOVED_THROUGH_CRASHES: MachineFault = {
  number: '21b',
  fault: 'machine processes die while a partition moves',
  done: 'kill -9 of each of the three, one after another, at once started again',
  ack: 'sync',
  shape: THREE,
  run: async (scene) => {
    const { fleet } = scene
    await scene.place('A', COPIES)
    await scene.writer('A', 0)
    await delay(LOAD_MS)
    const { from, to } = await wayOf(scene)
    const moved = fleet.cluster('A', 'move', '--partition', '0', '--from', from.name, '--to', to.name)
    for (const machine of fleet.machines.get('A')!) {
      await machine.crash()
      machine.launch()
      await delay(2000)
    }
    await moved
    await fleet.settled('A')
    const { machines } = await fleet.placement('A', 0)
    scene.expect(machines.includes(to.name) && !machines.includes(from.name), 'the partition is not there')
  },
}

/** A machine goes with everything on it, is replaced, and comes back with what it had. */
export const MACHINE_LOST: MachineFault = {
  number: '23b',
  fault: 'a machine is lost, and comes back',
  done: `kill -9 of all its processes; started again when its copies were rebuilt elsewhere, after ${REBUILD_AFTER_S} s`,
  ack: 'sync',
  shape: THREE,
  run: async (scene) => {
    const { fleet } = scene
    await scene.place('A', COPIES, undefined, '--rebuild-after', `${REBUILD_AFTER_S}s`)
    const writer = await scene.writer('A', 0)
    await delay(LOAD_MS)
    const lost = await scene.primaryOf('A', 0)
    const held = partitionsOn(lost.folderOf.bind(lost))
    const lostMs = performance.now()
    await lost.lose()
    await scene.window(writer, lostMs, LOSS_MS_MAX)
    await eventually('its copies are rebuilt', SOON_MS, async () => {
      const { placing } = await fleet.knowledge('A')
      const placements = held.map((partition) => placing.placement(partition).document)
      return placements.every((one) => one?.machines.includes(lost.name) === false) ? true : undefined
    })
    await fleet.settled('A')
    scene.remark(`${held.length} copies were rebuilt after ${seconds(performance.now() - lostMs)}`)
    scene.expect(
      held.every((partition) => existsSync(lost.folderOf(partition))),
      'its copies are gone too soon',
    )
    const backMs = performance.now()
    lost.launch()
    await fleet.registered('A', [lost.name])
    await fleet.settled('A')
    scene.remark(`it was taken back and let go after ${seconds(performance.now() - backMs)}`)
    scene.expect(
      !held.some((partition) => existsSync(lost.folderOf(partition))),
      'it keeps copies that nobody needs',
    )
  },
}

/** One region is placed over two machines, then three, then one, while another region stays as it is. */
export const PLACED_ANEW: MachineFault = {
  number: '22',
  fault: 'a region over 2, then 3, then 1 machines',
  done: 'add-node and rebalance, then drain of two, under load of both regions',
  ack: 'sync',
  shape: new Map([
    ['A', ['zone-1', 'zone-2', 'zone-3']],
    ['B', ['zone-1', 'zone-2']],
  ]),
  run: async (scene) => {
    const { fleet } = scene
    await scene.place('A', 1, ['a1', 'a2'])
    await scene.place('B', 1)
    const writers = await Promise.all(
      ['A', 'B'].flatMap((region) => [0, 1, 2, 3].map((partition) => scene.writer(region, partition))),
    )
    await delay(LOAD_MS)
    const beganMs = performance.now()
    fleet.machine('A', 'a3').launch()
    await fleet.registered('A', ['a3'])
    await fleet.cluster('A', 'add-node', '--machine', 'a3')
    await fleet.cluster('A', 'rebalance')
    await fleet.settled('A')
    scene.expect(
      partitionsOn(fleet.machine('A', 'a3').folderOf.bind(fleet.machine('A', 'a3'))).length > 0,
      'a3 has nothing',
    )
    for (const name of ['a2', 'a3']) {
      await fleet.cluster('A', 'drain', '--machine', name)
      await fleet.settled('A')
      await fleet.machine('A', name).stop()
    }
    scene.remark(`all of it took ${seconds(performance.now() - beganMs)}`)
    for (const writer of writers) await scene.window(writer, beganMs, LOSS_MS_MAX)
  },
}

export const MACHINE_FAULTS: readonly MachineFault[] = [
  MOVED,
  MOVED_THROUGH_CRASHES,
  PLACED_ANEW,
  MACHINE_LOST,
]

export async function tryOnMachines({ shape, ack, run }: MachineFault): Promise<Report> {
  const scene = await MachineScene.open(shape, PARTITIONS, ack)
  try {
    try {
      await run(scene)
    } catch (error) {
      scene.expect(false, (error as Error).message)
    }
    return await scene.conclude()
  } finally {
    await scene.close()
  }
}

/** From where to where partition 0 moves: its primary, to the machine that has none of it. */
async function wayOf(scene: MachineScene) {
  const { fleet } = scene
  const { machines } = await fleet.placement('A', 0)
  const from = await scene.primaryOf('A', 0)
  const to = fleet.machines.get('A')!.find(({ name }) => !machines.includes(name))!
  return { from, to }
}

function partitionsOn(folderOf: (partition: number) => string): number[] {
  return Array.from({ length: PARTITIONS }, (_, partition) => partition).filter((one) =>
    existsSync(folderOf(one)),
  )
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
