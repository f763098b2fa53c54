/**
 * memory-host.ts: a node reduced to what sync sees of it: a vector and a log in memory.
 *
 * It judges what sync does: `apply` throws when a batch comes too early, twice or with a gap. So every
 * test that uses it checks causal delivery on the way.
 */
import { createHmac } from 'node:crypto'
import { type BatchReader, BatchWriter, lastSeq } from '../../crdt/codec/batch.ts'
import { TAG } from '../../crdt/effects/effect.ts'
import { hlcAt } from '../../crdt/hlc.ts'
import { Membership } from '../../crdt/membership.ts'
import { type Origin, OriginTable, originId } from '../../crdt/origin.ts'
import { VersionVector } from '../../crdt/version-vector.ts'
import { LogTrimmed } from '../../sync/log-trimmed.ts'
import { Mesh } from '../../sync/mesh.ts'
import type {
  Identity,
  LogPosition,
  LogRecord,
  LogStream,
  Publication,
  ReplicationHost,
  SyncHost,
  Unheard,
} from '../../sync/ports.ts'
import { SYNC_DEFAULTS, type SyncSettings } from '../../sync/settings.ts'
import type { ManualClock } from './manual-clock.ts'
import { MemorySnapshots } from './memory-snapshots.ts'
import type { MemoryNetwork } from './memory-transport.ts'

class MemoryLog implements LogStream {
  readonly records: LogRecord[] = []
  readonly #starts: number[] = []
  end: LogPosition = 0
  /** Records below were trimmed away. */
  trimmed: LogPosition = 0
  /** What was applied and is not in this log any more, or never was. */
  readonly base: VersionVector
  /** Records handed out so far. */
  readCount = 0

  constructor(origins: OriginTable) {
    this.base = new VersionVector(origins)
  }

  /** Forgets everything up to now. */
  trim(applied: VersionVector): void {
    this.trimmed = this.end
    this.base.join(applied)
  }

  append(record: LogRecord): void {
    this.records.push(record)
    this.#starts.push(this.end)
    this.end += record.bytes.length
  }

  seek(vector: VersionVector, wanted: (origin: Origin) => boolean = () => true): LogPosition {
    for (const [origin, seq] of this.base.entries()) {
      if (wanted(origin) && vector.get(origin) < seq) throw new LogTrimmed('the log begins later')
    }
    const first = this.records.findIndex(
      ({ span }) => wanted(span.origin) && lastSeq(span) > vector.get(span.origin),
    )
    return first < 0 ? this.end : this.#starts[first]!
  }

  read(position: LogPosition, bytesMax: number): { records: LogRecord[]; next: LogPosition } {
    if (position < this.trimmed) throw new LogTrimmed('the log begins later')
    const records: LogRecord[] = []
    let next = position
    for (let i = this.#starts.indexOf(position); i >= 0 && i < this.records.length; i++) {
      const record = this.records[i]!
      if (records.length > 0 && next - position + record.bytes.length > bytesMax) break
      records.push(record)
      next += record.bytes.length
    }
    this.readCount += records.length
    return { records, next }
  }
}

/** A host that has no replicas and is none. */
function withoutReplicas(host: Pick<SyncHost, 'applied' | 'durable'>): ReplicationHost {
  return {
    get durable() {
      return host.durable
    },
    get logged() {
      return host.applied
    },
    get offered() {
      return host.applied
    },
    replicasChanged: () => {},
    followed: () => {},
    rescued: () => {},
    primaryHeard: () => {},
    handedOver: () => {},
    wished: () => {},
    termHeard: () => {},
    nodesOf: () => [],
    own: [],
  }
}

export class MemoryHost implements SyncHost {
  identity: Identity
  readonly origins: OriginTable = new OriginTable()
  readonly log: MemoryLog = new MemoryLog(this.origins)
  readonly applied: VersionVector = new VersionVector(this.origins)
  durable: VersionVector = this.applied.copy()
  readonly isDurableKnown = true
  origin: Origin
  isJoining = false
  readonly membership: Membership = new Membership()
  readonly snapshots: MemorySnapshots
  readonly publications: Publication[] = []
  hurries = 0
  /** The latest clock that others said this region had announced. */
  recalledMs = 0
  /** Told after the log grew and after `sync`. */
  readonly replication: ReplicationHost
  onLog: (opCount: number) => void = () => {}
  onDurable: () => void = () => {}
  readonly #clock: ManualClock
  readonly #writer = new BatchWriter()
  #nonces = 0

