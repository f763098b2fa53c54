/**
 * options.ts: what one run is made of, drawn from its seed: regions of several nodes, their coordinator, what goes
 * wrong.
 *
 * Each seed leaves out most kinds of faults and does the others often, as in the simulation of regions
 * (`../options.ts`).
 */
import type { FsyncPolicy } from '../../../region-node/persistence/op-log.ts'
import type { AckMode } from '../../../region-node/replication/reply-gate.ts'
import type { MemoryNetworkOptions } from '../../harness/memory-transport.ts'
import { Prng } from '../../harness/prng.ts'
import type { DiskFaults } from '../../harness/sim-disk.ts'

export const FAULT_KINDS = [
  // A process ends; with `kill` a guard says so, if there is one, and its files stay as they were written.
  'kill',
  'power',
  'restart',
  // All nodes of a zone at once.
  'rack',
  // A process does not run for a while, and then goes on with what has reached it meanwhile.
  'freeze',
  // Inside a region: two nodes; one way only; one node from all others, and mostly from the coordinator as well.
  'cut',
  'deaf',
  'isolate',
  // Between a node and the coordinator: both ways; only what it answers.
  'uncoordinated',
  'unanswered',
  'revoke',
  // The coordinator of a region: it answers nobody; it is put back as it was.
  'halt',
  'rewind',
  'hand-over',
  // Between regions: cut off; silent one way; broken for a moment.
  'apart',
  'one-way',
  'flap',
  'jump',
  'slow-disk',
  'stuck-disk',
  'full-disk',
  'wipe',
  // Logs are cut down to snapshots, so that who lacks something is sent one.
  'trim',
  // The memory of a region's machines is taken by others.
  'memory',
] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

export interface InRegionOptions {
  readonly seed: number
  /** Nodes of each region. */
  readonly nodes: readonly number[]
  readonly ackMode: AckMode
  readonly policy: FsyncPolicy
  /** One that lacks something may be promoted when no other is left. */
  readonly isUncleanAllowed: boolean
  /** A guard speaks for a process that has died. */
  readonly hasGuard: boolean
  readonly clientsPerRegion: number
  /** Mean time a client waits after a reply, milliseconds. */
  readonly thinkMs: number
  /** For how long things go wrong, virtual milliseconds. */
  readonly chaosMs: number
  /** Mean time between faults, milliseconds. */
  readonly faultEveryMs: number
  /** The longest that a fault lasts, milliseconds. */
  readonly faultMsMax: number
  /** Weights; 0 leaves a kind out. */
  readonly faults: Readonly<Record<FaultKind, number>>
  readonly network: MemoryNetworkOptions
  /** From a node to the coordinator, milliseconds. */
  readonly coordinatorMs: number
  readonly disk: DiskFaults
  /** A wall clock stands at most this far from the true time, milliseconds, and runs fast or slow by this much. */
  readonly skewMsMax: number
  readonly driftMax: number
  readonly keyCount: number
  readonly segmentBytes: number
  readonly tailBytes: number
  /** A region is told of one node of each other region, and not of all. */
  readonly hasOneSeed: boolean
}

/** Least weight of what a run is about. */
const FOCUS_WEIGHT = 8

/** @param later  for kinds that came later: a stream of their own, so that seeds which found something still do */
function weights(prng: Prng, later: Prng, focus: readonly FaultKind[]): Record<FaultKind, number> {
  const drawn = FAULT_KINDS.map((kind) => {
    const chance = kind === 'memory' ? later : prng
    return [kind, chance.chance(0.35) ? chance.between(1, 4) : 0] as const
  })
  const faults = Object.fromEntries(drawn) as Record<FaultKind, number>
  // A run in which no primary is ever lost has little to say.
  faults[prng.pick(['kill', 'power', 'freeze', 'isolate', 'hand-over'] as const)] += 2
  for (const kind of focus) faults[kind] = FOCUS_WEIGHT
  return faults
}

/**
 * @param focus  these faults come often, whatever the seed says
 * @param fixed  in place of what the seed says
 */
export function drawOptions(
  seed: number,
  focus: readonly FaultKind[] = [],
  fixed: Partial<InRegionOptions> = {},
): InRegionOptions {
  const prng = new Prng(seed).fork('options')
  const delayMsMin = prng.pick([0.2, 0.5, 2])
  const syncMsMin = prng.pick([0.1, 1, 5])
  const ackMode = prng.weighted<AckMode>([
    [5, 'sync'],
    [4, 'async'],
    [1, 'sync-strict'],
  ])
  const drawn: InRegionOptions = {
    seed,
    nodes: prng.pick([[3, 1], [3, 1], [3, 3], [3, 3], [2, 1], [3, 2, 1], [3]]),
    ackMode,
    policy: prng.weighted([
      [4, 'always'],
      [5, 'everysec'],
      [1, 'no'],
    ]),
    isUncleanAllowed: ackMode === 'async' && prng.chance(0.3),
    hasGuard: prng.chance(0.7),
    clientsPerRegion: prng.between(2, 4),
    thinkMs: prng.pick([40, 100, 300]),
    chaosMs: prng.pick([10_000, 20_000]),
    faultEveryMs: prng.pick([400, 1500, 4000]),
    faultMsMax: prng.pick([1000, 6000, 15_000]),
    faults: weights(prng, new Prng(seed).fork('later'), focus),
    network: {
      delayMsMin,
      delayMsMax: delayMsMin * prng.pick([1, 3, 10]),
      bytesPerMs: prng.chance(0.2) ? 20 : Number.POSITIVE_INFINITY,
    },
    coordinatorMs: prng.pick([0.3, 2, 20]),
    disk: {
      syncMsMin,
      syncMsMax: syncMsMin * prng.pick([1, 4]),
      slowSyncChance: prng.chance(0.3) ? 0.1 : 0,
      slowSyncMs: 300,
      syncErrorChance: prng.chance(0.1) ? 0.005 : 0,
      pageBytes: prng.pick([16, 64, 512]),
    },
    skewMsMax: prng.pick([0, 5, 400, 5000]),
    driftMax: prng.pick([0, 0.0002, 0.01]),
    keyCount: prng.pick([1, 2, 4]),
    segmentBytes: prng.pick([4096, 64 * 1024, 1024 * 1024]),
    tailBytes: prng.pick([1024, 64 * 1024]),
    hasOneSeed: prng.chance(0.5),
  }
  return { ...drawn, ...fixed }
}
