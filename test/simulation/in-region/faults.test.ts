/**
 * faults.test.ts: the faults that a region has to live through, each made by hand: see FAULTS.md.
 *
 * All judges of the simulation watch every one of them; what is expected besides stands in the test.
 */
import { describe, expect, it } from 'vitest'
import { RespError } from '../../../region-node/resp/parse-reply.ts'
import { type Command, isAcknowledged } from './commands.ts'
import type { Machine } from './machine.ts'
import { drawOptions, type FaultKind, type InRegionOptions } from './options.ts'
import type { Region } from './region.ts'
import { type InRegionSimulation, simulateInRegion } from './simulation.ts'

/** Promised of the profile `high`, milliseconds. */
const DEATH_MS_MAX = 2000
const LOSS_MS_MAX = 5000
/** Where nothing is promised in numbers. */
const FAILOVER_MS_MAX = 60_000
/** From the claim of a primary to its links with the other regions: some exchanges of messages. */
const LINK_MS_MAX = 250

const QUIET: Partial<InRegionOptions> = {
  nodes: [3, 1],
  ackMode: 'sync',
  policy: 'everysec',
  isUncleanAllowed: false,
  hasGuard: true,
  clientsPerRegion: 3,
  thinkMs: 80,
  network: { delayMsMin: 0.5, delayMsMax: 1.5, bytesPerMs: Number.POSITIVE_INFINITY },
  coordinatorMs: 1,
  disk: { syncMsMin: 0.5, syncMsMax: 2, slowSyncChance: 0, slowSyncMs: 0, syncErrorChance: 0, pageBytes: 64 },
  skewMsMax: 0,
  driftMax: 0,
  segmentBytes: 64 * 1024,
  tailBytes: 64 * 1024,
  hasOneSeed: false,
}

type Script = (run: Run) => Promise<void> | void

/** Runs a script between founding and healing. @throws when a judge finds something */
async function live(script: Script, fixed: Partial<InRegionOptions> = {}, seed = 1): Promise<void> {
  const options = drawOptions(seed, [], { ...QUIET, ...fixed })
  const { finding } = await simulateInRegion(options, false, async (simulation) =>
    script(new Run(simulation)),
  )
  expect(finding).toBeUndefined()
}

class Run {
  readonly simulation: InRegionSimulation
  readonly region: Region

  constructor(simulation: InRegionSimulation) {
    this.simulation = simulation
    this.region = simulation.regions[0]!
    // Clients have written something, and all nodes are in sync.
    simulation.pass(3000)
    expect(this.region.inSync.length).toBe(this.region.machines.length)
  }

  get primary(): Machine {
    return this.region.machines.find(({ isPrimary }) => isPrimary)!
  }

  get replicas(): Machine[] {
    return this.region.machines.filter(({ isPrimary }) => !isPrimary)
  }

  get term(): number {
    return this.region.latest!.term
  }

  pass(ms: number): void {
    this.simulation.pass(ms)
  }

  /** @param ms  how long it lasts, should nobody end it before */
  async begin(kind: FaultKind, machine: Machine, ms = 60_000): Promise<void> {
    const region = this.simulation.regions.find(({ machines }) => machines.includes(machine))!
    expect(await this.simulation.nemesis.begin(kind, region, machine, ms)).toBe(true)
  }

  heal(): Promise<void> {
    return this.simulation.nemesis.healAll()
  }

  /** Cuts a machine off from all nodes, and from the coordinator. Its clients still reach it. */
  cutOff(machine: Machine): void {
    this.isolate(machine)
    machine.cutCoordinator('both')
  }

  isolate(machine: Machine): void {
    for (const { name } of this.simulation.machines)
      if (name !== machine.name) this.simulation.network.cut(machine.name, name)
  }

  rejoin(machine: Machine): void {
    for (const { name } of this.simulation.machines) this.simulation.network.heal(machine.name, name)
    machine.healCoordinator()
  }

