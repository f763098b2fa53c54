/**
 * info.ts: the sections of INFO, as Redis lays them out, and one of our own.
 *
 * `redis_version` is the level of compatibility that clients decide by; what runs is `causeway_version`.
 * Fields that Redis has and that mean nothing here are left out, except the few that tools insist on.
 */
import { LIBRARY_DB } from '../crdt/effects/key-effects.ts'
import type { LinkStatus } from '../sync/link-status.ts'
import type { AgentStatus } from './cluster/agent.ts'
import type { NodeCore } from './core.ts'
import { CONFLICT_RULES } from './engine/conflict-log.ts'
import type { Loading } from './loading.ts'
import { memoryFigures } from './memory-figures.ts'
import type { ProcessFacts } from './process-facts.ts'
import { REDIS_VERSION } from './redis-version.ts'
import { horizonOf } from './regions.ts'

/** What the core does not know: the process and its clients. */
export interface HostFacts {
  readonly process: ProcessFacts
  readonly port: number
  readonly uptimeMs: number
  readonly clients: {
    readonly connected: number
    readonly blocked: number
    readonly max: number
    readonly received: number
    readonly rejected: number
    readonly inputBytes: number
    readonly outputBytes: number
    /** What they have sent and not been served, and replies that they have not read, bytes. */
    readonly bufferedBytes: number
  }
  /** Over the last seconds. */
  readonly commandsPerSecond: number
  /** Until the data folder is read. */
  readonly loading: Loading | undefined
  /** What the agent says that decides who is primary; undefined without a coordinator. */
  readonly agent: AgentStatus | undefined
}

/** And of the client that asks. */
interface Facts extends HostFacts {
  /** It takes the region for one server: it came in by the proxy. */
  readonly isProxied: boolean
}

type Lines = readonly (readonly [string, string | number])[]
type Section = (core: NodeCore, facts: Facts) => Lines

const sections: readonly { name: string; isDefault: boolean; title: string; lines: Section }[] = [
  { name: 'server', isDefault: true, title: 'Server', lines: server },
  { name: 'clients', isDefault: true, title: 'Clients', lines: clients },
  { name: 'memory', isDefault: true, title: 'Memory', lines: memory },
  { name: 'persistence', isDefault: true, title: 'Persistence', lines: persistence },
  { name: 'stats', isDefault: true, title: 'Stats', lines: stats },
  { name: 'replication', isDefault: true, title: 'Replication', lines: replication },
  { name: 'cpu', isDefault: true, title: 'CPU', lines: cpu },
  { name: 'cluster', isDefault: true, title: 'Cluster', lines: cluster },
  { name: 'keyspace', isDefault: true, title: 'Keyspace', lines: keyspace },
  { name: 'crdt', isDefault: true, title: 'Crdt', lines: crdt },
]

export const INFO_SECTIONS = sections.map(({ name, isDefault }) => ({ name, isDefault }))

/** One section as INFO shows it, title line included; undefined when there is none of that name. */
export function infoSection(name: string, core: NodeCore, facts: Facts): string | undefined {
  const section = sections.find((one) => one.name === name)
  if (section === undefined) return undefined
  const lines = section.lines(core, facts).map(([field, value]) => `${field}:${value}\r\n`)
  return `# ${section.title}\r\n${lines.join('')}`
}

function isCluster({ services }: NodeCore, { isProxied }: Facts): boolean {
  return services.topology !== undefined && !isProxied
}

function server(core: NodeCore, facts: Facts): Lines {
  const { identity } = core
  return [
    ['redis_version', REDIS_VERSION],
    ['redis_mode', isCluster(core, facts) ? 'cluster' : 'standalone'],
    ['causeway_version', identity.version],
    ['os', facts.process.platform],
    ['arch_bits', 64],
    ['runtime', facts.process.runtime],
    ['process_id', facts.process.pid],
    ['run_id', identity.nodeId.padEnd(40, '0')],
    ['tcp_port', facts.port],
    ['server_time_usec', Math.floor(core.engine.clock.read() * 1000)],
    ['uptime_in_seconds', Math.floor(facts.uptimeMs / 1000)],
    ['uptime_in_days', Math.floor(facts.uptimeMs / 86_400_000)],
    ['hz', core.settings.values.hz],
  ]
}

