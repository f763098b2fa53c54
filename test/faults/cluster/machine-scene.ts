/**
 * machine-scene.ts: regions of several machines with an etcd, clients that write to each partition by itself, and what
 * must hold in the end: everything acknowledged is on every copy, in every region.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EtcdMembers } from '../../../compose/cluster/etcd-members.ts'
import { eventually } from '../../../compose/cluster/eventually.ts'
import { Fleet } from '../../../compose/cluster/fleet.ts'
import type { MachinePlan, MachineProcess } from '../../../compose/cluster/machine-process.ts'
import { ClusterWriter } from '../../../compose/cluster/writer.ts'
import { partitionOf } from '../../../region-node/cluster/topology.ts'
import { slotOf } from '../../../region-node/engine/slot.ts'
import { freePortRun, freePorts } from '../../harness/free-ports.ts'
import type { AckMode, Report } from './trial.ts'

const ADDRESS = '127.0.0.1'
const SYNC_SECRET = 'of machines of one machine'
/** Eight nodes and more share this one. */
const MAXMEMORY = '256mb'
/** Writes of one writer that are on their way at a time: there are several writers. */
const LANES = 3
/** Longest time for a change of placements to be heard of. */
const SOON_MS = 60_000

/** Zones of the machines of each region. */
export type Shape = ReadonlyMap<string, readonly string[]>

export class MachineScene {
  readonly fleet: Fleet
  readonly #folder: string
  readonly #writers = new Map<ClusterWriter, { readonly region: string; readonly partition: number }>()
  readonly #failures: string[] = []
  readonly #remarks: string[] = []
  #windowMs: number | undefined
  #errors = 0

  private constructor(fleet: Fleet, folder: string) {
    this.fleet = fleet
    this.#folder = folder
  }

  /** Starts the etcd, and no machine yet. */
  static async open(shape: Shape, partitions: number, ack: AckMode): Promise<MachineScene> {
    const folder = mkdtempSync(join(tmpdir(), 'causeway-machines-'))
    const etcd = new EtcdMembers(folder, await freePorts(2))
    const firstPorts = new Map<string, readonly number[]>()
    for (const [region, zones] of shape)
      firstPorts.set(region, await Promise.all(zones.map(() => freePortRun(partitions))))
    const plans = new Map<string, readonly MachinePlan[]>()
    for (const [at, region] of [...shape.keys()].entries()) {
      const peers = [...shape.keys()].filter((other) => other !== region)
      const words = [
        ...['--region', region, '--region-id', String(at + 1), '--sync-secret', SYNC_SECRET],
        ...['--coordinator', etcd.endpoints.join(' '), '--maxmemory', MAXMEMORY, '--replica-ack', ack],
        ...peers.flatMap((peer) => peersOf(peer, firstPorts.get(peer)!, partitions)),
      ]
      plans.set(
        region,
        shape.get(region)!.map((zone, index) => ({
          ...{ name: `${region.toLowerCase()}${index + 1}`, zone, host: ADDRESS },
          ...{ firstPort: firstPorts.get(region)![index]!, folder, words },
        })),
      )
    }
    etcd.launchAll()
    const scene = new MachineScene(new Fleet(etcd, partitions, plans), folder)
    try {
      await etcd.serves()
    } catch (error) {
      await scene.close()
      throw error
    }
    return scene
  }

  /** Starts machines, and places the partitions on them. @param names  all of the region, or these */
  async place(
    region: string,
    copies: number,
    names?: readonly string[],
    ...words: readonly string[]
  ): Promise<void> {
    const { fleet } = this
    const all = (fleet.machines.get(region) ?? []).filter(({ name }) => names?.includes(name) ?? true)
    for (const machine of all) machine.launch()
    const chosen = all.map(({ name }) => name)
    await fleet.registered(region, chosen)
    await fleet.cluster(
      region,
      ...['create', '--partitions', String(fleet.partitions), '--copies', String(copies)],
      ...['--machines', chosen.join(','), ...words],
    )
    await fleet.settled(region)
  }