  /** Until clients may write at a primary of a later term. @returns milliseconds */
  failover(from: number): number {
    const { clock } = this.simulation
    const beganMs = clock.nowMs
    this.simulation.pass(FAILOVER_MS_MAX, () => this.region.isReady && this.term > from)
    expect(this.region.isReady && this.term > from).toBe(true)
    return clock.nowMs - beganMs
  }

  /** Until the primaries of all regions are linked both ways. @returns milliseconds */
  linked(): number {
    const { clock, regions } = this.simulation
    const beganMs = clock.nowMs
    const isSo = (): boolean =>
      regions.every(({ primary }) => {
        const links = primary?.core?.mesh.links() ?? []
        return (
          links.length > 0 && links.every(({ pull, serve }) => pull === 'streaming' && serve === 'streaming')
        )
      })
    if (!isSo()) this.simulation.pass(FAILOVER_MS_MAX, isSo)
    expect(isSo()).toBe(true)
    return clock.nowMs - beganMs
  }

  /** Acknowledged by the region from now on while time passes. */
  acknowledgedWithin(ms: number): number {
    const count = (): number =>
      this.simulation.commands.filter(({ region, dot, answeredMs }) => region === 'a' && dot && answeredMs)
        .length
    const before = count()
    this.pass(ms)
    return count() - before
  }
}

