/**
 * election.ts: whether a node may run for primary, before or after which others, and what it would claim.
 *
 * Plain functions of what is known; `agent.ts` waits until the moment has come, and the coordinator decides
 * between two that claim at once.
 *
 * A coordinator may have been restored from an old backup: its state then names nodes that have fallen out of
 * sync since. Every node therefore remembers the latest state that it has seen, says in its registration which one
 * that is, and trusts a state only when nobody knows of a later one. A claim takes a term above all that are
 * known. So the nodes that ran before should still run when a coordinator is put back: what was decided since the
 * backup is known to them only.
 */
import {
  type HandoverDocument,
  isOlder,
  type NodeDocument,
  type StateDocument,
  type StateVersion,
} from './documents.ts'
import type { DetectionProfile } from './profiles.ts'

/** From one candidate to the next one by rank; those behind the third come with it. */
const RANK_MS = 100
const RANK_MAX = 2
/** How long a claim is left to the one that a handover names. */
const RESERVED_MS = 1000
/** For how long nobody who is whole must have been registered, before one that is not may claim. */
const UNCLEAN_AFTER_MS = 10_000

export interface ElectionFacts {
  readonly self: string
  /** The highest term that this node knows, durable. */
  readonly memberTerm: number
  /** This process began with less than its node had when it was put in sync. */
  readonly hasLostData: boolean
  /** As stored. */
  readonly state: StateDocument | undefined
  /** The latest state that this process has seen. */
  readonly remembered: StateDocument | undefined
  /** Those of this partition that are registered. */
  readonly nodes: readonly NodeDocument[]
  readonly handover: HandoverDocument | undefined
  /** Where the former primary was; '' for unknown. */
  readonly lostZone: string
  /** One that is not in sync may claim, when nobody else is there. */
  readonly isUncleanAllowed: boolean
}

export interface Candidacy {
  /** What to store. */
  readonly state: StateDocument
  /** It holds all that its region acknowledged, and need ask nobody. */
  readonly isWhole: boolean
  /** It is in sync, or the first of all: nobody has to allow its claim. */
  readonly isInSync: boolean
  /** How many go first. */
  readonly rank: number
  /** A handover names this node. */
  readonly isNamed: boolean
  /** A handover names another one. */
  readonly isReserved: boolean
  /** The former primary answers no more: what was promised to it binds nobody. */
  readonly hasEnded: boolean
}

export function latestOf(versions: Iterable<StateVersion | undefined>): StateVersion {
  let latest: StateVersion = { term: 0, edition: 0 }
  for (const version of versions) if (version !== undefined && isOlder(latest, version)) latest = version
  return latest
}

/** The latest state that anybody knows of. */
export function latestVersion({ memberTerm, state, remembered, nodes }: ElectionFacts): StateVersion {
  return latestOf([{ term: memberTerm, edition: 0 }, state, remembered, ...nodes])
}

/** The latest state that anybody knows of, if this node knows what it says. */
export function trustedState(facts: ElectionFacts): StateDocument | undefined {
  const latest = latestVersion(facts)
  return [facts.state, facts.remembered].find((state) => state !== undefined && !isOlder(state, latest))
}

/**
 * Why nobody may claim as whole, for an operator: a coordinator was put back, and nobody who is there has seen the
 * latest state since it began. Whoever has may be promoted; otherwise nothing tells who was in sync.
 */
export function forgottenState(known: StateVersion | undefined, latest: StateVersion): string | undefined {
  if (known !== undefined && !isOlder(known, latest)) return undefined
  if (latest.term === 0) return undefined
  return (
    `the coordinator knows of term ${known?.term ?? 0}, and there was a term ${latest.term}: it was put back from a ` +
    'backup, and the nodes that are here have been restarted since, so that none of them knows who was in sync last. ' +
    'Start all other nodes of the partition. If nobody takes over, set replica-ack async and unclean-failover yes for ' +
    'a while: one that may lack writes is promoted, and what the others hold is added when they follow it'
  )
}

/** This node is in sync, by all that it knows. */
export function isInSync(facts: ElectionFacts): boolean {
  const { self, hasLostData } = facts
  const isNamed = trustedState(facts)?.inSync.includes(self) === true
  return !hasLostData && (isNamed || ownState(facts) !== undefined)
}

/**
 * Of the latest term this node was primary itself: some state of it. A later one need not be known, which a coordinator
 * may have stored without an answer, and lost with a backup: every state of a term names its primary.
 */
function ownState(facts: ElectionFacts): StateDocument | undefined {
  const { self, remembered } = facts
  return remembered?.primary === self && remembered.term === latestVersion(facts).term
    ? remembered
    : undefined
}

