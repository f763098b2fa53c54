/**
 * plan.ts: names, numbers, ports and folders of a few regions on one machine, each a peer of the others.
 */
import { join } from 'node:path'

export interface RegionPlan {
  readonly name: string
  readonly id: number
  /** The address that the process listens on. */
  readonly bind: string
  readonly port: number
  readonly adminPort: number
  /** Where its peers reach it. */
  readonly syncUrl: string
  readonly folder: string
  readonly logFile: string
  /** The command line after `causeway node`. */
  readonly words: readonly string[]
}

/** The other ports lie this far above the one for clients. */
const ADMIN_OFFSET = 1000
const SYNC_OFFSET = 2000

/** @param firstPort  for clients of the first region; the others follow  @param folder  holds all of them */
export function planRegions(names: readonly string[], firstPort: number, folder: string): RegionPlan[] {
  const syncUrl = (index: number): string => `ws://127.0.0.1:${firstPort + index + SYNC_OFFSET}`
  return names.map((name, index) => {
    const port = firstPort + index
    const dir = join(folder, name)
    const peers = names.flatMap((peer, other) =>
      peer === name ? [] : ['--peer', `${peer}@${syncUrl(other)}`],
    )
    const own = { region: name, 'region-id': index + 1, port, 'sync-port': port + SYNC_OFFSET }
    const settings = { ...own, 'admin-port': port + ADMIN_OFFSET, dir }
    return {
      name,
      id: index + 1,
      bind: '127.0.0.1',
      port,
      adminPort: port + ADMIN_OFFSET,
      syncUrl: syncUrl(index),
      folder: dir,
      logFile: join(folder, `${name}.log`),
      words: [
        ...Object.entries(settings).flatMap(([setting, value]) => [`--${setting}`, String(value)]),
        ...peers,
      ],
    }
  })
}
