/**
 * core-settings.ts: the settings of a node in the shapes in which its rooms ask for them, and its folder locked.
 */
import type { Identity, Role } from '../sync/ports.ts'
import { SYNC_DEFAULTS, type SyncSettings } from '../sync/settings.ts'
import { AccessControl } from './acl/access-control.ts'
import type { User } from './acl/user.ts'
import { catalogOf } from './commands/access.ts'
import { commandTable } from './commands/families.ts'
import { SETTING_ROWS } from './config/table.ts'
import { databaseConfiguration, type Settings } from './config.ts'
import type { WatchSettings } from './engine/command-watch.ts'
import type { EvictionSettings } from './engine/eviction.ts'
import { DiskError, type Env } from './env.ts'
import type { FolderIdentity } from './persistence/identity.ts'
import { StartError } from './start-error.ts'
import { SyncLinger } from './sync-linger.ts'
import { VERSION } from './version.ts'

/** Takes the folder for this process, and makes it when it is not there. @throws StartError */
export function lockFolder(env: Env, folder: string): { release(): void } {
  try {
    env.disk.makeFolder(folder)
    const lock = env.disk.lockFolder(folder)
    if ('release' in lock) return lock
    throw new StartError(
      `the data folder ${folder} is in use by process ${lock.heldBy}: two nodes never share one. ` +
        'Stop that process, or give this node a folder of its own with --dir.',
    )
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    throw new StartError(`cannot use the data folder ${folder}: ${error.message}. Choose another with --dir.`)
  }
}

/** What of an identity changes while the node runs. */
export interface LiveIdentity {
  /** Of its region, as it knows it now. */
  epoch(): number
  role(): Role
  term(): number
  /** On which clients reach it, when none is announced. */
  port(): number
}

/** What a node tells others of itself. */
export function identityOf(
  { region, regionId, nodeId, partitions, partition = 0 }: FolderIdentity,
  settings: Settings,
  live: LiveIdentity,
): Identity {
  const { values } = settings
  return {
    region,
    regionId,
    nodeId,
    partitions,
    partition,
    configuration: databaseConfiguration(settings),
    version: VERSION,
    host: values['replica-announce-ip'],
    get epoch() {
      return live.epoch()
    },
    get role() {
      return live.role()
    },
    get term() {
      return live.term()
    },
    get port() {
      return values['replica-announce-port'] === 0 ? live.port() : values['replica-announce-port']
    },
  }
}

/** Settings as those see them who watch commands. */
export function watchSettings({ values }: Settings): WatchSettings {
  return {
    slowMicros: values['slowlog-log-slower-than'],
    slowLogLength: values['slowlog-max-len'],
    latencyMs: values['latency-monitor-threshold'],
    tracksLatency: values['latency-tracking'],
    isSecret: (name) => SETTING_ROWS.get(name)?.secret === true,
  }
}

/** Settings as sync reads them: through, so that CONFIG SET takes effect at once. */
export function syncSettings({ values }: Settings, env: Env): SyncSettings {
  const linger = new SyncLinger(env, () => values['sync-linger-ms'])
  return {
    ...SYNC_DEFAULTS,
    peers: values.peer,
    secret: values['sync-secret'],
    frameBytesMax: values['sync-frame-bytes-max'],
    get lingerMs() {
      // While replies wait for replicas, nothing waits for company.
      return values['replica-ack'] === 'async' ? linger.next() : 0
    },
    get causalBufferBytesMax() {
      return values['causal-buffer-bytes']
    },
    get expireTakeoverMs() {
      return values['expire-takeover-ms']
    },
  }
}

export function evictionSettings({ values }: Settings): EvictionSettings {
  return {
    policy: () => values['maxmemory-policy'],
    samples: () => values['maxmemory-samples'],
    useCount: {
      get logFactor() {
        return values['lfu-log-factor']
      },
      get decayMinutes() {
        return values['lfu-decay-time']
      },
    },
  }
}

/**
 * Users as the settings make them: one, who may do everything, and has the password that is set.
 * @param changed  a user has changed, or is gone
 */
export function accessControl(
  { values }: Settings,
  env: Env,
  sha256: (word: string) => string,
  changed: (user: User, isGone: boolean) => void,
): AccessControl {
  const access = new AccessControl({
    catalog: catalogOf(commandTable),
    hash: sha256,
    allChannelsAtFirst: () => values['acl-pubsub-default'] === 'allchannels',
    nowMs: () => env.wallMs(),
    logLengthMax: () => values['acllog-max-len'],
    changed,
  })
  access.setDefaultPassword(values.requirepass)
  return access
}
