/**
 * handshake.ts: who may link with whom, and the proof that they know the secret.
 *
 * Each side signs both nonces and both identities as it saw them, under its own role. A fresh nonce on
 * either side stops replays, the role stops a proof from being sent back to its maker, and an identity
 * changed on the way makes the proofs differ. What follows the handshake is not signed: a link over a
 * network that others can write to belongs inside TLS.
 *
 * Invariant: nothing a peer says about itself is acted on before its proof has been compared.
 */
import { identityFields, PROTOCOL_VERSION, PROTOCOL_VERSION_MIN } from './messages.ts'
import type { Identity } from './ports.ts'
import { type Reason, reason } from './reason.ts'

/** What both proofs cover. */
export interface Exchange {
  readonly version: number
  readonly serverNonce: string
  readonly pullerNonce: string
  readonly server: Identity
  readonly puller: Identity
}

/** Who proves that it knows the secret: a hearer dials like a puller, and wants no ops. */
export type ProofRole = 'server' | 'puller' | 'hearer'

export function proofText(role: ProofRole, exchange: Exchange): string {
  return JSON.stringify(['causeway-sync', role, ...partsOf(exchange)])
}

/** What a server signs that refuses a puller and names others to it. */
export function namingText(exchange: Exchange, nodes: readonly string[]): string {
  return JSON.stringify(['causeway-sync', 'naming', ...partsOf(exchange), nodes])
}

function partsOf({ version, serverNonce, pullerNonce, server, puller }: Exchange): unknown[] {
  return [version, serverNonce, pullerNonce, identityFields(server), identityFields(puller)]
}

/** Compares without telling by its duration where the texts differ. */
export function sameProof(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i % Math.max(1, b.length))
  return difference === 0
}

/** The newest version that both ends of a link speak, or undefined. */
export function commonVersion(min: number, max: number): number | undefined {
  const version = Math.min(max, PROTOCOL_VERSION)
  return version >= min && version >= PROTOCOL_VERSION_MIN ? version : undefined
}

export function wrongVersion(peer: string, theirs: string): Reason {
  const ours =
    PROTOCOL_VERSION === PROTOCOL_VERSION_MIN
      ? `version ${PROTOCOL_VERSION}`
      : `versions ${PROTOCOL_VERSION_MIN} to ${PROTOCOL_VERSION}`
  return reason(
    'protocol-version',
    `region ${peer} speaks ${theirs} of the sync protocol and this node ${ours}: update the older one`,
  )
}

export function wrongSecret(me: Identity, peer: Identity): Reason {
  return reason(
    'wrong-secret',
    `the proof of region ${peer.region} does not fit the sync-secret of region ${me.region}: ` +
      'give every region the same one',
  )
}

/**
 * Whether two regions may replicate with each other by these nodes. Both ends ask, with their roles exchanged.
 *
 * @param others  nodes linked with this one now
 * @returns what forbids it, or undefined
 */
export function judgePeer(me: Identity, peer: Identity, others: Iterable<Identity>): Reason | undefined {
  const same = judgeNode(me, peer)
  if (same !== undefined) return same
  if (peer.regionId === me.regionId && peer.region !== me.region) return sameRegionId(me, peer)
  if (peer.region === me.region) {
    return reason(
      'same-region',
      `two different nodes call themselves region ${me.region}: rename one of them, or start one of them with ` +
        '--replica-of',
    )
  }
  const different = judgePartition(me, peer)
  if (different !== undefined) return different
  for (const one of [me, peer]) if (one.role !== 'primary') return notPrimary(one)
  for (const other of others) {
    if (other.nodeId === peer.nodeId || other.regionId !== peer.regionId) continue
    if (peer.term < other.term) return olderTerm(peer, other.term)
    if (peer.term === other.term) return sameRegionId(other, peer)
  }
  return judgeConfiguration(me, peer)
}

/**
 * Whether a node may follow another one of its region. Both ends ask.
 * @returns what forbids it, or undefined
 */