function clients(core: NodeCore, facts: HostFacts): Lines {
  return [
    ['connected_clients', facts.clients.connected],
    ['maxclients', facts.clients.max],
    ['blocked_clients', facts.clients.blocked],
    ['tracking_clients', core.engine.commands.audience.tracking.clientCount],
  ]
}

function memory(core: NodeCore, facts: HostFacts): Lines {
  const figures = memoryFigures(core, facts.process, facts.clients.bufferedBytes)
  const { maxmemory } = core.settings.values
  return [
    ['used_memory', figures.used],
    ['used_memory_human', human(figures.used)],
    ['used_memory_rss', figures.resident],
    ['used_memory_rss_human', human(figures.resident)],
    ['used_memory_peak', figures.residentPeak],
    ['used_memory_peak_human', human(figures.residentPeak)],
    ['used_memory_overhead', figures.overhead],
    ['used_memory_startup', core.startBytes],
    ['used_memory_dataset', figures.dataset],
    ['used_memory_heap', figures.heap],
    ['used_memory_buffers', figures.buffers],
    ['used_memory_free', figures.free],
    ['total_system_memory', core.machineBytes],
    ['total_system_memory_human', human(core.machineBytes)],
    ['heap_limit', figures.heapLimit],
    ['maxmemory', maxmemory],
    ['maxmemory_human', human(maxmemory)],
    ['maxmemory_policy', core.settings.values['maxmemory-policy']],
    ['mem_fragmentation_ratio', figures.fragmentation.toFixed(2)],
    ['mem_fragmentation_bytes', figures.resident - figures.used],
    ['mem_clients_normal', figures.clients],
    ['mem_log_tail', figures.logTail],
    ['mem_waiting_ops', figures.waitingOps],
    ['mem_allocator', 'v8'],
  ]
}

/** The rest is not known before the data folder is read. */
function loadingLines(loading: Loading): Lines {
  const { phase, bytesDone, bytesTotal } = loading.progress
  return [
    ['loading', 1],
    ['async_loading', 0],
    ['loading_start_time', Math.floor(loading.startedWallMs / 1000)],
    ['loading_phase', phase],
    ['loading_total_bytes', bytesTotal],
    ['loading_loaded_bytes', bytesDone],
    ['loading_loaded_perc', loading.percent.toFixed(2)],
    ['loading_eta_seconds', loading.etaSeconds],
  ]
}

function persistence(core: NodeCore, facts: HostFacts): Lines {
  if (facts.loading !== undefined) return loadingLines(facts.loading)
  const { log, snapshotter, store } = core
  return [
    ['loading', 0],
    ['rdb_changes_since_last_save', snapshotter.changes],
    ['rdb_bgsave_in_progress', Number(snapshotter.isRunning)],
    ['rdb_last_save_time', snapshotter.lastSaveSeconds],
    ['rdb_last_bgsave_status', snapshotter.lastFailure === undefined ? 'ok' : 'err'],
    ['rdb_last_bgsave_time_sec', snapshotter.lastSeconds],
    ['rdb_current_bgsave_time_sec', snapshotter.currentSeconds],
    ['rdb_saves', snapshotter.count],
    ['aof_enabled', 1],
    ['aof_rewrite_in_progress', 0],
    ['aof_rewrite_scheduled', 0],
    ['aof_last_rewrite_time_sec', -1],
    ['aof_current_rewrite_time_sec', -1],
    ['aof_last_bgrewrite_status', 'ok'],
    ['aof_last_write_status', log.isFull ? 'err' : 'ok'],
    ['aof_current_size', log.bytes],
    ['snapshot_percent', Math.floor(snapshotter.progress * 100)],
    ['snapshot_bytes', store.newest?.bytes ?? 0],
    ['snapshot_last_error', snapshotter.lastFailure ?? ''],
    ['log_start_position', log.start],
    ['log_segments', log.segments.length],
    ['log_written_position', log.writtenPosition],
    ['log_durable_position', log.durablePosition],
  ]
}

