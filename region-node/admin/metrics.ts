/**
 * metrics.ts: the numbers of a NodeStatus in the form that Prometheus collects.
 *
 * One table of metrics; each says how to read itself from a status. A scrape takes one status and
 * sets all of them from it, so the numbers of one scrape belong together and the node counts nothing
 * twice. Names follow Prometheus: base units (seconds, bytes), counters end in _total.
 */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { type NodeStatus, PEER_STATES, type PeerStatus, type RegionStatus } from './status.ts'

type Labels = Readonly<Record<string, string>>
type Sample = readonly [value: number | undefined, labels?: Labels]

interface Metric {
  readonly type: 'gauge' | 'counter'
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
  read(status: NodeStatus): readonly Sample[]
}

const METRICS: readonly Metric[] = [
  {
    type: 'gauge',
    name: 'causeway_info',
    help: 'Always 1; the labels say which node this is.',
    labels: ['region', 'region_id', 'version', 'role'],
    read: ({ region, regionId, version, role }) => [
      [1, { region, region_id: String(regionId), version, role }],
    ],
  },
  gauge('causeway_uptime_seconds', 'Time since the node started.', (status) => status.uptimeMs / 1000),
  gauge('causeway_keys', 'Keys that exist.', (status) => status.keys),
  gauge('causeway_log_bytes', 'Bytes of log kept on disk.', (status) => status.log.bytes),
  gauge('causeway_log_segments', 'Files of log kept on disk.', (status) => status.log.segments),
  gauge('causeway_log_failing', '1 while the log cannot be written.', (status) =>
    status.log.error === undefined ? 0 : 1,
  ),
  gauge('causeway_clients_connected', 'Clients connected.', (status) => status.clients.connected),
  gauge(
    'causeway_clients_blocked',
    'Clients waiting in a blocking command.',
    (status) => status.clients.blocked,
  ),
  counter(
    'causeway_clients_accepted_total',
    'Client connections accepted.',
    (status) => status.clients.accepted,
  ),
  counter(
    'causeway_clients_refused_total',
    'Client connections refused for maxclients.',
    (status) => status.clients.refused,
  ),
  counter('causeway_commands_total', 'Commands run for clients.', (status) => status.ops.commands),
  counter('causeway_ops_minted_total', 'Ops minted here.', (status) => status.ops.minted),
  counter('causeway_ops_applied_total', 'Ops of other regions applied here.', (status) => status.ops.applied),
  gauge(
    'causeway_ops_waiting',
    'Batches received that wait for ops they depend on.',
    (status) => status.ops.waiting,
  ),
  {
    type: 'counter',
    name: 'causeway_conflicts_total',
    help: 'Conflict events by rule.',
    labels: ['rule'],
    read: ({ conflicts }) => Object.entries(conflicts).map(([rule, count]) => [count, { rule }]),
  },
  gauge(
    'causeway_cut_ops',
    'Ops applied here that lie above the stable cut.',
    ({ horizon }) => horizon.cutOps,
  ),
  gauge(
    'causeway_cut_lag_seconds',
    'For how long the stable cut has not reached what was applied here.',
    ({ horizon }) => horizon.cutLagMs / 1000,
  ),
  gauge(
    'causeway_reclaim_pending',
    'Keys and fields that wait for the stable cut to give memory back.',
    ({ horizon }) => horizon.reclaimPending,
  ),
  gauge('causeway_lacking', '1 while the node may lack what its region acknowledged.', ({ horizon }) =>
    Number(horizon.lacking),
  ),
  gauge('causeway_fences', 'Origins that are to be ended.', ({ horizon }) => horizon.fences),
  gauge('causeway_seals', 'Origins that are ended.', ({ horizon }) => horizon.seals),
  ofRegions('causeway_region_suspended', '1 while the region is suspended.', ({ status }) =>
    Number(status === 'suspended'),
  ),
  {
    type: 'gauge',
    name: 'causeway_region_passive',
    help: "1 while the region is passive, also this node's own.",
    labels: ['region'],
    read: ({ regions }) =>
      regions
        .filter(({ status }) => status !== 'left')
        .map(({ name, mode }): Sample => [Number(mode === 'passive'), { region: name }]),
  },
  ofRegions('causeway_region_silence_seconds', 'Time since the region was heard.', ({ heardMsAgo }) =>
    heardMsAgo === undefined ? undefined : heardMsAgo / 1000,
  ),
  {
    type: 'gauge',
    name: 'causeway_peer_state',
    help: '1 for the state the link to the peer is in, 0 for the others.',
    labels: ['peer', 'state'],
    read: ({ peers }) =>
      peers.flatMap((peer) =>
        PEER_STATES.map((state): Sample => [peer.state === state ? 1 : 0, { peer: peer.region, state }]),
      ),
  },
  ofPeers('gauge', 'causeway_peer_lag_ops', 'Ops the peer has not acknowledged.', (peer) => peer.lagOps),
  ofPeers(
    'gauge',
    'causeway_peer_lag_seconds',
    'Age of the oldest op the peer has not acknowledged.',
    (peer) => peer.lagMs / 1000,
  ),
  ofPeers('gauge', 'causeway_peer_clock_skew_seconds', "The peer's clock minus ours.", ({ clockSkewMs }) =>
    clockSkewMs === undefined ? undefined : clockSkewMs / 1000,
  ),
  ofPeers('counter', 'causeway_peer_sent_bytes_total', 'Bytes sent to the peer.', (peer) => peer.bytesSent),
  ofPeers(
    'counter',
    'causeway_peer_received_bytes_total',
    'Bytes received from the peer.',
    (peer) => peer.bytesReceived,
  ),
]

