/**
 * fake-machines.ts: machines that do what placements say, in no time, on the documents of a `CliDesk`.
 */
import type { StateDocument } from '../../region-node/cluster/documents.ts'
import {
  decodePlacement,
  type MachineDocument,
  type PlacementDocument,
  PlacingKeys,
} from '../../region-node/placement/documents.ts'
import { type CliDesk, leaderDocument, nodeDocument, stateDocument } from './cli-run.ts'

export function machineDocument(name: string, firstPort: number, zone = ''): MachineDocument {
  return { name, zone, host: '127.0.0.1', firstPort, version: '0.1.0', held: [] }
}

export class FakeMachines {
  readonly #desk: CliDesk
  readonly #keys: PlacingKeys
  readonly #machines: readonly MachineDocument[]
  /** Partitions that are carried out, of all that are written. */
  readonly #obeys: (partition: number) => boolean
  /** What it is about to do. */
  #done: Promise<void> = Promise.resolve()

  private constructor(
    desk: CliDesk,
    machines: readonly MachineDocument[],
    obeys: (partition: number) => boolean,
  ) {
    this.#desk = desk
    this.#keys = new PlacingKeys(desk.keys)
    this.#machines = machines
    this.#obeys = obeys
  }

  static async start(
    desk: CliDesk,
    machines: readonly MachineDocument[],
    obeys: (partition: number) => boolean = () => true,
  ): Promise<FakeMachines> {
    const all = new FakeMachines(desk, machines, obeys)
    for (const machine of machines) await desk.store({ [`machine/${machine.name}`]: machine })
    await desk.store({ controller: { name: machines[0]!.name } })
    desk.coordinator.watch(desk.keys.prefix, 0, {
      changed: (events) => {
        for (const { key, value } of events) all.#changed(key, value)
      },
      lost: () => {},
    })
    return all
  }

  /** Whatever was written until now is done. */
  async settled(): Promise<void> {
    let before: Promise<void> | undefined
    while (before !== this.#done) {
      before = this.#done
      await before
    }
  }

  #changed(key: string, value: string | undefined): void {
    const meaning = this.#keys.meaning(key)
    if (meaning?.kind !== 'placement' || value === undefined || !this.#obeys(meaning.partition)) return
    const placement = decodePlacement(value)!
    this.#done = this.#done.then(() => this.#obey(meaning.partition, placement))
  }

  async #obey(partition: number, placement: PlacementDocument): Promise<void> {
    const { machines, leaving } = placement
    const idOf = (name: string): string => `${name}-${partition}`
    const nodes = this.#machines.map(({ name, firstPort, zone }) => {
      const node = nodeDocument(idOf(name), firstPort + partition, { partition, zone })
      return [`node/${node.nodeId}`, machines.includes(name) ? node : undefined] as const
    })
    const state: StateDocument = stateDocument(idOf(machines[0]!), machines.map(idOf))
    await this.#desk.store({
      ...Object.fromEntries(nodes),
      [`partition/${partition}/state`]: state,
      [`partition/${partition}/leader`]: leaderDocument(idOf(machines[0]!)),
    })
    if (leaving.length > 0)
      await this.#desk.store({ [`partition/${partition}/placement`]: { ...placement, leaving: [] } })
  }
}
