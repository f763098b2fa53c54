/**
 * fleet.ts: regions of several machines with an etcd, as processes of this machine: placed by `causeway cluster`, asked
 * and ended.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Directory } from '../../region-node/cluster/directory.ts'
import { Keys, type NodeDocument } from '../../region-node/cluster/documents.ts'
import { copyOn, type PlacementDocument, PlacingKeys } from '../../region-node/placement/documents.ts'
import { Placing } from '../../region-node/placement/placing.ts'
import { nodeOn } from '../../region-node/placement/steps.ts'
import { CAUSEWAY } from '../project-root.ts'
import { connect } from '../region.ts'
import { agreementOf } from './agreement.ts'
import type { EtcdMembers } from './etcd-members.ts'
import { eventually } from './eventually.ts'
import { type MachinePlan, MachineProcess } from './machine-process.ts'
import type { Address } from './writer.ts'

/** The one that `database-name` has by default. */
const DATABASE = 'causeway'
/** Longest time for everything to be as placements say, on a busy machine. */
const SETTLE_MS_MAX = 180_000
const POLL_MS = 100

const run = promisify(execFile)

/** What the etcd says of one region. */
export interface Knowledge {
  readonly placing: Placing
  readonly directory: Directory
}

/** One node of a partition, found by the documents. */
export class PlacedNode {
  readonly name: string
  readonly document: NodeDocument

  constructor(document: NodeDocument) {
    this.document = document
    this.name = `${document.host}:${document.port}`
  }

  /** Asks this very node, as a client that takes what a replica has. @throws ReplyError */
  async ask(...[name, ...words]: readonly [string, ...string[]]): Promise<unknown> {
    const client = await connect(this.document.port, { host: this.document.host })
    try {
      await client.readonly()
      return await client.call(name, words)
    } finally {
      client.disconnect()
    }
  }
}

export class Fleet {
  readonly etcd: EtcdMembers
  readonly machines: ReadonlyMap<string, readonly MachineProcess[]>
  readonly partitions: number

  /** @param plans  by region */
  constructor(etcd: EtcdMembers, partitions: number, plans: ReadonlyMap<string, readonly MachinePlan[]>) {
    this.etcd = etcd
    this.partitions = partitions
    this.machines = new Map(
      [...plans].map(([region, machines]) => [region, machines.map((plan) => new MachineProcess(plan))]),
    )
  }

  machine(region: string, name: string): MachineProcess {
    const found = this.machines.get(region)?.find((machine) => machine.name === name)
    if (found === undefined) throw new Error(`region ${region} has no machine ${name}`)
    return found
  }

  /** Every address at which a node of the region may ever listen. */
  addressesOf(region: string): readonly Address[] {
    return (this.machines.get(region) ?? []).flatMap(({ plan: { host, firstPort } }) =>
      Array.from({ length: this.partitions }, (_, partition) => ({ host, port: firstPort + partition })),
    )
  }

  /** `causeway cluster`, with the words that say where. @returns what it printed. @throws Error when it fails */
  async cluster(region: string, ...words: readonly string[]): Promise<string> {
    const place = ['--coordinator', this.etcd.endpoints.join(' '), '--region', region]
    const { stdout } = await run(process.execPath, [CAUSEWAY, 'cluster', ...words, ...place])
    return stdout
  }

  async knowledge(region: string): Promise<Knowledge> {
    const keys = new Keys(DATABASE, region)
    const placing = new Placing(new PlacingKeys(keys))
    const directory = new Directory(keys)
    const entries = [...(await this.etcd.read(keys.prefix))].map(([key, value]) => ({
      key,
      value,
      revision: 1,
    }))
    placing.replace({ revision: 1, entries })
    directory.replace({ revision: 1, entries })
    return { placing, directory }
  }

  /** Waits until machines of these names are registered. */
  async registered(region: string, names: readonly string[]): Promise<void> {
    await eventually(`machines ${names.join(', ')} are registered`, SETTLE_MS_MAX, async () => {
      const { placing } = await this.knowledge(region)
      return names.every((name) => placing.machines.has(name)) ? true : undefined
    })
  }

  /** Waits until every copy is where its placement says, in sync, and nothing is left over. */
  async settled(region: string): Promise<void> {
    let why = 'unknown'
    try {
      await eventually(
        `region ${region} is as its placements say`,
        SETTLE_MS_MAX,
        async () => {
          const knowledge = await this.knowledge(region)
          const partitions = Array.from({ length: this.partitions }, (_, partition) => partition)
          why = partitions.map((partition) => unsettled(knowledge, partition)).find((one) => one !== '') ?? ''
          return why === '' ? true : undefined
        },
        POLL_MS,
      )
    } catch (error) {
      throw new Error(`${(error as Error).message}: ${why}`)
    }
  }

  /** The nodes of a partition that are registered, the primary first. */
  async nodesOf(region: string, partition: number): Promise<readonly PlacedNode[]> {
    const { directory } = await this.knowledge(region)
    const leader = directory.of(partition).leader.document?.nodeId
    return [...directory.nodes.values()]
      .filter((node) => node.partition === partition)
      .sort((a, b) => Number(b.nodeId === leader) - Number(a.nodeId === leader))
      .map((node) => new PlacedNode(node))
  }

  async placement(region: string, partition: number): Promise<PlacementDocument> {
    const { placing } = await this.knowledge(region)
    const { document } = placing.placement(partition)
    if (document === undefined) throw new Error(`partition ${partition} of region ${region} is not placed`)
    return document
  }

  /** Waits until all nodes of a partition, in all regions, have applied the same ops. @returns their digests */
  async agree(partition: number): Promise<ReadonlyMap<string, string>> {
    const regions = [...this.machines.keys()]
    const nodes = (await Promise.all(regions.map((region) => this.nodesOf(region, partition)))).flat()
    return agreementOf(nodes, `all nodes of partition ${partition}`, SETTLE_MS_MAX, POLL_MS)
  }

  async stop(): Promise<void> {
    await Promise.all([...this.machines.values()].flat().map((machine) => machine.stop()))
    await this.etcd.end()
  }
}

/** @returns what is not as it should be; '' when all is */
function unsettled({ placing, directory }: Knowledge, partition: number): string {
  const { document: placement } = placing.placement(partition)
  const { state, leader } = directory.of(partition)
  const { inSync = [], members = [] } = state.document ?? {}
  if (placement === undefined) return `partition ${partition} is not placed`
  if (leader.document === undefined) return `partition ${partition} has no primary`
  if (placement.leaving.length > 0) return `${placement.leaving.join(', ')} leave partition ${partition}`
  const nodes = placement.machines.map((name) =>
    nodeOn({ placing }, name, partition, directory.nodes.values()),
  )
  const ids = nodes.map((node) => node?.nodeId ?? '').sort()
  if (ids.join() !== [...inSync].sort().join())
    return `of partition ${partition} are in sync only ${inSync.join(', ')}`
  if (ids.join() !== [...members].sort().join())
    return `partition ${partition} still counts ${members.join(', ')}`
  const others = [...placing.machines.values()].filter(
    (machine) => copyOn(machine, partition) !== undefined && !placement.machines.includes(machine.name),
  )
  if (others.length > 0)
    return `${others.map(({ name }) => name).join(', ')} still hold partition ${partition}`
  return ''
}