export class Metrics {
  readonly #registry = new Registry()
  readonly #writers: ReadonlyArray<(status: NodeStatus) => void>

  constructor() {
    collectDefaultMetrics({ register: this.#registry })
    this.#writers = METRICS.map((metric) => writer(metric, this.#registry))
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** The page that Prometheus scrapes. */
  page(status: NodeStatus): Promise<string> {
    for (const write of this.#writers) write(status)
    return this.#registry.metrics()
  }
}

function writer(metric: Metric, registry: Registry): (status: NodeStatus) => void {
  const { type, name, help, labels = [] } = metric
  const options = { name, help, labelNames: [...labels], registers: [registry] }
  const target = type === 'gauge' ? new Gauge(options) : new Counter(options)
  return (status) => {
    // Reset, so that a peer that is gone is gone here too; a counter then takes the node's own count.
    target.reset()
    for (const [value, of = {}] of metric.read(status)) if (value !== undefined) target.inc(of, value)
  }
}

function gauge(name: string, help: string, value: (status: NodeStatus) => number): Metric {
  return { type: 'gauge', name, help, read: (status) => [[value(status)]] }
}

function counter(name: string, help: string, value: (status: NodeStatus) => number): Metric {
  return { type: 'counter', name, help, read: (status) => [[value(status)]] }
}

/** Of the other regions that count; one that left is heard no more, and nobody waits for it. */
function ofRegions(name: string, help: string, value: (region: RegionStatus) => number | undefined): Metric {
  return {
    type: 'gauge',
    name,
    help,
    labels: ['region'],
    read: ({ regions }) =>
      regions
        .filter(({ status }) => status === 'member' || status === 'suspended')
        .map((region): Sample => [value(region), { region: region.name }]),
  }
}

function ofPeers(
  type: 'gauge' | 'counter',
  name: string,
  help: string,
  value: (peer: PeerStatus) => number | undefined,
): Metric {
  return {
    type,
    name,
    help,
    labels: ['peer'],
    read: ({ peers }) => peers.map((peer) => [value(peer), { peer: peer.region }]),
  }
}
