/**
 * of-core.ts: the replication of a node, put together of its rooms and its settings.
 */
import type { Mesh } from '../../sync/mesh.ts'
import type { Services } from '../commands/services.ts'
import type { SettingName, Settings } from '../config.ts'
import type { HorizonKeeper } from '../horizon-keeper.ts'
import { Replication, type ReplicationParts } from './replication.ts'

/** The rooms of a node that it needs. */
export interface Rooms extends Pick<ReplicationParts, 'engine' | 'log' | 'lateTail'> {
  readonly settings: Settings
  readonly identity: { readonly nodeId: string; readonly partition: number }
  readonly services: Pick<Services, 'sessions'>
  // Made later than the replication.
  readonly mesh: Mesh
  readonly keeper: HorizonKeeper
}

/** What only the core itself knows. */
export type CoreSide = Pick<ReplicationParts, 'env' | 'folder' | 'terms' | 'turnBegan' | 'silence' | 'info'>

const WATCHED: ReadonlySet<SettingName> = new Set([
  'replica-ack',
  'min-replicas-to-write',
  'min-replicas-max-lag',
])

/** @throws StartError */
export function replicationOf(core: Rooms, side: CoreSide): Replication {
  const { settings, engine, log, lateTail } = core
  const { values } = settings
  const url = values['replica-of']
  const parts: ReplicationParts = {
    ...side,
    nodeId: core.identity.nodeId,
    partition: core.identity.partition,
    isTls: values['tls-replication'],
    engine,
    log,
    lateTail,
    mesh: () => core.mesh,
    keeper: () => core.keeper,
    sessions: () => core.services.sessions,
    ackMode: () => values['replica-ack'],
    isDurableAck: () => values.appendfsync === 'always',
    minReplicas: () => ({
      count: values['min-replicas-to-write'],
      lagSecondsMax: values['min-replicas-max-lag'],
    }),
    noted: (address) => settings.replace({ ...values, 'replica-of': address }),
  }
  // With a coordinator the agent says what it is.
  const first = values.coordinator === '' ? 'primary' : 'idle'
  const replication = new Replication(parts, url === '' ? first : 'replica', url)
  settings.onChange((name) => {
    if (name === 'replica-of') replication.told(values['replica-of'])
    else if (WATCHED.has(name)) replication.configured()
  })
  return replication
}