describe('fault', () => {
  it('1: the primary is killed under load', () =>
    live((run) => {
      const { term, primary } = run
      primary.crash('kill')
      expect(run.failover(term)).toBeLessThan(DEATH_MS_MAX)
    }))

  it('1: the machine of the primary loses its power', () =>
    live((run) => {
      const { term, primary } = run
      primary.crash('power')
      expect(run.failover(term)).toBeLessThan(LOSS_MS_MAX)
    }))

  it('2: the primary is cut off from the coordinator and its replicas, but not from clients', () =>
    live((run) => {
      const { term, primary } = run
      run.cutOff(primary)
      expect(run.failover(term)).toBeLessThan(LOSS_MS_MAX)
      run.pass(5000)
      run.rejoin(primary)
    }))

  it('3: the primary is cut off from the coordinator only, and stays', () =>
    live(async (run) => {
      const { term, primary } = run
      await run.begin('uncoordinated', primary)
      run.pass(10_000)
      expect(run.acknowledgedWithin(1000)).toBeGreaterThan(0)
      expect(run.term).toBe(term)
    }))

  it('4: only the answers of the coordinator do not arrive', () =>
    live(async (run) => {
      const { term } = run
      for (const machine of run.region.machines) await run.begin('unanswered', machine)
      run.pass(10_000)
      expect(run.acknowledgedWithin(1000)).toBeGreaterThan(0)
      expect(run.term).toBe(term)
    }))

  it('4: the primary hears its replicas, and they do not hear it', () =>
    live((run) => {
      const { primary, replicas, simulation } = run
      for (const { name } of replicas) simulation.network.stall(primary.name, name)
      run.pass(15_000)
      for (const { name } of replicas) simulation.network.unstall(primary.name, name)
    }))

  it.each(['timers', 'input'] as const)(
    '5: the primary is stopped for 30 s and goes on with %s first',
    (first) =>
      live((run) => {
        const { term, primary } = run
        primary.freeze()
        expect(run.failover(term)).toBeLessThan(LOSS_MS_MAX)
        run.pass(30_000)
        primary.thaw(first)
        run.pass(2000)
        expect(primary.isPrimary).toBe(false)
      }),
  )

  it('6: the primary hangs for 1 s, which is forgiven, and for 10 s', () =>
    live((run) => {
      const { term, primary } = run
      primary.freeze()
      run.pass(1000)
      primary.thaw('input')
      run.pass(3000)
      expect(run.term).toBe(term)
      primary.freeze()
      expect(run.failover(term)).toBeLessThan(LOSS_MS_MAX)
      run.pass(6000)
      primary.thaw('timers')
    }))

  it('7: the lease of a healthy primary is revoked', () =>
    live(async (run) => {
      const { term, primary } = run
      await run.begin('revoke', primary)
      expect(primary.isPrimary).toBe(false)
      expect(run.failover(term)).toBeLessThan(LOSS_MS_MAX)
    }))

  it('8: the coordinator answers nobody for 5 minutes', () =>
    live(
      async (run) => {
        const { term, primary } = run
        await run.begin('halt', primary)
        run.pass(300_000)
        expect(run.acknowledgedWithin(2000)).toBeGreaterThan(0)
        expect(run.term).toBe(term)
      },
      { thinkMs: 1000 },
    ))

  it('8: the coordinator is put back to an earlier time', () =>
    live(async (run) => {
      await run.begin('hand-over', run.primary)
      run.pass(3000)
      const backup = run.region.store.backup()
      const { term } = run
      run.primary.crash('kill')
      run.failover(term)
      await run.heal()
      run.pass(3000)
      run.region.store.restore(backup)
      run.simulation.pass(10_000, () => run.region.isReady && run.region.isUpToDate)
      expect(run.region.isReady).toBe(true)
      expect(run.term).toBeGreaterThan(term)
    }))

  it.each([600_000, -600_000])('9: wall clocks jump by %i ms: of the primary, a replica, the region', (ms) =>
    live((run) => {
      run.primary.node.machine.wall.offsetMs += ms
      run.pass(5000)
      run.replicas[0]!.node.machine.wall.offsetMs += ms
      run.pass(5000)
      for (const { node } of run.region.machines) node.machine.wall.offsetMs += ms
      run.pass(5000)
      const { term } = run
      run.primary.crash('kill')
      run.failover(term)
    }),
  )

  it('9: wall clocks run fast and slow', () =>
    live((run) => run.pass(20_000), { driftMax: 0.05, skewMsMax: 5000 }))

  it.each(['slow', 'stuck'] as const)(
    '10: an fsync of the primary is %s, and a healthy replica takes over',
    (how) =>
      live(
        (run) => {
          const { term, primary } = run
          const { disk } = primary.node.machine
          if (how === 'slow') disk.extraMs = 5000
          else disk.stick()
          expect(run.failover(term)).toBeLessThan(10_000)
          run.pass(5000)
          disk.extraMs = 0
          disk.loosen()
        },
        { policy: 'always' },
      ),
  )

  it('10: the disk of the primary is full', () =>
    live(async (run) => {
      const { term, primary } = run
      await run.begin('full-disk', primary)
      expect(run.failover(term)).toBeLessThan(10_000)
    }))

  it('10: no disk of the region takes the term of the next primary', () =>
    live(async (run) => {
      const { primary, replicas } = run
      for (const machine of replicas) await run.begin('full-disk', machine)
      primary.crash('kill')
      run.pass(10_000)
      expect(replicas.every(({ isUp }) => isUp)).toBe(true)
    }))

  it('11: what the power left of a log is cut or kept, and never believed', () =>
    live(
      async (run) => {
        for (let round = 0; round < 6; round++) {
          const { term } = run
          await run.begin('power', run.primary, 1000)
          run.failover(term)
          await run.heal()
          run.pass(4000)
        }
      },
      { policy: 'everysec' },
      11,
    ))

  it('11: deletes that went with the power of one that is promoted then may be undone, and nothing else', () =>
    live(
      async (run) => {
        const { term, primary } = run
        const [replica] = run.replicas
        const [other] = run.simulation.regions[1]!.machines
        replica!.crash('kill')
        for (const machine of [primary, other!]) {
          machine.crash('power')
          await machine.start()
        }
        run.failover(term)
        expect(primary.isPrimary).toBe(true)
        // The origin of before is ended without them.
        run.pass(8000)
        await replica!.start()
        run.pass(3000)
      },
      { nodes: [2, 1], thinkMs: 40, policy: 'no' },
    ))

  it('12: a replica that is far behind does not take over', () =>
    live((run) => {
      const { primary, replicas, simulation } = run
      simulation.network.stall(primary.name, replicas[0]!.name)
      run.pass(20_000)
      expect(run.region.inSync).not.toContain(replicas[0])
      const { term } = run
      primary.crash('kill')
      run.failover(term)
      expect(replicas[1]!.isPrimary).toBe(true)
      simulation.network.unstall(primary.name, replicas[0]!.name)
    }))

  it('13: the primary comes back without its files', () =>
    live(async (run) => {
      const { term, primary } = run
      await run.begin('wipe', primary, 0)
      await primary.start()
      run.failover(term)
      expect(primary.isPrimary).toBe(false)
    }))

  it('13: a machine without its files loses its power once more before it is back', () =>
    live(async (run) => {
      const [replica] = run.replicas
      await run.begin('wipe', replica!, 0)
      run.simulation.lostPower(replica!.node)
      await replica!.start()
      run.pass(5000)
      expect(run.region.inSync.length).toBe(run.region.machines.length)
    }))

  it('14: the former primary comes back with writes that nobody has', () =>
    live(
      (run) => {
        const { term, primary } = run
        run.cutOff(primary)
        expect(run.acknowledgedWithin(1500)).toBeGreaterThan(0)
        run.failover(term)
        run.pass(20_000)
        run.rejoin(primary)
      },
      { ackMode: 'async' },
    ))

  it.each(['kill', 'power'] as const)('15: the sender fails in mid-stream, and in mid-snapshot: %s', (how) =>
    live(
      async (run) => {
        const other = run.simulation.regions[1]!
        for (let round = 0; round < 4; round++) {
          const { term } = run
          await run.begin('apart', run.primary, 0)
          run.pass(3000)
          for (const machine of run.region.machines) machine.core?.snapshotter.make()
          run.pass(1000)
          for (const { core } of run.region.machines) core?.log.trim(core.store.newest?.position ?? 0)
          await run.heal()
          run.simulation.pass(2000, () =>
            other.machines.some(({ core }) => core?.mesh.links().some(isFetching)),
          )
          run.pass(round)
          run.primary.crash(how)
          run.failover(term)
          await run.heal()
          run.pass(4000)
        }
      },
      { segmentBytes: 4096 },
    ),
  )

  it.each(['kill', 'power'] as const)(
    '16: the receiver fails right after it acknowledged to a peer: %s',
    (how) =>
      live(
        async (run) => {
          const sender = run.simulation.regions[1]!
          for (let round = 0; round < 5; round++) {
            const { term } = run
            const known = (): number => sender.primary?.core?.mesh.cut.standing(1)?.durable.opCount ?? 0
            const before = known()
            run.simulation.pass(3000, () => known() > before)
            run.primary.crash(how)
            run.failover(term)
            await run.heal()
            run.pass(4000)
          }
        },
        { policy: 'always' },
      ),
  )

  it('17: both sides fail at once, three regions, links that flap', () =>
    live(
      async (run) => {
        for (let round = 0; round < 4; round++) {
          for (const { machines } of run.simulation.regions) {
            const primary = machines.find(({ isPrimary }) => isPrimary)!
            await run.begin('flap', primary, 0)
            primary.crash(round % 2 === 0 ? 'kill' : 'power')
          }
          run.pass(2000)
          await run.heal()
          run.simulation.pass(20_000, () => run.simulation.regions.every(({ isReady }) => isReady))
        }
      },
      { nodes: [3, 3, 1] },
    ))

  it('18: a region is cut off until the logs of the others do not reach back any more', () =>
    live(
      async (run) => {
        await run.begin('apart', run.primary)
        for (let round = 0; round < 6; round++) {
          run.pass(5000)
          for (const { core } of run.simulation.machines) core?.snapshotter.make()
          run.pass(1000)
          for (const { core } of run.region.machines) core?.log.trim(core.store.newest?.position ?? 0)
        }
      },
      { segmentBytes: 4096 },
    ))

  it('20: the files of a replica are put back from a backup', () =>
    live(async (run) => {
      const replica = run.replicas[0]!
      const copy = replica.node.machine.disk.copy()
      run.pass(5000)
      replica.crash('power')
      replica.node.machine.disk.replaceAll(copy)
      run.simulation.lostFiles(replica)
      await replica.start()
      run.pass(5000)
      const { term } = run
      run.primary.crash('kill')
      run.failover(term)
    }))

  it('20: a region of one node is put back from a backup', () =>
    live(async (run) => {
      const [alone] = run.simulation.regions[1]!.machines
      const copy = alone!.node.machine.disk.copy()
      run.pass(5000)
      alone!.crash('power')
      alone!.node.machine.disk.replaceAll(copy)
      run.simulation.lostFiles(alone!)
      run.isolate(alone!)
      await alone!.start()
      run.pass(8000)
      run.rejoin(alone!)
    }))

  it('23: all nodes of a zone are lost at once', () =>
    live(async (run) => {
      const { term } = run
      await run.begin('rack', run.region.machines[1]!)
      run.pass(10_000)
      expect(run.region.isReady).toBe(true)
      expect(run.term - term).toBeLessThanOrEqual(1)
    }))

  it('24: a region is out of memory while regions sync', () =>
    live(async (run) => {
      const [short, other] = run.simulation.regions
      const answersOf = (region: Region, sinceMs: number): Command[] =>
        run.simulation.commands.filter(
          (command) => command.region === region.name && (command.answeredMs ?? 0) > sinceMs,
        )
      const isGrown = ({ dot, ask }: Command): boolean => dot !== undefined && ask.kind !== 'delete'
      const heard = (): number =>
        [...run.primary.core!.applied.entries()]
          .filter(([origin]) => origin.region === other!.id)
          .reduce((sum, [, seq]) => sum + seq, 0)
      const usual = answersOf(other!, 0).filter(isGrown).length
      await run.begin('memory', run.primary)
      run.pass(150)
      const { nowMs } = run.simulation.clock
      const heardBefore = heard()
      const cutBefore = cutOf(run.primary)
      run.pass(3000)
      const refused = answersOf(short!, nowMs)
      expect(refused.filter(isGrown)).toEqual([])
      expect(refused.some(isOutOfMemory)).toBe(true)
      // What gives memory back, and what only reads, goes on.
      for (const kind of ['delete', 'sum'])
        expect(refused.some((command) => command.ask.kind === kind && isAcknowledged(command))).toBe(true)
      expect(answersOf(other!, nowMs).some(isOutOfMemory)).toBe(false)
      expect(answersOf(other!, nowMs).filter(isGrown).length).toBeGreaterThan(usual / 2)
      expect(heard()).toBeGreaterThan(heardBefore)
      expect(cutOf(run.primary)).toBeGreaterThan(cutBefore)
      const { term } = run
      run.primary.crash('kill')
      expect(run.failover(term)).toBeLessThan(DEATH_MS_MAX)
      run.pass(1000)
      expect(answersOf(short!, nowMs).filter(isGrown)).toEqual([])
      await run.heal()
      run.pass(3000)
      expect(run.acknowledgedWithin(1000)).toBeGreaterThan(0)
    }))
})