function stats(core: NodeCore, facts: HostFacts): Lines {
  return [
    ['total_connections_received', facts.clients.received],
    ['total_commands_processed', core.engine.commands.commandCount],
    ['instantaneous_ops_per_sec', Math.round(facts.commandsPerSecond)],
    ['total_net_input_bytes', facts.clients.inputBytes],
    ['total_net_output_bytes', facts.clients.outputBytes],
    ['rejected_connections', facts.clients.rejected],
    ['pubsub_channels', core.engine.commands.audience.channels.nameCount('channel')],
    ['pubsub_patterns', core.engine.commands.audience.channels.nameCount('pattern')],
    ['pubsubshard_channels', core.engine.commands.audience.channels.nameCount('shard')],
    ['tracking_total_keys', core.engine.commands.audience.tracking.keyCount],
    ['expired_keys', core.engine.expiredCount],
    ['evicted_keys', core.engine.evictedCount],
    ['total_error_replies', core.engine.commands.errorCount],
  ]
}

function replication(core: NodeCore, { agent, isProxied }: Facts): Lines {
  const { role, term, offset } = core.replication.state()
  return [
    // Behind the proxy the region is one server, which has all and takes all.
    ...(isProxied ? [['role', 'master'] as const, ['connected_slaves', 0] as const] : copies(core)),
    ['replication_role', role],
    ['replication_term', term],
    ...(agent === undefined ? [] : agentLines(agent)),
    ['master_replid', core.identity.nodeId.padEnd(40, '0')],
    ['master_repl_offset', offset],
  ]
}

/** Whom it follows, and who follows it, in the region; other regions stand in the section Crdt. */
function copies(core: NodeCore): Lines {
  const { role, offset, primary, replicas } = core.replication.state()
  const { values } = core.settings
  const lines: [string, string | number][] = [['role', role === 'primary' ? 'master' : 'slave']]
  if (primary !== undefined) {
    const colon = primary.address.lastIndexOf(':')
    const heardMsAgo = primary.heardMsAgo ?? Number.POSITIVE_INFINITY
    lines.push(
      ['master_host', primary.address.slice(0, colon)],
      ['master_port', primary.address.slice(colon + 1)],
      ['master_link_status', primary.link === 'connected' ? 'up' : 'down'],
      ['master_last_io_seconds_ago', Number.isFinite(heardMsAgo) ? Math.floor(heardMsAgo / 1000) : -1],
      ['master_sync_in_progress', Number(primary.link === 'sync')],
      ['master_link_error', primary.error ?? ''],
      ['slave_repl_offset', offset],
      ['slave_priority', values['replica-priority']],
      ['slave_read_only', 1],
    )
  }
  lines.push(['connected_slaves', replicas.filter(({ state }) => state === 'online').length])
  if (values['min-replicas-to-write'] > 0)
    lines.push(['min_slaves_good_slaves', replicas.filter(({ keepsUp }) => keepsUp).length])
  replicas.forEach(({ host, port, state, offset: reached, heardMsAgo }, i) => {
    const lag = Math.floor(heardMsAgo / 1000)
    lines.push([`slave${i}`, `ip=${host},port=${port},state=${state},offset=${reached},lag=${lag}`])
  })
  return lines
}

function cluster(core: NodeCore, facts: Facts): Lines {
  const { shared } = core.settings
  return [
    ['cluster_enabled', isCluster(core, facts) ? 1 : 0],
    ['cluster_config_version', shared?.version ?? 0],
    ['cluster_config_not_applied', shared?.notApplied.join(',') ?? ''],
  ]
}