  constructor(clock: ManualClock, region: string, regionId: number) {
    this.#clock = clock
    this.snapshots = new MemorySnapshots(clock, this)
    this.identity = {
      region,
      regionId,
      nodeId: `node-${region}`,
      partitions: 1,
      partition: 0,
      configuration: { 'stream-id-mode': 'strict' },
      version: '0.0.0',
      epoch: 0,
      role: 'primary',
      term: 0,
      host: '',
      port: 0,
    }
    this.origin = this.newOrigin()
    this.replication = withoutReplicas(this)
  }

  /** The node after a crash that left it the first `recordCount` records of its log: a new origin, as always. */
  restarted(recordCount: number): MemoryHost {
    const { region, regionId } = this.identity
    const host = new MemoryHost(this.#clock, region, regionId)
    for (const { bytes, span } of this.log.records.slice(0, recordCount)) {
      const origin = host.origins.intern(span.origin.id)
      host.log.append({ bytes, span: { ...span, origin } })
      host.applied.advance(origin, lastSeq(span))
    }
    host.durable = host.applied.copy()
    return host
  }

  newOrigin(): Origin {
    const bytes = Uint8Array.from({ length: 6 }, () => Math.floor(this.#clock.random() * 256))
    this.origin = this.origins.intern(originId(this.identity.regionId, bytes))
    return this.origin
  }

  welcomed(_joined: VersionVector): void {}

  announced(): undefined {}

  unheard(): readonly Unheard[] {
    return []
  }

  published(publication: Publication): void {
    this.publications.push(publication)
  }

  stood(): void {}

  /** Mints a batch of `opCount` SETs whose value has `valueBytes` bytes. */
  write(opCount = 1, valueBytes = 10): Uint8Array {
    const firstSeq = this.applied.get(this.origin) + 1
    const hlc = hlcAt(this.#clock.wallMs())
    this.#writer.begin(0, this.origin, firstSeq, this.applied, hlc)
    for (let i = 0; i < opCount; i++) {
      this.#writer.beginOp(hlc)
      this.#writer.effect({
        tag: TAG.SET,
        db: 0,
        key: `key-${firstSeq + i}`,
        value: 'v'.repeat(valueBytes),
        deadlineMs: Number.POSITIVE_INFINITY,
        seen: [],
      })
      this.#writer.endOp()
    }
    const bytes = this.#writer.finish().record.slice()
    this.applied.advance(this.origin, firstSeq + opCount - 1)
    this.log.append({ bytes, span: { partition: 0, origin: this.origin, firstSeq, opCount } })
    this.onLog(opCount)
    return bytes
  }

  apply(record: Uint8Array, batch: BatchReader): void {
    const { header } = batch
    const before = this.applied.get(header.origin)
    if (lastSeq(header) <= before) throw new Error('a batch that is covered was applied')
    if (header.firstSeq > before + 1) throw new Error('a batch was applied over a gap')
    if (!this.applied.covers(header.deps)) throw new Error('a batch was applied before what it depends on')
    batch.ops()
    this.applied.advance(header.origin, lastSeq(header))
    this.log.append({ bytes: record.slice(), span: header })
    this.onLog(header.opCount)
  }

  /** Becomes a state that has all of `vector`, durably; none of it that is new is in the log. */
  takeOver(vector: VersionVector): void {
    for (const [origin, seq] of vector.entries()) {
      if (seq > this.applied.get(origin)) this.log.base.advance(origin, seq)
    }
    this.applied.join(vector)
    this.durable = this.applied.copy()
  }

  /** Makes everything durable. */
  sync(): void {
    this.durable = this.applied.copy()
    this.onDurable()
  }

  hurryDurable(): void {
    this.hurries++
    this.#clock.after(2, () => this.sync())
  }

  expiryClockMs(): number {
    return Math.max(this.#clock.wallMs(), this.recalledMs)
  }

  recallClock(clockMs: number): void {
    this.recalledMs = Math.max(this.recalledMs, clockMs)
  }

  hmac(secret: string, message: string): string {
    return createHmac('sha256', secret).update(message).digest('hex')
  }

  report(): void {}

  nonce(): string {
    return `${this.identity.nodeId}-${++this.#nonces}`
  }
}

/** A host and its mesh on a memory network, at the address of its region's name. */
export interface MemoryNode {
  readonly host: MemoryHost
  readonly mesh: Mesh
}

export function memoryNode(
  clock: ManualClock,
  network: MemoryNetwork,
  host: MemoryHost,
  peers: readonly string[],
  settings: Partial<SyncSettings> = {},
): MemoryNode {
  const { region } = host.identity
  const mesh = new Mesh(host, network.transport(region), clock, {
    ...SYNC_DEFAULTS,
    secret: 'secret',
    peers: peers.map((name) => ({ name, url: `memory:${name}` })),
    ...settings,
  })
  host.onLog = (opCount) => mesh.logAdvanced(opCount)
  host.onDurable = () => mesh.durableAdvanced()
  return { host, mesh }
}
