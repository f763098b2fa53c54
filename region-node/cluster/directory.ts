/**
 * directory.ts: the documents of the region as this node knows them, decoded.
 *
 * A node's own commits are entered when they are answered; the watch, which brings them again, may be later.
 */
import type { Change, Event, Reading, Revision } from '../coordinator/port.ts'
import {
  decodeHandover,
  decodeLeader,
  decodeNode,
  decodeState,
  type HandoverDocument,
  type Keys,
  type LeaderDocument,
  type NodeDocument,
  type StateDocument,
} from './documents.ts'
import { Ledger } from './ledger.ts'

/** A document as it is stored. */
export interface Stored<Document> {
  /** 0: there is none. */
  readonly revision: Revision
  /** Undefined: there is none, or one that cannot be read. */
  readonly document: Document | undefined
}

export interface PartitionDocuments {
  readonly state: Stored<StateDocument>
  readonly leader: Stored<LeaderDocument>
  readonly handover: Stored<HandoverDocument>
}

const ABSENT = { revision: 0, document: undefined }
const NOTHING: PartitionDocuments = { state: ABSENT, leader: ABSENT, handover: ABSENT }

export class Directory {
  readonly #keys: Keys
  readonly #ledger = new Ledger((key, value, revision) => this.#enter(key, value, revision))
  readonly #nodes = new Map<string, NodeDocument>()
  readonly #known = new Map<string, NodeDocument>()
  readonly #partitions = new Map<number, PartitionDocuments>()

  constructor(keys: Keys) {
    this.#keys = keys
  }

  /** There was a first reading. */
  get hasRead(): boolean {
    return this.#ledger.hasRead
  }

  /** The highest that was heard of, since the coordinator was put back. */
  get revision(): Revision {
    return this.#ledger.revision
  }

  /** Those that are registered now. */
  get nodes(): ReadonlyMap<string, NodeDocument> {
    return this.#nodes
  }

  /** Those that are registered, or were while this process has run. */
  get known(): ReadonlyMap<string, NodeDocument> {
    return this.#known
  }

  get partitions(): ReadonlyMap<number, PartitionDocuments> {
    return this.#partitions
  }

  of(partition: number): PartitionDocuments {
    return this.#partitions.get(partition) ?? NOTHING
  }

  /** @param isPutBack  what is known is of a history that the coordinator has forgotten */
  replace(reading: Reading, isPutBack = false): void {
    this.#ledger.replace(reading, isPutBack)
  }

  apply(events: readonly Event[]): void {
    this.#ledger.apply(events)
  }

  /** Changes of this node, committed. */
  learn(changes: readonly Change[], revision: Revision): void {
    this.apply(
      changes.map((change) => ({
        key: change.key,
        value: change.do === 'put' ? change.value : undefined,
        revision,
      })),
    )
  }

  #enter(key: string, value: string | undefined, changed: Revision): void {
    const meaning = this.#keys.meaning(key)
    if (meaning === undefined) return
    if (meaning.kind === 'node') {
      this.#enterNode(meaning.nodeId, value)
      return
    }
    const revision = value === undefined ? 0 : changed
    const text = value ?? ''
    const before = this.of(meaning.partition)
    const after: Record<typeof meaning.kind, PartitionDocuments> = {
      state: { ...before, state: { revision, document: decodeState(text) } },
      leader: { ...before, leader: { revision, document: decodeLeader(text) } },
      handover: { ...before, handover: { revision, document: decodeHandover(text) } },
    }
    this.#partitions.set(meaning.partition, after[meaning.kind])
  }

  #enterNode(nodeId: string, value: string | undefined): void {
    const node = value === undefined ? undefined : decodeNode(value)
    if (node === undefined) {
      this.#nodes.delete(nodeId)
      return
    }
    this.#nodes.set(nodeId, node)
    this.#known.set(nodeId, node)
  }
}
