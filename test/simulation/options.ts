/**
 * options.ts: what one run of the simulation is made of, drawn from its seed.
 *
 * Swarm testing: each seed leaves out most kinds of faults and commands and does the others often. Rare
 * combinations come up this way that a mix of everything would drown.
 * Source: Groce et al., "Swarm Testing", ISSTA 2012.
 */

import type { FsyncPolicy } from '../../region-node/persistence/op-log.ts'
import type { MemoryNetworkOptions } from '../harness/memory-transport.ts'
import { Prng } from '../harness/prng.ts'
import type { DiskFaults } from '../harness/sim-disk.ts'

export const FAULT_KINDS = [
  'cut',
  'heal',
  'stall',
  'drop',
  'kill',
  'power',
  'restart',
  'jump',
  'full',
  // One region is cut off for longer than the others wait for it.
  'dark',
  // One region may dial and is not to be dialed, and the others do not reach each other.
  'wall',
  // A disk is lost, or put back as it was some time ago.
  'wipe',
  'restore',
  'join',
  'leave',
  // Snapshots are made, take the place of the log, and travel instead of ops.
  'snapshot',
  'trim',
  'resync',
] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

const FIRST_FAMILIES = [
  'strings',
  'counters',
  'floats',
  'hashes',
  'sets',
  'lists',
  'zsets',
  'hyperloglogs',
  'streams',
  'expiry',
  'keys',
  'stores',
  'transactions',
  'scripts',
  'reads',
  'mixed',
] as const
/** Drawn apart: without them, a seed is the run that it was before there were any. */
export const FURTHER_FAMILIES = ['spellings', 'bits', 'deadlines', 'moves', 'readers', 'libraries'] as const
export type FurtherFamily = (typeof FURTHER_FAMILIES)[number]
export const FAMILIES = [...FIRST_FAMILIES, ...FURTHER_FAMILIES] as const
export type Family = (typeof FAMILIES)[number]

/** Longer waits for a region are not simulated among other faults. */
export const DARK_MS_MAX = 60_000

export interface SimOptions {
  readonly seed: number
  /** Commands sent before the faults end. */
  readonly ops: number
  readonly regions: number
  readonly clientsPerRegion: number
  readonly policy: FsyncPolicy
  readonly network: MemoryNetworkOptions
  readonly disk: DiskFaults
  /** A wall clock stands at most this far from the true time, milliseconds. */
  readonly skewMsMax: number
  /** The most by which a wall clock runs fast or slow, parts of one. */
  readonly driftMax: number
  /** Weights; 0 leaves a kind out. */
  readonly faults: Readonly<Record<FaultKind, number>>
  readonly families: Readonly<Record<Family, number>>
  /** Mean time between faults, milliseconds. */
  readonly faultEveryMs: number
  /** Mean time a client waits after a reply, milliseconds. */
  readonly thinkMs: number
  /** Keys of each kind. */
  readonly keyCount: number
  /** Databases in use. */
  readonly databases: number
  readonly flushes: boolean
  readonly segmentBytes: number
  readonly tailBytes: number
  /** `peer-dark-max-ms`: the others go on without a region that is unheard for so long. */
  readonly darkMsMax: number
}

/** Short enough to be waited for among other faults. */
const SHORT_DARK_MS = [3000, 8000] as const
/** Least weight of what a run is about. */
const FOCUS_WEIGHT = 4

/** Kinds of faults and commands. */
export type Focus = readonly (FaultKind | Family)[]

/** What is said of a run besides its seed. */
export interface About {
  /** These come as often as all others together. */
  readonly focus?: Focus | undefined
  /** These do not come at all. */
  readonly without?: Focus | undefined
}

type Weight = readonly [name: string, weight: number]