  /** A client that writes to one partition from now on. */
  async writer(region: string, partition: number): Promise<ClusterWriter> {
    const name = `{${tagOf(partition, this.fleet.partitions)}}${region}`
    const writer = new ClusterWriter(name, this.fleet.addressesOf(region), LANES)
    this.#writers.set(writer, { region, partition })
    await writer.start()
    return writer
  }

  /** The machine that the primary of a partition is on. */
  async primaryOf(region: string, partition: number): Promise<MachineProcess> {
    return eventually(`partition ${partition} has a primary`, SOON_MS, async () => {
      const { directory } = await this.fleet.knowledge(region)
      const node = directory.nodes.get(directory.of(partition).leader.document?.nodeId ?? '')
      return this.fleet.machines
        .get(region)
        ?.find(({ plan }) => plan.host === node?.host && plan.firstPort + partition === node.port)
    })
  }

  expect(holds: boolean, sentence: string): void {
    if (!holds) this.#failures.push(sentence)
  }

  remark(sentence: string): void {
    this.#remarks.push(sentence)
  }

  /** Waits until a client is answered, and notes how long it was not. @param limitMs  what was promised */
  async window(writer: ClusterWriter, fromMs: number, limitMs: number): Promise<void> {
    const answeredMs = await writer.acknowledgesAfter(performance.now())
    const gapMs = writer.longestGapMs(fromMs, answeredMs)
    this.#windowMs = Math.max(this.#windowMs ?? 0, gapMs)
    const errors = writer.errorsSince(fromMs)
    this.#errors += errors.length
    for (const sentence of new Set(errors)) this.remark(`a client was told: ${sentence}`)
    const { region, partition } = this.#writers.get(writer)!
    const where = `partition ${partition} of ${region}`
    this.expect(
      gapMs <= limitMs,
      `no answer of ${where} for ${Math.round(gapMs)} ms, promised are ${limitMs} ms`,
    )
  }

  /** Stops the clients, and looks at every copy of what they wrote to. */
  async conclude(): Promise<Report> {
    const writers = [...this.#writers.keys()]
    await Promise.all(writers.map((writer) => writer.stop()))
    const lost = new Set<string>()
    try {
      for (const region of this.fleet.machines.keys()) await this.fleet.settled(region)
      for (const partition of new Set([...this.#writers.values()].map((one) => one.partition)))
        await this.#look(partition, lost)
      this.expect(lost.size === 0, `${lost.size} acknowledged writes are lost`)
    } catch (error) {
      this.expect(false, (error as Error).message)
    }
    const acknowledged = writers.reduce((sum, writer) => sum + writer.acknowledged.length, 0)
    return {
      ...{ windowMs: this.#windowMs, errors: this.#errors, acknowledged, found: acknowledged - lost.size },
      ...{ failures: this.#failures, remarks: this.#remarks },
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#writers.keys()].map((writer) => writer.stop()))
    await this.fleet.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** @param lost  acknowledged writes that some copy lacks are added to it */
  async #look(partition: number, lost: Set<string>): Promise<void> {
    const digests = await this.fleet.agree(partition)
    this.expect(new Set(digests.values()).size === 1, `digests differ: ${[...digests].join(' ')}`)
    const writers = [...this.#writers]
      .filter(([, of]) => of.partition === partition)
      .map(([writer]) => writer)
    for (const region of this.fleet.machines.keys())
      for (const node of await this.fleet.nodesOf(region, partition))
        for (const writer of writers) {
          for (const member of await writer.missingAt(node)) lost.add(`${writer.name} ${member}`)
          const miscount = await writer.miscountAt(node)
          if (miscount !== undefined) this.expect(false, miscount)
        }
  }
}

function peersOf(region: string, firstPorts: readonly number[], partitions: number): string[] {
  return firstPorts.flatMap((firstPort) =>
    Array.from({ length: partitions }, (_, partition) => [
      '--peer',
      `${region}@ws://${ADDRESS}:${firstPort + partition}`,
    ]).flat(),
  )
}

/** A word in braces that keys of that partition can have. */
function tagOf(partition: number, partitions: number): string {
  for (let at = 0; ; at++) if (partitionOf(slotOf(`t${at}`), partitions) === partition) return `t${at}`
}
