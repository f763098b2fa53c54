/**
 * directory.ts: the documents of the region as this node knows them, decoded.
 *
 * A node's own commits are entered when they are answered; the watch, which brings them again, may be later.
 *
 * Invariant: of each key the entry of the highest revision that was heard is held, a deletion included, until a
 * reading as a whole takes the place of all that is older than it; or of all, when the coordinator was put back from
 * a backup and counts its revisions from there once more.
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
  /** The last change of each key, deletions among them. */
  readonly #revisions = new Map<string, Revision>()
  readonly #nodes = new Map<string, NodeDocument>()
  readonly #known = new Map<string, NodeDocument>()
  readonly #partitions = new Map<number, PartitionDocuments>()
  #revision: Revision = 0
  #hasRead = false

  constructor(keys: Keys) {
    this.#keys = keys
  }

  /** There was a first reading. */
  get hasRead(): boolean {
    return this.#hasRead
  }

  /** The highest that was heard of, since the coordinator was put back. */
  get revision(): Revision {
    return this.#revision
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
  replace({ revision, entries }: Reading, isPutBack = false): void {
    this.#hasRead = true
    this.#revision = isPutBack ? revision : Math.max(this.#revision, revision)
    const present = new Set(entries.map(({ key }) => key))
    for (const [key, changed] of this.#revisions) {
      if (changed > revision && !isPutBack) continue
      this.#revisions.delete(key)
      if (!present.has(key)) this.#enter(key, undefined, 0)
    }
    for (const entry of entries) {
      // A commit of this node that the reading does not know of yet.
      if (this.#revisions.has(entry.key)) continue
      this.#revisions.set(entry.key, entry.revision)
      this.#enter(entry.key, entry.value, entry.revision)
    }
  }

  apply(events: readonly Event[]): void {
    for (const { key, value, revision } of events) {
      if (revision <= (this.#revisions.get(key) ?? 0)) continue
      this.#revision = Math.max(this.#revision, revision)
      this.#revisions.set(key, revision)
      this.#enter(key, value, revision)
    }
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
