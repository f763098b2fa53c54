/**
 * cluster.ts: regions of several nodes with an etcd, as processes of this machine: started, asked and ended.
 *
 * Who is primary is asked of the nodes themselves and of the etcd: they have to say the same.
 */
import { decodeLeader, decodeNode, decodeState, Keys } from '../../region-node/cluster/documents.ts'
import { agreementOf } from './agreement.ts'
import { ClusterNode } from './cluster-node.ts'
import type { NodePlan } from './cluster-plan.ts'
import type { EtcdMembers } from './etcd-members.ts'
import { eventually } from './eventually.ts'

/** The one that `database-name` has by default. */
const DATABASE = 'causeway'
/** The only one a region has. */
const PARTITION = 0
/** Longest time for an election, a restart and what was missed to be fetched. */
const SETTLE_MS_MAX = 90_000
const POLL_MS = 50

/** A region as its etcd has it. */
export interface Standing {
  readonly term: number
  /** By name, not by node id. */
  readonly leader: string | undefined
  readonly leaseId: string | undefined
  readonly inSync: readonly string[]
}

export class Cluster {
  readonly etcd: EtcdMembers
  readonly nodes: readonly ClusterNode[]

  constructor(etcd: EtcdMembers, plans: readonly NodePlan[]) {
    this.etcd = etcd
    this.nodes = plans.map((plan) => new ClusterNode(plan))
  }

  /** Starts everything. @param began  told of each node that serves */
  async start(began: (node: ClusterNode) => void = () => {}): Promise<void> {
    this.etcd.launchAll()
    await this.etcd.serves()
    await Promise.all(this.nodes.map((node) => node.process.start().then(() => began(node))))
    await this.settle()
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.process.stop()))
    await this.etcd.end()
  }

  get regions(): readonly string[] {
    return [...new Set(this.nodes.map(({ plan }) => plan.region))]
  }

  nodesOf(region: string): readonly ClusterNode[] {
    return this.nodes.filter(({ plan }) => plan.region === region)
  }

  node(name: string): ClusterNode {
    const found = this.nodes.find((node) => node.name === name)
    if (found === undefined) throw new Error(`there is no node ${name}`)
    return found
  }

  /** What the etcd says, as soon as a quorum of it answers. */
  async standing(region: string): Promise<Standing> {
    const keys = new Keys(DATABASE, region)
    const documents = await this.etcd.read(keys.prefix)
    const names = new Map<string, string>()
    for (const text of documents.values()) {
      const document = decodeNode(text)
      const node = this.nodesOf(region).find(({ plan }) => plan.port === document?.port)
      if (document !== undefined && node !== undefined) names.set(document.nodeId, node.name)
    }
    const state = decodeState(documents.get(keys.of('state', PARTITION)) ?? '')
    const leader = decodeLeader(documents.get(keys.of('leader', PARTITION)) ?? '')
    const nameOf = (nodeId: string): string => names.get(nodeId) ?? nodeId
    return {
      term: state?.term ?? 0,
      leader: leader === undefined ? undefined : nameOf(leader.nodeId),
      leaseId: leader?.leaseId,
      inSync: (state?.inSync ?? []).map(nameOf).sort(),
    }
  }

  /** The node that says it is primary and that the etcd says is; waits for it. @param except  not this one */
  primaryOf(region: string, except?: ClusterNode): Promise<ClusterNode> {
    return eventually(
      `region ${region} has a primary`,
      SETTLE_MS_MAX,
      async () => {
        const { leader } = await this.standing(region)
        const node = this.nodesOf(region).find(({ name }) => name === leader)
        if (node === undefined || node === except) return undefined
        return (await node.role()) === 'primary' ? node : undefined
      },
      POLL_MS,
    )
  }

  /** Waits until every region has one primary that all its nodes which run are in sync with. */
  async settle(): Promise<void> {
    await Promise.all(this.regions.map((region) => this.#settleRegion(region)))
  }

  #settleRegion(region: string): Promise<true> {
    const nodes = this.nodesOf(region).filter(({ process }) => process.isRunning)
    const names = nodes.map(({ name }) => name).sort()
    return eventually(
      `region ${region} has a primary, and ${names.join(', ')} are in sync with it`,
      SETTLE_MS_MAX,
      async () => {
        const { inSync } = await this.standing(region)
        const roles = await Promise.all(nodes.map((node) => node.role()))
        const isWhole =
          inSync.join() === names.join() &&
          roles.filter((role) => role === 'primary').length === 1 &&
          roles.filter((role) => role === 'replica').length === nodes.length - 1
        return isWhole ? true : undefined
      },
      POLL_MS,
    )
  }

  /** Waits until all nodes that run have applied the same ops. @returns their digests, by node */
  async agree(): Promise<ReadonlyMap<string, string>> {
    const nodes = this.nodes.filter(({ process }) => process.isRunning)
    return agreementOf(nodes, 'all nodes', SETTLE_MS_MAX, POLL_MS)
  }
}
