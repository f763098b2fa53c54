/**
 * memory-snapshots.ts: snapshots of a `MemoryHost`: its vector, and bytes without a meaning behind it.
 *
 * What is received is compared byte by byte when it is adopted, so a part that is lost, doubled or out of
 * place fails the test. Making and adopting take time, in which the host goes on.
 */
import type { OriginTable } from '../../crdt/origin.ts'
import { VersionVector, type WireVector } from '../../crdt/version-vector.ts'
import type {
  AdoptionResult,
  SnapshotHost,
  SnapshotLease,
  SnapshotShelf,
  SnapshotStage,
} from '../../sync/snapshot-ports.ts'
import type { ManualClock } from './manual-clock.ts'

/** The host, as far as its snapshots go. */
export interface Holder {
  readonly origins: OriginTable
  readonly applied: VersionVector
  readonly log: { readonly base: VersionVector }
  takeOver(vector: VersionVector): void
}

export class MemorySnapshots implements SnapshotHost, SnapshotShelf, SnapshotStage {
  /** Bytes behind the vector in each one made from now on. */
  padding = 100
  makeMs = 10
  adoptMs = 10
  /** Why none can be made, while none can. */
  failure: string | undefined = undefined
  /** Why none can be adopted, while none can. */
  refusal: string | undefined = undefined
  made = 0
  adopted = 0
  /** Results of adoptions, in order. */
  readonly results: AdoptionResult[] = []
  readonly informed: string[] = []
  /** Leases that are out. */
  leases = 0
  staged: Uint8Array[] = []
  adoption: SnapshotStage['adoption'] = undefined
  readonly #clock: ManualClock
  readonly #host: Holder
  #newest: { readonly id: string; readonly vector: WireVector; readonly bytes: Uint8Array } | undefined
  #making: ((failure?: string) => void)[] = []

  constructor(clock: ManualClock, host: Holder) {
    this.#clock = clock
    this.#host = host
  }

  get shelf(): SnapshotShelf {
    return this
  }

  get stage(): SnapshotStage {
    return this
  }

  inform(sentence: string): void {
    this.informed.push(sentence)
  }

  get preparedShare(): number {
    return this.#making.length > 0 ? 0.5 : 0
  }

  prepare(done: (failure?: string) => void): void {
    this.#making.push(done)
    if (this.#making.length > 1) return
    const vector = this.#host.applied.toWire()
    this.#clock.after(this.makeMs, () => {
      if (this.failure === undefined) this.#put(vector)
      for (const one of this.#making.splice(0)) one(this.failure)
    })
  }

  /** Makes one of what is applied now, at once. */
  make(): void {
    this.#put(this.#host.applied.toWire())
  }

  #put(vector: WireVector): void {
    this.made++
    this.#newest = { id: `snapshot-${this.made}`, vector, bytes: contentOf(vector, this.padding) }
  }

  lease(id?: string): SnapshotLease | undefined {
    const newest = this.#newest
    if (newest === undefined || (id !== undefined && id !== newest.id)) return undefined
    this.leases++
    return {
      id: newest.id,
      vector: VersionVector.fromWire(this.#host.origins, newest.vector),
      bytes: newest.bytes.length,
      read: (offset, length) => newest.bytes.subarray(offset, offset + length),
      release: () => {
        this.leases--
      },
    }
  }

  least(): VersionVector {
    return this.#host.log.base
  }

  begin(): void {
    this.staged = []
  }

  append(bytes: Uint8Array): void {
    this.staged.push(bytes.slice())
  }

  discard(): void {
    this.staged = []
  }

  get stagedBytes(): number {
    return this.staged.reduce((sum, { length }) => sum + length, 0)
  }

  adopt(isRebuilt: boolean, done: (result: AdoptionResult) => void): void {
    const bytes = Buffer.concat(this.staged)
    this.adoption = { phase: 'loading', bytesDone: 0, bytesTotal: bytes.length }
    this.#clock.after(this.adoptMs, () => {
      this.adoption = undefined
      this.staged = []
      const { refusal } = this
      const result = refusal === undefined ? this.#become(bytes, isRebuilt) : { failure: refusal }
      this.results.push(result)
      done(result)
    })
  }

  #become(bytes: Buffer, isRebuilt: boolean): AdoptionResult {
    const end = bytes.indexOf('\n')
    const wire = JSON.parse(bytes.subarray(0, end).toString()) as WireVector
    if (!bytes.equals(contentOf(wire, bytes.length - end - 1)))
      return { failure: 'other bytes than were sent' }
    const host = this.#host
    const vector = VersionVector.fromWire(host.origins, wire)
    if (!isRebuilt && host.applied.covers(vector)) return 'covered'
    host.takeOver(vector)
    return 'adopted'
  }
}

/** The vector as a line, then bytes that say where they stand. */
function contentOf(vector: WireVector, padding: number): Uint8Array {
  const behind = Buffer.alloc(padding)
  for (let i = 0; i < padding; i++) behind[i] = (i * 31 + (i >> 8)) & 255
  return Buffer.concat([Buffer.from(`${JSON.stringify(vector)}\n`), behind])
}
