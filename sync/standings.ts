/**
 * standings.ts: standings between the links and the stable cut.
 *
 * A node sends its own standing and those it heard of, so that the cut moves on although two regions do not
 * reach each other, as long as others reach both.
 */
import type { Origin, OriginTable } from '../crdt/origin.ts'
import { VersionVector, type WireVector } from '../crdt/version-vector.ts'
import type { WireStanding } from './messages.ts'
import type { SyncHost } from './ports.ts'
import type { StableCut, Standing } from './stable-cut.ts'

/** What of a host its standing is made of. */
export type StandingHost = Pick<
  SyncHost,
  'identity' | 'origin' | 'durable' | 'isDurableKnown' | 'membership' | 'expiryClockMs'
>

/** Origins this node takes no more ops of, as far as that is fsynced: only then it may say so. */
export function durableFences({
  durable,
  membership,
}: Pick<StandingHost, 'durable' | 'membership'>): WireVector {
  const fences: [string, number][] = []
  for (const [origin, { by }] of membership.fences) {
    if (durable.get(by.origin) >= by.seq) fences.push([origin.id, durable.get(origin)])
  }
  return fences
}

export function ownStanding(host: StandingHost): WireStanding {
  const { identity, origin, durable } = host
  return {
    regionId: identity.regionId,
    origin: origin.id,
    durable: durable.toWire(),
    fences: durableFences(host),
    ageMs: 0,
    clockMs: host.expiryClockMs(),
  }
}

/** What this node says of itself, and has heard of others. @param nowMs  our monotonic clock */
export function standingsOf(host: StandingHost, cut: StableCut, nowMs: number): WireStanding[] {
  const standings = host.isDurableKnown ? [ownStanding(host)] : []
  for (const heard of [cut.standings, cut.former])
    for (const standing of heard) standings.push(standingToWire(standing, nowMs))
  return standings
}

export function standingToWire(
  { regionId, origin, durable, fences, heardMs, clockMs }: Standing,
  nowMs: number,
): WireStanding {
  return {
    regionId,
    origin: origin.id,
    durable: durable.toWire(),
    fences: [...fences].map(([fenced, limit]) => [fenced.id, limit] as const),
    ageMs: Math.max(0, Math.round(nowMs - heardMs)),
    clockMs,
  }
}

export function standingFromWire(origins: OriginTable, standing: WireStanding, nowMs: number): Standing {
  const { regionId, origin, durable, fences, ageMs, clockMs } = standing
  return {
    regionId,
    origin: origins.intern(origin),
    durable: VersionVector.fromWire(origins, durable),
    fences: fencesFromWire(origins, fences),
    heardMs: nowMs - ageMs,
    clockMs,
  }
}

/** What a region says that it has fsynced; nothing where it does not say. */
export function durableOf(
  regionId: number | undefined,
  standings: readonly WireStanding[],
  origins: OriginTable,
): VersionVector {
  const own = standings.find((standing) => standing.regionId === regionId)
  return VersionVector.fromWire(origins, own?.durable ?? [])
}

export function fencesFromWire(origins: OriginTable, fences: WireVector): Map<Origin, number> {
  return new Map(fences.map(([id, limit]) => [origins.intern(id), limit]))
}