describe('a planned hand-over', () => {
  it.each([
    ['async', 'everysec'],
    ['sync', 'everysec'],
    ['sync', 'always'],
  ] as const)('under load loses nothing, and leaves nothing unanswered: %s, %s', (ackMode, policy) =>
    live(
      async (run) => {
        for (let round = 0; round < 5; round++) {
          const { term } = run
          await run.begin('hand-over', run.primary)
          expect(run.failover(term)).toBeLessThan(1000)
          run.pass(1500)
        }
        const longAgoMs = run.simulation.clock.nowMs - 1000
        const unanswered = run.simulation.commands.filter(
          ({ dot, sentMs, answeredMs }) =>
            dot !== undefined && answeredMs === undefined && sentMs < longAgoMs,
        )
        expect(unanswered).toEqual([])
      },
      { ackMode, policy, thinkMs: 10, disk: { ...QUIET.disk!, syncMsMin: 10, syncMsMax: 40 } },
    ),
  )

  it('to a replica whose process has just begun is as quick', () =>
    live(async (run) => {
      const [replica] = run.replicas
      replica!.crash('kill')
      run.simulation.pass(5000, () => !run.region.inSync.includes(replica!))
      await replica!.start()
      const { term, primary } = run
      const told: (string | undefined)[] = []
      // It is refused until the replica is in sync.
      while (!told.includes(undefined)) {
        primary.agent!.handOver(replica!.nodeId, 3000, (failure) => told.push(failure))
        run.pass(10)
      }
      // One that waited out what the process before it may have promised would leave it to the third node.
      expect(run.failover(term)).toBeLessThan(1000)
      expect(replica!.isPrimary).toBe(true)
    }))

  it('to a replica that began without files, and never had all of its busy primary, asks nobody', () =>
    live(
      async (run) => {
        const [replica] = run.replicas
        await run.begin('wipe', replica!, 0)
        await replica!.start()
        run.simulation.pass(60_000, () => run.region.inSync.includes(replica!))
        run.pass(3500)
        const { term, primary } = run
        primary.agent!.handOver(replica!.nodeId, 3000, () => {})
        expect(run.failover(term)).toBeLessThan(1000)
        expect(replica!.isPrimary).toBe(true)
        run.pass(1000)
        const behind = run.simulation.commands.filter(
          ({ reply }) => reply instanceof RespError && reply.line.startsWith('BEHIND'),
        )
        expect(behind).toEqual([])
      },
      {
        ackMode: 'async',
        thinkMs: 10,
        clientsPerRegion: 8,
        network: { delayMsMin: 2, delayMsMax: 6, bytesPerMs: 400 },
      },
    ))
})

