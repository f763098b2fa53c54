/**
 * documents.ts: what the machines of a region tell each other through the coordinator: which copy runs where.
 *
 *   /causeway/<database>/<region>/machine/<name>            under the lease of the machine
 *   /causeway/<database>/<region>/controller                under the lease of the machine that carries steps out
 *   /causeway/<database>/<region>/layout                    for ever; which machines take copies, and how many
 *   /causeway/<database>/<region>/partition/<p>/placement   for ever; the machines that hold copies of a partition
 *
 * They say which nodes are to run, not who is primary: nodes agree on that by themselves (cluster/documents.ts) and
 * never read these. A machine holds one copy of a partition at most, at a port that follows from the partition: so
 * the node of a copy is found by its address.
 *
 * Invariant: a machine deletes nothing but a copy that was released in the term that its partition is still in
 * (`isReleased`): it has been primary of no later one, so whatever it has, the primary of that term has as well. To be
 * named no more is not enough: a machine that was away for long is replaced, and may hold writes that nobody else
 * has. What is not named and not released stays as it is, and the controller takes it back.
 */
import type { Keys, NodeDocument } from '../cluster/documents.ts'
import { decode, isCount, isListOf, isNames, isOneOf, isText, type Shape } from '../cluster/shapes.ts'

/** What has become of a copy on its machine. */
export type CopyState =
  /** The process runs and answers. */
  | 'running'
  /** It was started, or will be again after it died. */
  | 'starting'
  /** Its data are on the disk; there is no process, because no placement names the machine. */
  | 'stopped'
  /** Starting it does not help: its log says why. */
  | 'failed'

export interface HeldCopy {
  readonly partition: number
  /** '' until the node has said it for the first time. */
  readonly nodeId: string
  readonly state: CopyState
}

/** A machine that is there. */
export interface MachineDocument {
  readonly name: string
  /** '' for none. */
  readonly zone: string
  /** Where its nodes listen: partition p at `firstPort` + p. */
  readonly host: string
  readonly firstPort: number
  /** Of the program. */
  readonly version: string
  /** Every copy on its disk. */
  readonly held: readonly HeldCopy[]
}

/** The machine that carries out the steps of all. */
export interface ControllerDocument {
  readonly name: string
}

/** What the region as a whole is to look like. */
export interface LayoutDocument {
  /** Counts the changes of this document. */
  readonly version: number
  readonly partitions: number
  /** Of each partition, the primary included. */
  readonly copies: number
  /** Names of those that take copies. */
  readonly machines: readonly string[]
  /** How long a machine is away before its copies are built elsewhere. */
  readonly rebuildAfterMs: number
  /** From one such rebuilding of a partition to the next. */
  readonly cooldownMs: number
}

/** In that term, whatever a node had, others had as well. */
export interface Release {
  readonly nodeId: string
  readonly term: number
}

/** Which machines hold a copy of a partition. No machine is named twice. */
export interface PlacementDocument {
  /** Counts the changes of this document. */
  readonly edition: number
  /** Names; the first is where the primary had best be. */
  readonly machines: readonly string[]
  /** Those that hold a copy as well, until all of `machines` are in sync without them. */
  readonly leaving: readonly string[]
  /** The nodes that were let go, the last few. */
  readonly released: readonly Release[]
  /** Wall clock of the last rebuilding; 0 for none. */
  readonly rebuiltMs: number
}

const HELD: Shape<HeldCopy> = {
  partition: isCount,
  nodeId: isText,
  state: isOneOf('running', 'starting', 'stopped', 'failed'),
}

const MACHINE: Shape<MachineDocument> = {
  name: isText,
  zone: isText,
  host: isText,
  firstPort: isCount,
  version: isText,
  held: isListOf(HELD),
}

const CONTROLLER: Shape<ControllerDocument> = { name: isText }

const LAYOUT: Shape<LayoutDocument> = {
  version: isCount,
  partitions: isCount,
  copies: isCount,
  machines: isNames,
  rebuildAfterMs: isCount,
  cooldownMs: isCount,
}

const RELEASE: Shape<Release> = { nodeId: isText, term: isCount }

const PLACEMENT: Shape<PlacementDocument> = {
  edition: isCount,
  machines: isNames,
  leaving: isNames,
  released: isListOf(RELEASE),
  rebuiltMs: isCount,
}

export const decodeMachine = (text: string): MachineDocument | undefined => decode(text, MACHINE)
export const decodeController = (text: string): ControllerDocument | undefined => decode(text, CONTROLLER)
export const decodeLayout = (text: string): LayoutDocument | undefined => decode(text, LAYOUT)
export const decodePlacement = (text: string): PlacementDocument | undefined => decode(text, PLACEMENT)

export function encodePlacing(
  document: MachineDocument | ControllerDocument | LayoutDocument | PlacementDocument,
): string {
  return JSON.stringify(document)
}

/** A machine runs a node for each partition whose placement names it. */
export function isNamed({ machines, leaving }: PlacementDocument, machine: string): boolean {
  return machines.includes(machine) || leaving.includes(machine)
}

/** Its machine may delete it. @param term  that the partition is in, by a state that is known to be the latest */
export function isReleased({ released }: PlacementDocument, nodeId: string, term: number): boolean {
  return released.some((release) => release.nodeId === nodeId && release.term === term)
}

export function copyOn({ held }: MachineDocument, partition: number): HeldCopy | undefined {
  return held.find((copy) => copy.partition === partition)
}

/** Where the node of a copy listens. */
export function portOf({ firstPort }: Pick<MachineDocument, 'firstPort'>, partition: number): number {
  return firstPort + partition
}

/** The node of a machine's copy, among those that are registered; undefined while it is not. */
export function nodeOfCopy(
  machine: Pick<MachineDocument, 'host' | 'firstPort'>,
  partition: number,
  nodes: Iterable<NodeDocument>,
): NodeDocument | undefined {
  const port = portOf(machine, partition)
  for (const node of nodes)
    if (node.partition === partition && node.host === machine.host && node.port === port) return node
  return undefined
}

export type PlacingMeaning =
  | { readonly kind: 'machine'; readonly name: string }
  | { readonly kind: 'controller' }
  | { readonly kind: 'layout' }
  | { readonly kind: 'placement'; readonly partition: number }

/** The keys of one region of one database. */
export class PlacingKeys {
  /** Those of its nodes. */
  readonly nodes: Keys
  readonly prefix: string

  constructor(nodes: Keys) {
    this.nodes = nodes
    this.prefix = nodes.prefix
  }

  get controller(): string {
    return `${this.prefix}controller`
  }

  get layout(): string {
    return `${this.prefix}layout`
  }

  /** @param name  as `isName` wants it */
  machine(name: string): string {
    return `${this.prefix}machine/${name}`
  }

  placement(partition: number): string {
    return `${this.prefix}partition/${partition}/placement`
  }

  /** @returns undefined for a key of another kind */
  meaning(key: string): PlacingMeaning | undefined {
    if (key === this.controller) return { kind: 'controller' }
    if (key === this.layout) return { kind: 'layout' }
    const [room, name = '', kind, ...more] = key.slice(this.prefix.length).split('/')
    if (room === 'machine' && kind === undefined) return { kind: 'machine', name }
    if (room !== 'partition' || kind !== 'placement' || more.length > 0 || !/^\d+$/.test(name))
      return undefined
    return { kind: 'placement', partition: Number(name) }
  }
}
