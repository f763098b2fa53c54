/**
 * table.ts: the one table of settings. Everything else about them follows from it: parsing, help,
 * CONFIG GET and SET, the typed record readers use, the digest that regions compare.
 *
 * Names are Redis's own wherever Redis has the setting. `scope: 'database'` means that all regions
 * must agree on the value: it goes into the configuration digest of the handshake. `change` says
 * when the value may be given: at the start only, at run time too (CONFIG SET takes effect at once),
 * or never, for a fact that Redis clients ask for and that is always so in this version.
 *
 * Invariants: (1) every row names its unit, in its name or in its help. (2) `secret` values are
 * printed nowhere. (3) A default is a value that may be written; only `region` and
 * `region-id` have none, and must be given.
 */
import { EVICTING_POLICIES } from '../engine/eviction.ts'
import { WORD_BYTES_MAX } from '../resp/word.ts'
import {
  bytes,
  choice,
  coordinatorAddress,
  flag,
  integer,
  type Kind,
  keyspaceEvents,
  outputLimits,
  peers,
  primaryAddress,
  regionName,
  saveRules,
  syncAddress,
  text,
  word,
} from './kinds.ts'

export type Section =
  | 'identity'
  | 'network'
  | 'replicas'
  | 'cluster'
  | 'peers'
  | 'durability'
  | 'limits'
  | 'time'
  | 'reports'
  | 'redis'

export interface SettingRow<T> {
  readonly section: Section
  readonly kind: Kind<T>
  readonly default: T
  readonly scope: 'node' | 'database'
  readonly change: 'start' | 'runtime' | 'never'
  readonly secret: boolean
  /** One sentence. */
  readonly help: string
}

const KB = 1024
const MB = 1024 * KB
const GB = 1024 * MB
const INT32_MAX = 2 ** 31 - 1

interface RowOptions {
  readonly scope?: 'database'
  readonly change?: 'runtime'
  readonly secret?: true
}

function row<T>(
  section: Section,
  kind: Kind<T>,
  value: NoInfer<T>,
  help: string,
  options: RowOptions = {},
): SettingRow<T> {
  const { scope = 'node', change = section === 'redis' ? 'never' : 'start', secret = false } = options
  return { section, kind, default: value, scope, change, secret, help }
}

const runtime = { change: 'runtime' } as const
const noLimit = { hardBytes: 0, softBytes: 0, softSeconds: 0 }

