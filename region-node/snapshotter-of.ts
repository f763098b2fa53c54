/**
 * snapshotter-of.ts: the snapshots of a node, put together of its rooms and its settings.
 */
import { ByteWriter } from '../crdt/codec/bytes.ts'
import type { Settings } from './config.ts'
import type { Engine } from './engine/engine.ts'
import type { Env } from './env.ts'
import type { SnapshotHeader } from './persistence/snapshot-file.ts'
import { Snapshotter, type SnapshotterOptions } from './persistence/snapshotter.ts'

/** The rooms of a node that they need. */
export interface Rooms extends Pick<SnapshotterOptions, 'log' | 'store' | 'origins' | 'latin1'> {
  readonly settings: Settings
  readonly engine: Engine
  readonly identity: { readonly nodeId: string }
  /** Made later than the snapshotter. */
  readonly retention: { trim(): void }
}

/** What only the core itself knows. */
export interface CoreSide {
  readonly env: Env
  /** Most entries that one goes on by before others have a turn. */
  readonly sliceEntriesMax: number
  /** The open turn is to be ended. */
  readonly turnBegan: () => void
  readonly info: (sentence: string) => void
  readonly warn: (sentence: string) => void
}

export function snapshotterOf(core: Rooms, side: CoreSide): Snapshotter {
  const { settings, engine, log, store, origins, latin1 } = core
  const { values } = settings
  return new Snapshotter({
    env: side.env,
    latin1,
    origins,
    keyspace: engine.keyspace,
    store,
    log,
    applied: engine.applied,
    settle: () => {
      // What is applied is what the log holds.
      engine.endBatch()
      side.turnBegan()
      return headerOf(core, side.env)
    },
    rules: () => ({
      save: values.save,
      everyHours: Number(values['snapshot-every-hours']),
      logBytes: values['log-snapshot-bytes'],
    }),
    added: () => core.retention.trim(),
    sliceEntriesMax: side.sliceEntriesMax,
    info: side.info,
    warn: side.warn,
  })
}

function headerOf({ engine, identity, settings }: Rooms, env: Env): SnapshotHeader {
  const horizon = new ByteWriter()
  engine.membership.encode(horizon)
  return {
    nodeId: identity.nodeId,
    vector: engine.applied.copy(),
    hlc: engine.hlc,
    clockMs: engine.clock.read(),
    createdMs: env.wallMs(),
    databases: settings.values.databases,
    horizon: horizon.bytes.slice(0, horizon.at),
  }
}
