/**
 * regions.ts: the regions of the database and the horizon between them, as this node tells of them: to
 * CRDT.REGION, INFO, /v1/status and /metrics.
 *
 * What is known of a region lies in three rooms: its link (mesh), its record (membership: it joined, was
 * suspended or has left) and what it last said of itself (the stable cut). Here they become one row.
 *
 * Everything here reads; nothing changes the node.
 */
import type { RegionRecord } from '../crdt/membership.ts'
import { VersionVector } from '../crdt/version-vector.ts'
import type { LinkStatus } from '../sync/link-status.ts'
import type { Holdup } from '../sync/stable-cut.ts'
import type { HorizonStatus } from './admin/status.ts'
import type { RegionState } from './commands/services.ts'
import type { NodeCore } from './core.ts'

/** A cut that lags no more than this moves: it is looked at once a second, and news of it travel as often. */
const STILL_MS = 5000

export function horizonOf(core: NodeCore): HorizonStatus {
  const { engine, keeper } = core
  const { regions, fences, seals } = engine.membership
  return {
    cutOps: opsAboveCut(core),
    cutLagMs: Math.round(keeper.cutLagMs),
    cutState: cutState(core),
    reclaimPending: engine.reclaimPending,
    lacking: keeper.lacking,
    fences: fences.size,
    seals: seals.size,
    suspended: [...regions.values()].filter(({ status }) => status === 'suspended').map(({ name }) => name),
  }
}

function opsAboveCut({ applied, mesh }: NodeCore): number {
  const { cut } = mesh.cut
  let count = 0
  for (const [origin, seq] of applied.entries()) count += Math.max(0, seq - cut.get(origin))
  return count
}

function cutState(core: NodeCore): string {
  const { keeper } = core
  if (keeper.cutLagMs < STILL_MS || keeper.holdup === undefined) return 'moves'
  return describeHoldup(keeper.holdup, nameOf(core, keeper.holdup))
}

function nameOf(core: NodeCore, { regionId, name }: Holdup): string {
  return regionsOf(core).find((region) => region.regionId === regionId)?.name ?? name
}

/** Why the cut stands still, in words. */
export function describeHoldup({ origin, heardMsAgo }: Holdup, region: string): string {
  const what = origin === undefined ? '' : ` to end origin ${origin.id}`
  const heard =
    heardMsAgo === undefined ? 'not heard since this node started' : `last heard ${duration(heardMsAgo)} ago`
  return `waits for region ${region}${what}, ${heard}`
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
] as const

/** A stretch of time as people say it: `3 h`, `12 s`. */
export function duration(ms: number): string {
  const [unit, size] = UNITS.find(([, atLeast]) => ms >= atLeast) ?? ['s', 1000]
  return `${Math.floor(ms / size)} ${unit}`
}

/** This node's own region first, the others by name. */
export function regionsOf(core: NodeCore): RegionState[] {
  const { mesh, engine } = core
  const records = [...engine.membership.regions.values()]
  const links = new Map(mesh.links().map((link) => [link.region, link] as const))
  const own = core.identity.region
  const names = new Set([...links.keys(), ...records.map(({ name }) => name)])
  names.delete(own)
  const others = [...names].sort().map((name) => {
    return stateOf(
      core,
      name,
      links.get(name),
      records.find((record) => record.name === name),
    )
  })
  return [ownState(core), ...others]
}

function ownState({ identity, engine, keeper }: NodeCore): RegionState {
  const { region, regionId } = identity
  const { membership } = engine
  const status = membership.statusOf(regionId)
  return {
    name: region,
    regionId,
    url: membership.regions.get(regionId)?.url ?? '',
    status: status === 'member' ? 'self' : status,
    epoch: membership.epochOf(regionId),
    mode: membership.modeOf(regionId),
    heardMsAgo: undefined,
    lagOps: undefined,
    lagMs: undefined,
    behindOps: undefined,
    lacking: keeper.lacking,
  }
}

function stateOf(
  core: NodeCore,
  name: string,
  link: LinkStatus | undefined,
  record: RegionRecord | undefined,
): RegionState {
  const { mesh, engine } = core
  const regionId = link?.regionId ?? record?.regionId
  return {
    name,
    regionId,
    url: link?.url ?? record?.url ?? '',
    status: regionId === undefined ? 'member' : engine.membership.statusOf(regionId),
    epoch: regionId === undefined ? 0 : engine.membership.epochOf(regionId),
    mode: regionId === undefined ? 'active' : engine.membership.modeOf(regionId),
    heardMsAgo: regionId === undefined ? undefined : mesh.heardMsAgo(regionId),
    lagOps: link?.lagOps,
    lagMs: link?.lagMs,
    behindOps: regionId === undefined ? undefined : behindOps(core, regionId, link?.announced),
    lacking: undefined,
  }
}

/** @param announced  what the region last said it has applied; one without a link says through others what it has fsynced */
function behindOps(
  { origins, applied, mesh, engine }: NodeCore,
  regionId: number,
  announced: VersionVector | undefined,
): number | undefined {
  const standing = mesh.cut.standing(regionId)
  if (announced === undefined && standing === undefined) return undefined
  const held = new VersionVector(origins)
  for (const said of [announced, standing?.durable]) if (said !== undefined) held.join(said)
  let count = 0
  for (const [origin, seq] of held.entries()) {
    // What lies behind the end of an origin comes under another dot, if at all.
    const last = Math.min(seq, engine.membership.sealOf(origin)?.end ?? seq)
    count += Math.max(0, last - applied.get(origin))
  }
  return count
}