export function judgeFollowing(replica: Identity, primary: Identity): Reason | undefined {
  const same = judgeNode(replica, primary)
  if (same !== undefined) return same
  if (replica.region !== primary.region || replica.regionId !== primary.regionId) {
    return reason(
      'wrong-region',
      `a node of region ${replica.region} (${replica.regionId}) cannot be a replica of one of region ` +
        `${primary.region} (${primary.regionId})`,
    )
  }
  const different = judgePartition(replica, primary)
  if (different !== undefined) return different
  if (primary.role !== 'primary') return notPrimary(primary)
  if (primary.term < replica.term) return olderTerm(primary, replica.term)
  if (replica.role === 'primary')
    return reason(
      'same-region',
      `two nodes of region ${primary.region} are primary: make one of them a replica with REPLICAOF`,
    )
  return judgeConfiguration(replica, primary)
}

/**
 * Whether two nodes of a region, of whatever partition, may tell each other what is published. Both ends ask.
 * @returns what forbids it, or undefined
 */
export function judgeNeighbour(me: Identity, peer: Identity): Reason | undefined {
  const same = judgeNode(me, peer)
  if (same !== undefined) return same
  if (peer.region !== me.region || peer.regionId !== me.regionId) {
    return reason(
      'wrong-region',
      `a node of region ${me.region} (${me.regionId}) and one of region ${peer.region} (${peer.regionId}) are no ` +
        'neighbours',
    )
  }
  return judgeCount(me, peer) ?? judgeConfiguration(me, peer)
}

function notPrimary({ region, nodeId, role }: Identity): Reason {
  const is = role === 'idle' ? 'does not know yet who is primary' : 'is a replica'
  return reason(
    'not-primary',
    `node ${nodeId} of region ${region} ${is}: replicas and other regions link with the primary of a region`,
  )
}

export function olderTerm({ region, nodeId, term }: Identity, known: number): Reason {
  return reason(
    'older-term',
    `node ${nodeId} of region ${region} was primary in term ${term}, and another one is in term ${known}`,
  )
}

function judgeNode(me: Identity, peer: Identity): Reason | undefined {
  if (peer.nodeId === me.nodeId) {
    return peer.region === me.region
      ? reason('same-node', `the address leads back to region ${me.region} itself`)
      : reason(
          'same-node',
          `regions ${me.region} and ${peer.region} run on copies of one data folder (node ${me.nodeId}): ` +
            'start one of them with an empty folder',
        )
  }
  return undefined
}

/** Each partition is replicated by itself. Of the addresses of a region one leads to the same one. */
function judgePartition(me: Identity, peer: Identity): Reason | undefined {
  const different = judgeCount(me, peer)
  if (different !== undefined || peer.partition === me.partition) return different
  return reason(
    'other-partition',
    `node ${me.nodeId} holds partition ${me.partition} and node ${peer.nodeId} partition ${peer.partition}`,
  )
}

function judgeCount(me: Identity, peer: Identity): Reason | undefined {
  if (peer.partitions === me.partitions) return undefined
  return reason(
    'partition-count',
    `partitions is ${me.partitions} in region ${me.region} and ${peer.partitions} in region ${peer.region}: ` +
      'it must be the same in every region',
  )
}

function sameRegionId(holder: Identity, peer: Identity): Reason {
  return reason(
    'duplicate-region-id',
    `region-id ${peer.regionId} is used by region ${holder.region} (node ${holder.nodeId}) and by region ` +
      `${peer.region} (node ${peer.nodeId}): give each region a number of its own`,
  )
}

function judgeConfiguration(me: Identity, peer: Identity): Reason | undefined {
  const names = new Set([...Object.keys(me.configuration), ...Object.keys(peer.configuration)])
  for (const name of [...names].sort()) {
    const mine = me.configuration[name]
    const theirs = peer.configuration[name]
    if (mine === theirs) continue
    return reason(
      'configuration',
      `${name} is ${shown(mine)} in region ${me.region} and ${shown(theirs)} in region ${peer.region}: ` +
        'it must be the same in every region',
    )
  }
  return undefined
}

function shown(value: string | undefined): string {
  return value === undefined ? 'unknown' : `'${value}'`
}