/** @returns undefined when this node must not run */
export function candidacyOf(facts: ElectionFacts): Candidacy | undefined {
  const { self, state, remembered, nodes, handover } = facts
  const latest = latestVersion(facts)
  const trusted = trustedState(facts)
  const isFirst = state === undefined && latest.term === 0
  const mayRun = isFirst || isInSync(facts)
  if (!mayRun && !isLastResort(facts)) return undefined
  const registered = nodes.map(({ nodeId }) => nodeId)
  // One that has come back without what it had says so.
  const fit = nodes.filter(({ nodeId, isWhole }) => nodeId !== self && isWhole).map(({ nodeId }) => nodeId)
  const kept = mayRun ? (trusted?.inSync.filter((nodeId) => fit.includes(nodeId)) ?? []) : []
  const members = new Set([...(state?.members ?? []), ...(remembered?.members ?? []), ...registered, self])
  const next: StateDocument = {
    term: latest.term + 1,
    edition: latest.edition + 1,
    primary: self,
    hasEnded: false,
    // Whoever is kept may not have heard of this claim when its process ends.
    heldTerm: mayRun ? (trusted?.heldTerm ?? 0) : 0,
    // The first of all says so when it has taken the term: until then nothing tells whether its disk was lost.
    isWhole: mayRun && (trusted ?? ownState(facts))?.isWhole === true,
    inSync: [self, ...kept],
    members: [...members].sort(),
  }
  const isHandedOver = handover !== undefined && handover.term === latest.term
  const rivals = nodes.filter(({ nodeId }) => isFirst || !mayRun || next.inSync.includes(nodeId))
  return {
    state: next,
    isWhole: isFirst || next.isWhole,
    isInSync: mayRun,
    rank: rankOf(facts, rivals, trusted),
    isNamed: isHandedOver && handover.to === self,
    isReserved: isHandedOver && handover.to !== self,
    hasEnded: trusted?.hasEnded === true,
  }
}

/** A primary that the coordinator does not answer knows of members only that they may take over (`failsafe.ts`). */
function isLastResort(facts: ElectionFacts): boolean {
  const { self, state, isUncleanAllowed } = facts
  const members = (trustedState(facts) ?? state)?.members
  return isUncleanAllowed && (members === undefined || members.includes(self))
}

function rankOf(
  { self, lostZone }: ElectionFacts,
  rivals: readonly NodeDocument[],
  trusted: StateDocument | undefined,
): number {
  // A primary that has lost its lease and is back is the one that nobody's promise keeps from running.
  const former = trusted?.hasEnded === false ? trusted.primary : undefined
  const sorted = [...rivals].sort(
    (a, b) =>
      Number(b.nodeId === former) - Number(a.nodeId === former) ||
      Number(b.isWhole) - Number(a.isWhole) ||
      isElsewhere(b, lostZone) - isElsewhere(a, lostZone) ||
      b.term - a.term ||
      b.opCount - a.opCount ||
      (a.nodeId < b.nodeId ? -1 : 1),
  )
  return sorted.findIndex(({ nodeId }) => nodeId === self)
}

/** What took the primary may take the rest of its zone. */
function isElsewhere({ zone }: NodeDocument, lostZone: string): number {
  return Number(lostZone !== '' && zone !== lostZone)
}

/** Moments by the monotonic clock, milliseconds; -Infinity for never. */
export interface ElectionMoments {
  /** The leader was first seen to be absent. */
  readonly absentMs: number
  /** The last claim of another node was seen: it held a lease then. */
  readonly claimedMs: number
  /** The primary was last heard. */
  readonly heardMs: number
  /** Since when no change of the documents was missed; Infinity: some may be. */
  readonly unbrokenMs: number
  /** This node was primary until then: nobody could have taken a later term. */
  readonly primaryMs: number
  /** The handover was seen. */
  readonly handoverMs: number
  /** It was written while this process looked on: by a primary of that moment, and in no coordinator of the past. */
  readonly isHandoverNew: boolean
  /** Since when nobody who is whole is registered; Infinity: somebody is. */
  readonly noneWholeMs: number
}

/** When to claim. */
export function runsAtMs(
  candidacy: Candidacy,
  moments: ElectionMoments,
  isHealthy: boolean,
  { ttlMs }: DetectionProfile,
): number {
  const { absentMs, claimedMs, heardMs, unbrokenMs, primaryMs, handoverMs, isHandoverNew, noneWholeMs } =
    moments
  // Nobody can know better than the primary that hands over, and nobody is bound any more by what was promised to it.
  const isCalled = candidacy.isNamed && candidacy.hasEnded && isHandoverNew
  // Whoever knows of a later state than a restored coordinator has time to say so; and a process that has just
  // begun keeps what the one before it may have promised.
  let atMs = absentMs
  if (unbrokenMs >= primaryMs + ttlMs && !isCalled) atMs = Math.max(atMs, unbrokenMs + ttlMs)
  if (!candidacy.hasEnded) atMs = Math.max(atMs, heardMs + ttlMs, claimedMs + ttlMs)
  if (candidacy.isReserved) atMs = Math.max(atMs, handoverMs + RESERVED_MS)
  if (!candidacy.isInSync) atMs = Math.max(atMs, Math.max(noneWholeMs, unbrokenMs) + UNCLEAN_AFTER_MS)
  // Better a sick primary than none.
  if (!isHealthy) atMs += ttlMs
  return candidacy.isNamed ? atMs : atMs + RANK_MS * Math.min(candidacy.rank, RANK_MAX)
}
