/**
 * identity.ts: who a data folder belongs to, and under which origin its node mints.
 *
 * `identity.json` is written once: a random node id, the region, the shape of the database. A node that
 * is started with another region id on this folder is refused, and so is a second folder that claims the
 * same region id in the mesh, because peers see two node ids.
 *
 * `origin.json` holds the origin of this run, durable before its first dot. An orderly stop adds where
 * the log ended; the next run keeps the origin only if it finds the log just there. After anything else
 * it takes a new one, because dots may have been minted, and seen elsewhere, that this disk never kept
 * (algorithms.md, The horizon, 3 and 4).
 */
import { originId } from '../../crdt/origin.ts'
import type { Env } from '../env.ts'
import { StartError } from '../start-error.ts'

const FORMAT = 1

export interface FolderIdentity {
  readonly format: number
  readonly nodeId: string
  readonly region: string
  readonly regionId: number
  readonly partitions: number
}

interface OriginFile {
  readonly origin: string
  /** Where the log ended at an orderly stop; absent while the node runs. */
  readonly endedAt?: number
}

function readJson(env: Env, path: string): unknown {
  const bytes = env.disk.readFile(path)
  if (bytes === undefined) return undefined
  try {
    return JSON.parse(String.fromCharCode(...bytes))
  } catch {
    throw new StartError(
      `${path} is damaged. Put it back from a backup; it says whose data the folder holds.`,
    )
  }
}

function writeJson(env: Env, path: string, value: object): void {
  const text = `${JSON.stringify(value, undefined, 2)}\n`
  env.disk.replaceFile(
    path,
    Uint8Array.from(text, (letter) => letter.charCodeAt(0)),
  )
}

/** Reads a folder's identity, or gives it one. @throws StartError when it belongs to another region */
export function claimFolder(
  env: Env,
  folder: string,
  wanted: { region: string; regionId: number; partitions: number },
): FolderIdentity {
  const path = `${folder}/identity.json`
  const known = readJson(env, path) as FolderIdentity | undefined
  if (known === undefined) {
    const nodeId = Array.from(env.randomBytes(16), (byte) => byte.toString(16).padStart(2, '0')).join('')
    const made: FolderIdentity = { format: FORMAT, nodeId, ...wanted }
    writeJson(env, path, made)
    return made
  }
  if (known.format !== FORMAT) {
    throw new StartError(`${path} has format ${known.format}; this version reads format ${FORMAT}`)
  }
  for (const name of ['region', 'regionId', 'partitions'] as const) {
    if (known[name] === wanted[name]) continue
    const option = name === 'regionId' ? 'region-id' : name
    throw new StartError(
      `${folder} holds the data of a node with ${option} ${known[name]}, but this one is started with ` +
        `${option} ${wanted[name]}. Name the right folder with --dir, or the right ${option}.`,
    )
  }
  return known
}

/**
 * Settles on the origin of this run, durably.
 * @param logEnd  where recovery found the end of the log
 */
export function claimOrigin(env: Env, folder: string, regionId: number, logEnd: number): string {
  const path = `${folder}/origin.json`
  const last = readJson(env, path) as OriginFile | undefined
  const origin = last?.endedAt === logEnd ? last.origin : originId(regionId, env.randomBytes(6))
  writeJson(env, path, { origin })
  return origin
}

/** An orderly stop: the log is durable and ends at `logEnd`. */
export function releaseOrigin(env: Env, folder: string, origin: string, logEnd: number): void {
  writeJson(env, `${folder}/origin.json`, { origin, endedAt: logEnd })
}
