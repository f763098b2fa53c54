/**
 * mutants.ts: bugs of failover that others have shipped, or this project has had, as patches to the compiled code. The
 * simulation of regions of several nodes has to notice every one of them.
 *
 * `find` stands exactly once in the file below `dist/`. A mutant may live for `seeds` seeds, several times as many as
 * it took to notice it when it was written.
 */
import type { Patch } from '../mutants.ts'
import type { FaultKind } from './options.ts'

export interface Mutant {
  readonly name: string
  readonly patches: readonly Patch[]
  /** Where the search begins, to find soon what few seeds find; 1 without it. */
  readonly firstSeed?: number
  readonly seeds: number
  readonly focus?: readonly FaultKind[]
}

const REPLICATION = 'region-node/replication/replication.js'

export const MUTANTS: readonly Mutant[] = [
  {
    name: "a promoted node goes on under its predecessor's origin",
    patches: [
      {
        file: REPLICATION,
        find: 'engine.adoptOrigin(isFresh ? origin : terms.renew())',
        replace:
          'engine.adoptOrigin([...applied.entries()].filter(([one]) => one.region === origin.region).at(-1)?.[0] ?? origin)',
      },
    ],
    seeds: 40,
    focus: ['isolate', 'kill'],
  },
  {
    name: 'clients are answered without the replicas that are in sync',
    patches: [
      {
        file: 'region-node/replication/reply-gate.js',
        find: "if (mode() === 'async')",
        replace: 'if (true)',
      },
    ],
    seeds: 40,
  },
  {
    name: 'a region acknowledges to others without its replicas',
    patches: [
      {
        file: 'sync/replicas.js',
        find: 'if (this.#inSync === undefined || this.#inSync.size === 0) {',
        replace: 'if (true) {',
      },
    ],
    firstSeed: 45,
    seeds: 200,
    focus: ['power', 'deaf', 'stuck-disk'],
  },
  {
    name: 'a primary does not look at its deadline',
    patches: [
      { file: 'region-node/cluster/primacy.js', find: 'if (nowMs < lease.deadlineMs)', replace: 'if (true)' },
    ],
    firstSeed: 45,
    seeds: 60,
    focus: ['isolate', 'freeze'],
  },
  {
    name: 'a replica runs although it has promised not to',
    patches: [
      {
        file: 'region-node/cluster/election.js',
        find: 'atMs = Math.max(atMs, heardMs + ttlMs, claimedMs + ttlMs)',
        replace: 'atMs = Math.max(atMs, claimedMs + ttlMs)',
      },
    ],
    firstSeed: 45,
    seeds: 60,
    focus: ['uncoordinated'],
  },
  {
    name: 'what only a deposed primary has is thrown away',
    patches: [{ file: 'sync/following.js', find: 'this.#sendTail(vector);', replace: '' }],
    // Mostly another region has it, and gives it back.
    firstSeed: 95,
    seeds: 80,
    focus: ['isolate', 'uncoordinated', 'apart'],
  },
  {
    name: 'a replica says that it has what its log has not',
    patches: [
      {
        file: 'sync/puller.js',
        find: 'applied: host.replication.logged.toWire(),',
        replace: 'applied: host.applied.toWire(),',
      },
    ],
    firstSeed: 25,
    seeds: 200,
    focus: ['kill'],
  },
  {
    name: 'a replica says that something is durable before its fsync',
    patches: [
      {
        file: 'sync/puller.js',
        find: 'durable: durable.toWire(),',
        replace: 'durable: host.applied.toWire(),',
      },
    ],
    seeds: 40,
    focus: ['power'],
  },
  {
    name: 'a primary waits for fewer than the coordinator knows to be in sync',
    patches: [
      {
        file: 'region-node/cluster/in-sync.js',
        find: 'const waitedFor = this.named;',
        replace:
          'const waitedFor = new Set([...this.named].filter((id) => id === this.#parts.self || ' +
          'this.#parts.member.replicas().some((one) => one.nodeId === id && one.isConnected)));',
      },
    ],
    seeds: 60,
    focus: ['cut', 'kill'],
  },
  {
    name: 'the last replies of a deposed primary leave',
    patches: [{ file: REPLICATION, find: 'if (silences === this.#silences)', replace: 'if (true)' }],
    seeds: 400,
    focus: ['revoke', 'hand-over', 'slow-disk'],
  },
  {
    name: 'documents of before outlive a coordinator that was put back',
    patches: [
      {
        file: 'region-node/cluster/ledger.js',
        find: 'changed > revision && !isPutBack',
        replace: 'changed > revision',
      },
    ],
    seeds: 200,
    focus: ['rewind'],
  },
  {
    name: 'an origin is ended below what one holds that may be promoted',
    patches: [
      {
        file: 'region-node/horizon-keeper.js',
        find: '!mesh.replicas.mayEnd(origin, end)',
        replace: 'false',
      },
      {
        file: 'region-node/cluster/in-sync.js',
        find: 'return replica.lagMs <= LAG_MS_MAX && !replica.isBeyondEnd',
        replace: 'return replica.lagMs <= LAG_MS_MAX',
      },
      {
        file: 'region-node/cluster/in-sync.js',
        find: 'JOIN_LAG_MS_MAX && !replica.isBeyondEnd',
        replace: 'JOIN_LAG_MS_MAX',
      },
    ],
    firstSeed: 70_060,
    seeds: 200,
  },
]
