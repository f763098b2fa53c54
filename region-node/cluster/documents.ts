/**
 * documents.ts: what the nodes of a region tell each other through the coordinator: keys and JSON documents.
 *
 *   /causeway/<database>/<region>/node/<nodeId>            under the lease of the node
 *   /causeway/<database>/<region>/config                   for ever; settings of all nodes
 *   /causeway/<database>/<region>/partition/<p>/state      for ever; its term never goes down
 *   /causeway/<database>/<region>/partition/<p>/leader     under the lease of the primary
 *   /causeway/<database>/<region>/partition/<p>/handover   who was named; gone when somebody has claimed
 *
 * Beside them are those of the machines that nodes run on (placement/documents.ts): nodes do not read these.
 *
 * Documents are checked when they are read. One that is damaged, or of a later version that is not understood,
 * is not the same as none: nobody claims a partition on the strength of it.
 */
import { decode, isCount, isFlag, isNames, isText, isTexts, orAbsent, type Shape } from './shapes.ts'

export interface NodeDocument {
  readonly nodeId: string
  /** Where clients reach it; a TLS port of 0: none. */
  readonly host: string
  readonly port: number
  readonly tlsPort: number
  /** Where other nodes pull from it. */
  readonly syncUrl: string
  readonly partition: number
  /** Of the database, as this node was told. */
  readonly partitions: number
  /** '' for none. */
  readonly zone: string
  /** Of the program. */
  readonly version: string
  /** Ops it held when it said so: some seconds old. */
  readonly opCount: number
  /** The latest state of its partition that it knows of, by term and edition. */
  readonly term: number
  readonly edition: number
  /** By all that it knows it is in sync. */
  readonly isWhole: boolean
  /** Of the configuration that it has taken, and what of it it could not apply; absent: it takes none. */
  readonly configVersion?: number | undefined
  readonly configNotApplied?: readonly string[] | undefined
}

/** Settings that all nodes of the region have in common, as texts. */
export interface ConfigDocument {
  /** Counts the changes of this document. */
  readonly version: number
  readonly settings: Readonly<Record<string, string>>
}

/** Who serves a partition, and who may after it. */
export interface StateDocument {
  /** One primary each, ever. */
  readonly term: number
  /** Counts the changes of this document, over all terms. */
  readonly edition: number
  readonly primary: string
  /** The primary of this term has answered for the last time, and has said so itself or its guard has. */
  readonly hasEnded: boolean
  /** Each of those in sync has held at least this term: one that comes back with less has lost its disk. */
  readonly heldTerm: number
  /**
   * Those in sync hold all that the region acknowledged. False from a claim that could not know it until the primary
   * has asked the other regions: whoever claims before that asks them as well.
   */
  readonly isWhole: boolean
  /** Those that hold what the primary of this term had acknowledged, itself among them. */
  readonly inSync: readonly string[]
  /** Those that hold the partition, or did. */
  readonly members: readonly string[]
}

export interface LeaderDocument {
  readonly nodeId: string
  readonly term: number
  /** The lease that the document is under: tells the claim of a process from one of its former life. */
  readonly leaseId: string
}

/** Who may claim first when the primary of that term has handed over. */
export interface HandoverDocument {
  readonly to: string
  readonly term: number
}

const NODE: Shape<NodeDocument> = {
  nodeId: isText,
  host: isText,
  port: isCount,
  tlsPort: isCount,
  syncUrl: isText,
  partition: isCount,
  partitions: isCount,
  zone: isText,
  version: isText,
  opCount: isCount,
  term: isCount,
  edition: isCount,
  isWhole: isFlag,
  configVersion: orAbsent(isCount),
  configNotApplied: orAbsent(isNames),
}

const CONFIG: Shape<ConfigDocument> = { version: isCount, settings: isTexts }

const STATE: Shape<StateDocument> = {
  term: isCount,
  edition: isCount,
  primary: isText,
  hasEnded: isFlag,
  heldTerm: isCount,
  isWhole: isFlag,
  inSync: isNames,
  members: isNames,
}

const LEADER: Shape<LeaderDocument> = { nodeId: isText, term: isCount, leaseId: isText }

const HANDOVER: Shape<HandoverDocument> = { to: isText, term: isCount }

export const decodeNode = (text: string): NodeDocument | undefined => decode(text, NODE)
export const decodeState = (text: string): StateDocument | undefined => decode(text, STATE)
export const decodeLeader = (text: string): LeaderDocument | undefined => decode(text, LEADER)
export const decodeConfig = (text: string): ConfigDocument | undefined => decode(text, CONFIG)
export const decodeHandover = (text: string): HandoverDocument | undefined => decode(text, HANDOVER)

export function encode(
  document: NodeDocument | ConfigDocument | StateDocument | LeaderDocument | HandoverDocument,
): string {
  return JSON.stringify(document)
}

/** Names that stand between slashes. */
const NAME = /^[\w.:-]+$/

export function isName(text: string): boolean {
  return NAME.test(text)
}

export type PartitionKey = 'state' | 'leader' | 'handover'

export type KeyMeaning =
  | { readonly kind: 'node'; readonly nodeId: string }
  | { readonly kind: PartitionKey; readonly partition: number }

/** The keys of one region of one database. */
export class Keys {
  readonly prefix: string

  /** Both names are of letters, digits and `_.:-`. */
  constructor(database: string, region: string) {
    this.prefix = `/causeway/${database}/${region}/`
  }

  get config(): string {
    return `${this.prefix}config`
  }

  node(nodeId: string): string {
    return `${this.prefix}node/${nodeId}`
  }

  of(kind: PartitionKey, partition: number): string {
    return `${this.prefix}partition/${partition}/${kind}`
  }

  /** @returns undefined for a key of another kind: a later version may have more */
  meaning(key: string): KeyMeaning | undefined {
    const [room, name = '', kind, ...more] = key.slice(this.prefix.length).split('/')
    if (room === 'node' && kind === undefined) return { kind: 'node', nodeId: name }
    if (room !== 'partition' || more.length > 0 || !/^\d+$/.test(name)) return undefined
    if (kind !== 'state' && kind !== 'leader' && kind !== 'handover') return undefined
    return { kind, partition: Number(name) }
  }
}

/** Names one version of a state. */
export interface StateVersion {
  readonly term: number
  readonly edition: number
}

export function isOlder(one: StateVersion, other: StateVersion): boolean {
  return one.term < other.term || (one.term === other.term && one.edition < other.edition)
}
