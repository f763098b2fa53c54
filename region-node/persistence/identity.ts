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
 *
 * It also says which folder it was written in. A folder that was copied, or put back from a backup, may lack
 * what its region has acknowledged since, and so may an empty one whose node has peers: such a node is
 * *lacking*, and mints nothing until its peers have told it enough (`horizon-keeper.ts`). A backup that keeps
 * the folder itself in place (a volume restored as a whole) has to be started without its origin.json.
 */
import { originId } from '../../crdt/origin.ts'
import type { Disk, Env } from '../env.ts'
import { StartError } from '../start-error.ts'

const FORMAT = 1

export interface FolderIdentity {
  readonly format: number
  readonly nodeId: string
  readonly region: string
  readonly regionId: number
  readonly partitions: number
  /** Absent in folders of databases of one partition: 0. */
  readonly partition?: number
}

interface OriginFile {
  readonly origin: string
  /** Where the log ended at an orderly stop; absent while the node runs. */
  readonly endedAt?: number
  /** `Disk.folderId` of the folder it was written in. */
  readonly folder?: string
  /** The node may lack what its region has acknowledged. */
  readonly lacking?: boolean
  /** Origins of earlier runs that are not ended yet: somebody may hold an op of theirs that this node lost. */
  readonly former?: readonly string[]
}

/** Under what terms a node begins. */
export interface Terms {
  readonly origin: string
  readonly lacking: boolean
  readonly former: readonly string[]
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

/** Of the node that a folder belongs to; '' where none has begun, or what is there cannot be read. */
export function nodeIdOf(disk: Pick<Disk, 'readFile'>, folder: string): string {
  const bytes = disk.readFile(`${folder}/identity.json`)
  if (bytes === undefined) return ''
  try {
    return (JSON.parse(String.fromCharCode(...bytes)) as FolderIdentity).nodeId
  } catch {
    return ''
  }
}

/** Reads a folder's identity, or gives it one. @throws StartError when it belongs to another region */
export function claimFolder(
  env: Env,
  folder: string,
  wanted: { region: string; regionId: number; partitions: number; partition: number },
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
  for (const name of ['region', 'regionId', 'partitions', 'partition'] as const) {
    const has = known[name] ?? 0
    if (has === wanted[name]) continue
    const option = name === 'regionId' ? 'region-id' : name
    throw new StartError(
      `${folder} holds the data of a node with ${option} ${has}, but this one is started with ` +
        `${option} ${wanted[name]}. Name the right folder with --dir, or the right ${option}.`,
    )
  }
  return known
}

/**
 * Settles on the origin of this run, durably.
 * @param logEnd  where recovery found the end of the log
 * @param hasPeers  there is somebody who may know what an empty or a copied folder lacks
 * @param isEnded  whether an origin is known to have been ended
 */
export function claimOrigin(
  env: Env,
  folder: string,
  regionId: number,
  logEnd: number,
  hasPeers: boolean,
  isEnded: (origin: string) => boolean,
): Terms {
  const last = readJson(env, originPath(folder)) as OriginFile | undefined
  const isCopy = last?.folder !== undefined && last.folder !== env.disk.folderId(folder)
  const lacking = last === undefined || isCopy ? hasPeers : last.lacking === true
  const isKept = !isCopy && last !== undefined && last.endedAt === logEnd
  const origin = isKept ? last.origin : originId(regionId, env.randomBytes(6))
  const earlier = last === undefined ? [] : [...(last.former ?? []), ...(isKept ? [] : [last.origin])]
  const terms = { origin, lacking, former: earlier.filter((one) => !isEnded(one)) }
  writeOrigin(env, folder, terms)
  return terms
}

/** A new origin for a node that goes on, durably: its last one was ended by the others. */
export function renewOrigin(env: Env, folder: string, regionId: number, last: Terms): Terms {
  const origin = originId(regionId, env.randomBytes(6))
  const terms = { ...last, origin, former: [...last.former, last.origin] }
  writeOrigin(env, folder, terms)
  return terms
}

/** The terms of this run have changed, or it ends in order with its log ending at `endedAt`. */
export function writeOrigin(
  env: Env,
  folder: string,
  { origin, lacking, former }: Terms,
  endedAt?: number,
): void {
  const file: OriginFile = {
    origin,
    folder: env.disk.folderId(folder),
    ...(lacking ? { lacking } : {}),
    ...(former.length === 0 ? {} : { former }),
    ...(endedAt === undefined ? {} : { endedAt }),
  }
  writeJson(env, originPath(folder), file)
}

function originPath(folder: string): string {
  return `${folder}/origin.json`
}
