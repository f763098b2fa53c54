/**
 * cluster-move.ts: `causeway cluster failover | drain`: another node becomes primary, and nothing is lost.
 *
 * Both say CLUSTER FAILOVER to the node that is to take over, which asks its primary for it, and then wait until the
 * documents say that it has. What they promise is read from the documents and not from an OK: that is only a
 * beginning.
 */
import type { Directory } from '../cluster/directory.ts'
import type { NodeDocument } from '../cluster/documents.ts'
import { moved } from '../placement/edits.ts'
import { nodeAddress, type PartitionReport, partitionsOf } from './cluster-report.ts'
import { holderOf } from './cluster-stages.ts'
import type { CliHost } from './host.ts'
import type { NodeAccess } from './node-access.ts'
import type { NodeAddress } from './node-client.ts'
import { doorOf, say } from './node-talk.ts'
import { NotDoneError } from './not-done.ts'
import { commitPlacements } from './placement-desk.ts'
import type { RegionDocuments } from './region-documents.ts'
import { addressText } from './words.ts'

/** Clients' writes are held for ten seconds at most; then the old primary goes on, or the new one has claimed. */
const HAND_OVER_MS_MAX = 15_000

export interface MoveContext {
  readonly host: CliHost
  readonly documents: RegionDocuments
  readonly access: NodeAccess
  readonly isDryRun: boolean
}

/**
 * @param nodeId  who it is, where `to` is not the address that the node gives for itself
 * @throws NotDoneError, AskError
 */
export async function failover(context: MoveContext, to: NodeAddress, nodeId?: string): Promise<void> {
  const { host, documents, access, isDryRun } = context
  const directory = await documents.directory()
  const target = nodeAt(directory, to, nodeId)
  const { partition } = target
  const report = partitionsOf(directory)[partition]!
  if (report.primaryId === target.nodeId) {
    host.print(`${addressText(to)} is primary of partition ${partition} already\n`)
    return
  }
  const replica = report.replicas.find(({ node }) => node.nodeId === target.nodeId)!
  if (report.primaryId === '') {
    throw new NotDoneError(
      `partition ${partition} has no primary that could hand over: its nodes choose one by themselves, see ` +
        "'causeway cluster status'",
    )
  }
  if (!replica.isInSync) {
    throw new NotDoneError(
      `${addressText(to)} is not in sync (${replica.behindOps} ops behind): wait until 'causeway cluster status' says ` +
        'that it is',
    )
  }
  const at = nodeId === undefined ? doorOf(target, access) : to
  if (isDryRun) host.print(`would hand ${moveText(report, at)}\n`)
  else await handOver(context, report, target, at)
}

/** Takes a node out of its duty, so that it can be stopped. @throws NotDoneError, AskError */
export async function drain(context: MoveContext, at: NodeAddress): Promise<void> {
  const { host, documents, access, isDryRun } = context
  const directory = await documents.directory()
  const node = nodeAt(directory, at)
  const duties = partitionsOf(directory).filter(({ primaryId }) => primaryId === node.nodeId)
  const moves = duties.map((report) => ({ report, successor: successorOf(report, node) }))
  for (const { report, successor } of moves) {
    const to = doorOf(successor, access)
    if (isDryRun) host.print(`would hand ${moveText(report, to)}\n`)
    else await handOver(context, report, successor, to)
  }
  const after = isDryRun ? directory : await documents.directory()
  const verb = isDryRun && duties.length > 0 ? 'would then be' : 'is'
  host.print(
    `${nodeAddress(node)} ${verb} primary of nothing and may be stopped (SIGTERM, or SHUTDOWN). ${standIn(after, node)}\n`,
  )
}