describe('regions that were given one address of each other', () => {
  const given = { nodes: [3, 3], hasOneSeed: true }

  it('are linked again after every failover', () =>
    live(async (run) => {
      for (let round = 0; round < 6; round++) {
        const { term, primary } = run
        primary.crash(round % 2 === 0 ? 'kill' : 'power')
        run.failover(term)
        expect(run.linked()).toBeLessThan(LINK_MS_MAX)
        await primary.start()
        run.pass(3000)
        // And each node hears what is published at each other one of its region.
        const heard = run.region.machines.map(({ core }) => core!.mesh.neighbours.heardCount)
        expect(heard).toEqual([2, 2, 2])
      }
    }, given))

  it('are linked again when the node at that address is gone for good', () =>
    live(async (run) => {
      const [seed] = run.region.machines
      const other = run.simulation.regions[1]!
      seed!.crash('power')
      for (let round = 0; round < 4; round++) {
        run.pass(5000)
        expect(run.linked()).toBe(0)
        const { term } = run
        await run.begin('hand-over', run.primary)
        run.failover(term)
        expect(run.linked()).toBeLessThan(LINK_MS_MAX)
        // One that has never been primary knows nothing but the address where nobody is.
        other.machines.find(({ isPrimary }) => isPrimary)!.crash('kill')
        run.simulation.pass(FAILOVER_MS_MAX, () => other.isReady)
        expect(run.linked()).toBeLessThan(LINK_MS_MAX)
        for (const machine of other.machines) await machine.start()
      }
    }, given))

  it('are linked again after a restart, by what a replica at that address says', () =>
    live(async (run) => {
      const [seed] = run.region.machines
      for (let round = 0; run.primary === seed && round < 5; round++) {
        const { term } = run
        await run.begin('hand-over', run.primary)
        run.failover(term)
      }
      expect(run.primary).not.toBe(seed)
      for (const other of run.simulation.regions[1]!.machines) {
        other.crash('kill')
        await other.start()
      }
      run.simulation.pass(FAILOVER_MS_MAX, () => run.simulation.regions[1]!.isReady)
      expect(run.linked()).toBeLessThan(LINK_MS_MAX)
    }, given))
})

function isFetching({ snapshotIn }: { readonly snapshotIn?: unknown }): boolean {
  return snapshotIn !== undefined
}

function isOutOfMemory({ reply }: Command): boolean {
  return reply instanceof RespError && reply.line.startsWith('OOM')
}

/** Ops that all regions are known to have applied, as a node sees it. */
function cutOf({ core }: Machine): number {
  return core!.mesh.cut.cut.opCount
}