export const SETTINGS = {
  region: row('identity', regionName(), '', 'Name of this region; required.'),
  'region-id': row(
    'identity',
    integer(1, 1023),
    0,
    'Number of this region, given to no other region ever; required.',
  ),
  dir: row('identity', text('folder'), 'data', 'Folder for the log and the snapshots.'),
  databases: row('identity', integer(1, 1024), 16, 'Number of logical databases (SELECT).', {
    scope: 'database',
  }),
  partitions: row(
    'identity',
    integer(1, 1024),
    1,
    'Partitions of the database, a power of two; more than 1 need a coordinator.',
    { scope: 'database' },
  ),
  partition: row('identity', integer(0, 1023), 0, 'The one of them that this node holds, from 0 on.'),
  'stream-id-mode': row(
    'identity',
    choice('strict', 'semi-strict', 'liberal'),
    'semi-strict',
    'Which stream ids XADD accepts: strict refuses full ids, liberal does as Redis.',
    { scope: 'database' },
  ),

  bind: row('network', word('address'), '127.0.0.1', 'Address that all servers of this node listen on.'),
  port: row(
    'network',
    integer(0, 65535),
    6379,
    'Port for Redis clients; 0 takes any free port, or none beside a tls-port.',
  ),
  'sentinel-port': row(
    'network',
    integer(0, 65535),
    0,
    'Port for clients that ask a Redis Sentinel for the primary; 0 is none.',
  ),
  'sentinel-tls-port': row(
    'network',
    integer(0, 65535),
    0,
    'The same inside TLS; it tells the tls-port of the primary. 0 is none.',
  ),
  'proxy-port': row(
    'network',
    integer(0, 65535),
    0,
    'Port at which the whole region looks like one Redis server; 0 is none.',
  ),
  'proxy-tls-port': row('network', integer(0, 65535), 0, 'The same for clients that speak TLS; 0 is none.'),
  'tls-port': row('network', integer(0, 65535), 0, 'Port for Redis clients that speak TLS; 0 is none.'),
  'tls-replication': row(
    'network',
    flag(),
    false,
    'Nodes reach each other inside TLS, also between regions.',
  ),
  'tls-cert-file': row('network', text('path', true), '', 'Certificate of the node, PEM.', runtime),
  'tls-key-file': row('network', text('path', true), '', 'Private key of the certificate, PEM.', runtime),
  'tls-key-file-pass': row('network', word(), '', 'Passphrase of the private key.', {
    change: 'runtime',
    secret: true,
  }),
  'tls-ca-cert-file': row(
    'network',
    text('path', true),
    '',
    'Who signs certificates of clients, PEM.',
    runtime,
  ),
  'tls-ca-cert-dir': row(
    'network',
    text('folder', true),
    '',
    'Folder of such files: .pem, .crt, .cer.',
    runtime,
  ),
  'tls-auth-clients': row(
    'network',
    choice('yes', 'no', 'optional'),
    'yes',
    'Whether clients show certificates; optional: a wrong one is refused, none is not.',
    runtime,
  ),
  'tls-protocols': row(
    'network',
    word('names'),
    '',
    'Such as: TLSv1.2 TLSv1.3, which is the default.',
    runtime,
  ),
  'tls-ciphers': row(
    'network',
    word('names'),
    '',
    'Ciphers of TLS 1.2, OpenSSL names; empty: the default.',
    runtime,
  ),
  'tls-ciphersuites': row('network', word('names'), '', 'Ciphers of TLS 1.3; empty: the default.', runtime),
  'sync-port': row('network', integer(0, 65535), 0, 'Port for the other regions; 0 is off.'),
  'admin-port': row(
    'network',
    integer(0, 65535),
    0,
    'Port for health, metrics and status over HTTP; 0 is off.',
  ),
  requirepass: row('network', word(), '', 'Password that clients must give (AUTH); empty asks for none.', {
    change: 'runtime',
    secret: true,
  }),
  'protected-mode': row(
    'network',
    flag(),
    true,
    'Without a password, clients of other machines are refused.',
    runtime,
  ),
  'notify-keyspace-events': row(
    'network',
    keyspaceEvents(),
    '',
    'Keyspace events that clients may listen to, as letters; empty is none.',
    runtime,
  ),
  'tracking-table-max-keys': row(
    'limits',
    integer(0, INT32_MAX),
    1_000_000,
    'Keys remembered for CLIENT TRACKING; 0 is no limit.',
    runtime,
  ),
  aclfile: row(
    'network',
    text('path', true),
    '',
    'File that ACL LOAD and ACL SAVE read and write; empty is none.',
  ),
  'acllog-max-len': row('reports', integer(0, INT32_MAX), 128, 'Refusals that ACL LOG keeps.', runtime),
  'acl-pubsub-default': row(
    'network',
    choice('allchannels', 'resetchannels'),
    'resetchannels',
    'Channels that a new user may use before he is given any.',
    runtime,
  ),
  maxclients: row('network', integer(1, 1_000_000), 10_000, 'Most clients connected at a time.', runtime),
  timeout: row(
    'network',
    integer(0, INT32_MAX),
    0,
    'Seconds after which an idle client is disconnected; 0 is never.',
    runtime,
  ),
  'tcp-keepalive': row(
    'network',
    integer(0, INT32_MAX),
    300,
    'Seconds between keepalive probes to a silent client; 0 is off.',
    runtime,
  ),

  'replica-of': row(
    'replicas',
    primaryAddress(),
    '',
    'The primary of this region that this node follows; empty: it is primary itself.',
    runtime,
  ),
  'replica-ack': row(
    'replicas',
    choice('async', 'sync', 'sync-strict'),
    'async',
    'Replies wait for replicas: never, while one keeps up, or always.',
    runtime,
  ),
  'replica-announce-ip': row('replicas', word('address'), '', 'Where clients reach this node, if not there.'),
  'replica-announce-port': row('replicas', integer(0, 65535), 0, 'Likewise its port; 0: as it listens.'),
  'replica-priority': row(
    'replicas',
    integer(0, INT32_MAX),
    100,
    'As INFO tells it; a lower one is preferred.',
    runtime,
  ),
  'min-replicas-to-write': row(
    'replicas',
    integer(0, 1000),
    0,
    'Writes are refused with fewer replicas linked; 0: never.',
    runtime,
  ),
  'min-replicas-max-lag': row(
    'replicas',
    integer(0, INT32_MAX),
    10,
    'Seconds since a replica was heard, from which on it does not count; 0: any.',
    runtime,
  ),

  coordinator: row(
    'cluster',
    coordinatorAddress(),
    '',
    'Who says which node is primary: an etcd, or on one machine a folder.',
  ),
  'coordinator-user': row('cluster', word(), '', 'User of the etcd; empty: it asks for none.'),
  'coordinator-password': row('cluster', word(), '', 'Password of that user.', { secret: true }),
  'database-name': row('cluster', word('name'), 'causeway', 'Name of the database in the coordinator.'),
  zone: row('cluster', word('name'), '', 'Zone or rack of this node; a zone lost is survived in another.'),
  'failover-profile': row(
    'cluster',
    choice('high', 'low'),
    'high',
    'How soon a lost primary is replaced: high in 5 s, low in 13 s.',
  ),
  'unclean-failover': row(
    'cluster',
    flag(),
    false,
    'A replica that lacks something may be promoted if no other is left; async only.',
  ),

  peer: row(
    'peers',
    peers(),
    [],
    'Another region and its sync address; repeat it for each, and each of its nodes.',
  ),
  'sync-secret': row('peers', word(), '', 'Shared secret that regions prove to each other.', {
    secret: true,
  }),
  'sync-announce-url': row(
    'peers',
    syncAddress(),
    '',
    'Where other nodes dial the sync port, if not there: behind NAT, or a TLS proxy.',
  ),
  'sync-linger-ms': row(
    'peers',
    integer(0, 1000),
    1,
    'Least milliseconds between two messages; if busy, 16 times that or 1000 ops.',
    runtime,
  ),
  'sync-frame-bytes-max': row('peers', bytes(MB, 2 * GB), GB, 'Largest message taken from a peer, bytes.'),
  'causal-buffer-bytes': row(
    'peers',
    bytes(MB, 64 * GB),
    64 * MB,
    'Memory for received ops that wait for ops they depend on, bytes.',
    runtime,
  ),

  appendfsync: row(
    'durability',
    choice('everysec', 'always', 'no'),
    'everysec',
    'When the log is made durable: each second, before each reply, or at leisure.',
    runtime,
  ),
  'log-segment-bytes': row('durability', bytes(MB, 4 * GB), 64 * MB, 'Size of one file of the log, bytes.'),
  save: row(
    'durability',
    saveRules(),
    [{ seconds: 3600, changes: 1 }],
    'A snapshot after so many seconds with at least so many ops; empty is never.',
    runtime,
  ),
  'snapshot-every-hours': row(
    'durability',
    choice('0', '1', '6', '12'),
    '0',
    'A snapshot every so many hours, if there was a write; 0 is never.',
    runtime,
  ),
  'log-snapshot-bytes': row(
    'durability',
    bytes(MB, Number.MAX_SAFE_INTEGER),
    256 * MB,
    'Bytes of log, or those of the last snapshot, after which one is made.',
    runtime,
  ),
  'log-retain-bytes': row(
    'durability',
    bytes(2 ** 20, Number.MAX_SAFE_INTEGER),
    16 * 2 ** 30,
    'Log kept for a silent region, bytes; above it, a minute of silence suspends it.',
    runtime,
  ),
  'log-tail-bytes': row(
    'durability',
    bytes(64 * KB, 4 * GB),
    8 * MB,
    'Recent log kept in memory for peers, bytes; older ops are read from disk.',
  ),

  maxmemory: row(
    'limits',
    bytes(0, Number.MAX_SAFE_INTEGER),
    0,
    'Memory above which clients may not write more, bytes; 0: most of the machine.',
    runtime,
  ),
  'maxmemory-policy': row(
    'limits',
    { ...choice(...EVICTING_POLICIES, 'noeviction'), shape: 'noeviction | allkeys-* | volatile-*' },
    'noeviction',
    'Which keys go when memory is used up; they go in all regions.',
    runtime,
  ),
  'maxmemory-samples': row('limits', integer(1, 64), 5, 'Keys drawn for each that goes.', runtime),
  'lfu-log-factor': row('limits', integer(0, 1000), 10, 'How many uses make a step of the count.', runtime),
  'lfu-decay-time': row(
    'limits',
    integer(0, INT32_MAX),
    1,
    'Minutes without a use that take a step of the count back; 0: none do.',
    runtime,
  ),
  'busy-reply-threshold': row(
    'limits',
    integer(0, INT32_MAX),
    5000,
    'Milliseconds, about, that a script which has written nothing may run; 0: any.',
    runtime,
  ),
  'proto-max-bulk-len': row(
    'limits',
    bytes(MB, Number.MAX_SAFE_INTEGER, WORD_BYTES_MAX),
    WORD_BYTES_MAX,
    'Largest single value, bytes; V8 strings end 24 bytes below 512mb.',
    runtime,
  ),
  'client-query-buffer-limit': row(
    'limits',
    bytes(MB, Number.MAX_SAFE_INTEGER),
    GB,
    'Most bytes of a command that has not arrived whole.',
    runtime,
  ),
  'client-output-buffer-limit': row(
    'limits',
    outputLimits(),
    {
      normal: noLimit,
      slave: { hardBytes: 256 * MB, softBytes: 64 * MB, softSeconds: 60 },
      pubsub: { hardBytes: 32 * MB, softBytes: 8 * MB, softSeconds: 60 },
    },
    'Unsent bytes that end a connection; pubsub: one that listens or has MONITOR on.',
    runtime,
  ),

  'peer-dark-max-ms': row(
    'peers',
    integer(1000, Number.MAX_SAFE_INTEGER),
    86_400_000,
    'Milliseconds that a region may be unheard before the others go on without it.',
    runtime,
  ),
  'expire-takeover-ms': row(
    'time',
    integer(1000, Number.MAX_SAFE_INTEGER),
    86_400_000,
    'Milliseconds that the removal of a due key waits for a region that is unheard.',
    runtime,
  ),
  'max-drift-ms': row(
    'time',
    integer(0, 86_400_000),
    60_000,
    'Milliseconds by which a stamp from a fast clock may lift ours.',
    runtime,
  ),
  'drift-warn-ms': row(
    'time',
    integer(0, 86_400_000),
    500,
    'Clock difference to a peer, milliseconds, above which a warning is logged.',
    runtime,
  ),

  loglevel: row(
    'reports',
    choice('debug', 'verbose', 'notice', 'warning'),
    'notice',
    'Least urgent kind of log line written to standard error.',
    runtime,
  ),
  'slowlog-log-slower-than': row(
    'reports',
    integer(-1, Number.MAX_SAFE_INTEGER),
    10_000,
    'Microseconds from which on a command is kept in the slow log; -1 is never.',
    runtime,
  ),
  'slowlog-max-len': row('reports', integer(0, 1_000_000), 128, 'Commands kept in the slow log.', runtime),
  'latency-monitor-threshold': row(
    'reports',
    integer(0, INT32_MAX),
    0,
    'Milliseconds from which on a command counts as a latency spike; 0 is off.',
    runtime,
  ),
  'latency-tracking': row(
    'reports',
    flag(),
    false,
    'Times every command for LATENCY HISTOGRAM, at two readings of the clock each.',
    runtime,
  ),
  'enable-debug-command': row(
    'reports',
    choice('no', 'yes', 'local'),
    'no',
    'Who may run DEBUG: nobody, everybody, or clients of this machine.',
  ),
  'conflict-log-length': row(
    'reports',
    integer(0, 1_000_000),
    128,
    'Conflict events kept in memory to be read.',
    runtime,
  ),

  appendonly: row('redis', flag(), true, 'The log is always on.'),
  'cluster-enabled': row('redis', flag(), false, 'All slots are served here.'),
  'replica-read-only': row('redis', flag(), true, 'Replicas take no writes: only a primary mints ops.'),
  hz: row('redis', integer(1, 500), 10, 'Background work per second, as Redis reports it.'),
} as const

export type SettingName = keyof typeof SETTINGS
export type SettingValues = { readonly [Name in SettingName]: (typeof SETTINGS)[Name]['default'] }

/** The table for code that walks over it or is given a name by somebody. */
export const SETTING_ROWS: ReadonlyMap<string, SettingRow<unknown>> = new Map(Object.entries(SETTINGS))

export function defaultValues(): SettingValues {
  return Object.fromEntries(
    [...SETTING_ROWS].map(([name, { default: value }]) => [name, value]),
  ) as SettingValues
}