/** @throws NotDoneError when nobody may take over */
function successorOf({ partition, primary, replicas }: PartitionReport, node: NodeDocument): NodeDocument {
  const fit = replicas.filter(({ isInSync }) => isInSync)
  // Where the next loss of a zone finds the fewest: that of the node that goes is about to have one less.
  fit.sort(
    (a, b) =>
      Number(a.node.zone !== node.zone) - Number(b.node.zone !== node.zone) || a.behindOps - b.behindOps,
  )
  const [best] = fit
  if (best !== undefined) return best.node
  throw new NotDoneError(
    `nobody is in sync that could take over partition ${partition} from ${nodeAddress(primary ?? node)}: start a ` +
      "replica, and drain again when 'causeway cluster status' says that it is in sync",
  )
}

/** What the others are left with while the node is away. */
function standIn(directory: Directory, { nodeId, partition }: NodeDocument): string {
  const { primaryId, replicas } = partitionsOf(directory)[partition]!
  const others = replicas.filter(({ node, isInSync }) => isInSync && node.nodeId !== nodeId)
  const isPrimary = primaryId === nodeId
  // One of them is about to be primary.
  if (others.length > (isPrimary ? 1 : 0)) return `Partition ${partition} has a stand-in meanwhile`
  return `While it is away nobody can stand in for the primary of partition ${partition}: bring it back soon`
}

/** @throws NotDoneError */
async function handOver(
  { host, documents, access }: MoveContext,
  report: PartitionReport,
  target: NodeDocument,
  at: NodeAddress,
): Promise<void> {
  const { partition, term } = report
  host.print(`handing ${moveText(report, at)} ...\n`)
  const startedMs = host.env.monoMs()
  await say(host, at, access, ['CLUSTER', 'FAILOVER'])
  const isDone = await documents.until(({ directory }) => {
    const leader = directory.of(partition).leader.document
    return leader !== undefined && leader.term > term
  }, HAND_OVER_MS_MAX)
  const tookMs = Math.round(host.env.monoMs() - startedMs)
  const now = (await documents.directory()).of(partition).leader.document
  if (!isDone || now?.nodeId !== target.nodeId) {
    const what =
      now === undefined ? 'nobody is primary now' : `node ${now.nodeId} is primary of term ${now.term}`
    throw new NotDoneError(
      `partition ${partition} was not handed over within ${tookMs} ms: ${what}. The logs of both nodes say why; ` +
        "look at 'causeway cluster status' before you try again",
    )
  }
  host.print(
    `${addressText(at)} is primary of partition ${partition}, term ${now.term}, after ${tookMs} ms\n`,
  )
  await prefer(documents, target)
}

/** Where machines run the nodes, the primary is to stay where it was moved to. @throws NotDoneError */
async function prefer(documents: RegionDocuments, { nodeId, partition }: NodeDocument): Promise<void> {
  const view = await documents.view()
  const { revision, document } = view.placing.placement(partition)
  const node = view.directory.nodes.get(nodeId)
  const machine = document === undefined || node === undefined ? undefined : holderOf(view, document, node)
  if (document === undefined || machine === undefined || !document.machines.includes(machine)) return
  const machines = [machine, ...document.machines.filter((name) => name !== machine)]
  await commitPlacements(documents, [{ partition, revision, placement: moved(document, machines) }], [])
}

function moveText({ partition, primary, primaryId }: PartitionReport, to: NodeAddress): string {
  const from = primary === undefined ? `node ${primaryId}` : nodeAddress(primary)
  return `partition ${partition} over from ${from} to ${addressText(to)}`
}

/** @throws NotDoneError when no such node is registered */
function nodeAt(directory: Directory, address: NodeAddress, nodeId?: string): NodeDocument {
  const nodes = [...directory.nodes.values()]
  const found = nodes.find((node) =>
    nodeId === undefined
      ? node.host === address.host && [node.port, node.tlsPort].includes(address.port)
      : node.nodeId === nodeId,
  )
  if (found !== undefined) return found
  const registered = nodes.map((node) => `${nodeAddress(node)} (${node.nodeId})`).join(', ') || 'none'
  const what = nodeId === undefined ? `at ${addressText(address)}` : `with the id ${nodeId}`
  const advice =
    nodeId === undefined ? '; if that is another address of one of them, name it with --node ID' : ''
  throw new NotDoneError(`no node is registered ${what}. Registered: ${registered}${advice}`)
}