/** However many kinds there come to be, what a run is about is not lost among them. */
function focused(weights: readonly Weight[], focus: readonly string[]): Weight[] {
  const others = weights.filter(([name]) => !focus.includes(name))
  const sum = others.reduce((total, [, weight]) => total + weight, 0)
  const share = Math.max(FOCUS_WEIGHT, sum / (weights.length - others.length))
  return weights.map(([name, weight]) => [name, focus.includes(name) ? share : weight])
}

function drawn<Name extends string>(prng: Prng, names: readonly Name[], share: number) {
  return names.map((name) => [name, prng.chance(share) ? prng.between(1, 4) : 0] as const)
}

/** @param ops  commands of the run; drawn from the seed when absent */
export function drawOptions(
  seed: number,
  ops?: number,
  { focus = [], without = [] }: About = {},
): SimOptions {
  const prng = new Prng(seed)
  const isLeft = ([name]: Weight) => !(without as readonly string[]).includes(name)
  const weighed = <Name extends string>(weights: readonly Weight[]) => {
    const left = new Map(focused(weights.filter(isLeft), focus))
    return Object.fromEntries(weights.map(([name]) => [name, left.get(name) ?? 0])) as Record<Name, number>
  }
  const delayMsMin = prng.pick([0.2, 1, 20])
  const syncMsMin = prng.pick([0.1, 1, 5])
  const families = weighed<Family>([
    ...drawn(prng, FIRST_FAMILIES, 0.5),
    ...drawn(new Prng(seed).fork('further families'), FURTHER_FAMILIES, 0.4),
  ])
  // A run without writes has nothing to say.
  families[
    prng.pick(['strings', 'counters', 'hashes', 'sets', 'lists', 'zsets', 'hyperloglogs', 'streams'] as const)
  ] += 2
  const faults = { ...weighed<FaultKind>(drawn(prng, FAULT_KINDS, 0.45)), heal: 3 }
  const isAboutDarkness = focus.includes('dark') || focus.includes('wall')
  const darkMsMax = prng.pick([86_400_000, 86_400_000, ...SHORT_DARK_MS])
  const isDark = isAboutDarkness || (darkMsMax <= DARK_MS_MAX && faults.dark + faults.wall > 0)
  return {
    seed,
    ops: ops ?? prng.pick([60, 120, 250]),
    regions: prng.weighted([
      [2, 2],
      [6, 3],
      [1, 4],
    ]),
    clientsPerRegion: prng.between(1, 3),
    policy: prng.weighted([
      [5, 'always'],
      [5, 'everysec'],
      [1, 'no'],
    ]),
    network: {
      delayMsMin,
      delayMsMax: delayMsMin * prng.pick([1, 3, 10]),
      bytesPerMs: prng.chance(0.2) ? 20 : Number.POSITIVE_INFINITY,
    },
    disk: {
      syncMsMin,
      syncMsMax: syncMsMin * prng.pick([1, 4]),
      slowSyncChance: prng.chance(0.3) ? 0.1 : 0,
      slowSyncMs: 300,
      syncErrorChance: prng.chance(0.1) ? 0.02 : 0,
      pageBytes: prng.pick([16, 64, 512]),
    },
    skewMsMax: prng.pick([0, 5, 400, 5000, 90_000]),
    driftMax: prng.pick([0, 0.0002, 0.02]),
    faults,
    families,
    // What follows upon a long silence takes its time: clients must still be there.
    faultEveryMs: prng.pick(isDark ? [100, 400, 2000] : [20, 100, 400]),
    thinkMs: prng.pick(isDark ? [5, 40, 400, 1500] : [0.5, 5, 40]),
    keyCount: prng.pick([1, 2, 6]),
    databases: prng.pick([1, 1, 2]),
    flushes: prng.chance(0.2),
    segmentBytes: prng.pick([1024, 8192, 1024 * 1024]),
    tailBytes: prng.pick([256, 4096, 64 * 1024]),
    darkMsMax: isAboutDarkness ? prng.pick(SHORT_DARK_MS) : darkMsMax,
  }
}