function agentLines(agent: AgentStatus): [string, string | number][] {
  return [
    ['leader', agent.leader],
    ['in_sync', agent.inSync.join(',')],
    ['coordinator', agent.isCoordinatorThere ? 'ok' : 'away'],
    ['lease_left_ms', Math.round(agent.leaseLeftMs)],
    ['may_answer', Number(agent.mayAnswer)],
  ]
}

function cpu(_core: NodeCore, facts: HostFacts): Lines {
  return [
    ['used_cpu_sys', facts.process.cpuSystem.toFixed(6)],
    ['used_cpu_user', facts.process.cpuUser.toFixed(6)],
  ]
}

function keyspace(core: NodeCore): Lines {
  const lines: [string, string][] = []
  const now = core.engine.clock.read()
  for (const database of core.engine.keyspace.databases()) {
    if (database.index === LIBRARY_DB) continue
    const due = database.dueKeys(now).size
    const keys = database.size - due
    if (keys === 0) continue
    lines.push([`db${database.index}`, `keys=${keys},expires=${database.volatileSize - due},avg_ttl=0`])
  }
  return lines
}

function crdt(core: NodeCore): Lines {
  const { identity, engine, conflicts } = core
  const lines: [string, string | number][] = [
    ['region', identity.region],
    ['region_id', identity.regionId],
    ['region_mode', engine.membership.modeOf(identity.regionId)],
    ['node_id', identity.nodeId],
    ['origin', engine.origin.id],
    ['vector', core.applied.toWire().map(pair).join(',')],
    ['durable_vector', core.durable.toWire().map(pair).join(',')],
    ['ops_minted', engine.mintedCount],
    ['ops_received', engine.receivedCount],
  ]
  const horizon = horizonOf(core)
  lines.push(
    ['cut_ops_above', horizon.cutOps],
    ['cut_lag_ms', horizon.cutLagMs],
    ['cut_state', horizon.cutState],
    ['reclaim_pending', horizon.reclaimPending],
    ['lacking', Number(horizon.lacking)],
    ['fences', horizon.fences],
    ['seals', horizon.seals],
    ['suspended_regions', horizon.suspended.join(',')],
    ['late_tail_pending', Number(core.lateTail.isPending)],
    ['late_ops_minted_again', core.lateTail.mintedCount],
    ['late_removals_dropped', core.lateTail.droppedCount],
    ['late_writes_overwritten', core.lateTail.overwrittenCount],
    ['publications_dropped', core.mesh.publications.dropped],
    ['neighbours', `hears=${core.mesh.neighbours.heardCount},heard_by=${core.mesh.neighbours.linkCount}`],
  )
  for (const rule of CONFLICT_RULES)
    lines.push([`conflicts_${rule.replaceAll('-', '_')}`, conflicts.counts[rule]])
  for (const link of core.mesh.links()) {
    lines.push([
      `link_${link.region}`,
      `pull=${link.pull},serve=${link.serve},paused=${Number(link.paused)},lag_ops=${link.lagOps ?? 0},` +
        `lag_ms=${link.lagMs},behind_ops=${link.behindOps},behind_ms=${link.behindMs},` +
        `skew_ms=${link.skewMs ?? 0},bytes_in=${link.bytesIn},bytes_out=${link.bytesOut}`,
    ])
    lines.push(...transferLines(link))
  }
  return lines
}

/** Snapshots that travel over the links with a region. */
function transferLines({ region, snapshotIn, snapshotOut }: LinkStatus): [string, string][] {
  const lines: [string, string][] = []
  for (const [name, progress] of [
    ['in', snapshotIn],
    ['out', snapshotOut],
  ] as const) {
    if (progress === undefined) continue
    const { phase, done, total } = progress
    lines.push([`link_${region}_snapshot_${name}`, `phase=${phase},done=${done},total=${total}`])
  }
  return lines
}

function pair([origin, seq]: readonly [string, number]): string {
  return `${origin}=${seq}`
}

function human(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`
  const power = Math.min(4, Math.floor(Math.log2(bytes) / 10))
  return `${(bytes / 1024 ** power).toFixed(2)}${'BKMGT'[power]}`
}
