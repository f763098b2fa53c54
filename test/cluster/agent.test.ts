/**
 * agent.test.ts: what a region does in the cases that are promised by name, and how long it takes.
 */
import { describe, expect, it } from 'vitest'
import { decodeHandover, decodeState } from '../../region-node/cluster/documents.ts'
import { PROFILES } from '../../region-node/cluster/profiles.ts'
import { type FakeNode, FakeRegion, type RegionOptions } from './fake-region.ts'

const SEEDS = Array.from({ length: 20 }, (_, i) => i + 1)

/** A region in which all nodes are in sync. */
function settled(options: Partial<RegionOptions> = {}): { region: FakeRegion; primary: FakeNode } {
  const region = new FakeRegion(options)
  region.startAll()
  const isSettled = (): boolean => region.primary?.life?.agent.status.inSync.length === region.nodes.length
  const tookMs = region.until(isSettled)
  expect(tookMs, 'until all are in sync').toBeLessThan(2 * region.profile.ttlMs)
  region.advance(2 * region.profile.ttlMs)
  return { region, primary: region.primary! }
}

const others = (region: FakeRegion, node: FakeNode): FakeNode[] => region.nodes.filter((one) => one !== node)

/** Until another node than that answers, milliseconds. */
function failoverMs(region: FakeRegion, lost: FakeNode): number {
  return region.until(() => region.primary !== undefined && region.primary !== lost)
}

function peaceful(region: FakeRegion): void {
  expect(region.judge.faults, region.notes.join('\n')).toEqual([])
}

const dutyOf = (node: FakeNode): string | undefined => node.member?.duty.kind

const stateOf = (region: FakeRegion) => {
  const { entries } = region.store.perform((documents) => documents.read(region.keys.of('state', 0)))
  return decodeState(entries[0]!.value)!
}

const handoverOf = (region: FakeRegion) => {
  const { entries } = region.store.perform((documents) => documents.read(region.keys.of('handover', 0)))
  return entries[0] === undefined ? undefined : decodeHandover(entries[0].value)
}

describe('a region', () => {
  it('comes up with one primary that all others follow', () => {
    const { region, primary } = settled({ nodes: 5 })
    expect(dutyOf(primary)).toBe('primary')
    for (const node of others(region, primary)) {
      expect(node.member?.duty).toMatchObject({
        kind: 'replica',
        term: 1,
        primary: { nodeId: primary.nodeId },
      })
      const topology = node.life!.agent.topology!
      expect(topology.nodes.filter(({ role }) => role === 'primary').map(({ host }) => host)).toEqual([
        primary.nodeId,
      ])
      expect(topology.nodes.every(({ isUp }) => isUp)).toBe(true)
    }
    peaceful(region)
  })

  it('of one node answers again after a restart', () => {
    const { region, primary } = settled({ nodes: 1 })
    region.crash(primary, true)
    region.start(primary)
    expect(region.until(() => region.primary === primary)).toBeLessThan(5000)
    expect(primary.member?.term).toBe(2)
    peaceful(region)
  })
})

describe('the time that nobody answers', () => {
  it.each(SEEDS)('is a second at most when a guard sees the process die (seed %i)', (seed) => {
    const { region, primary } = settled({ seed })
    region.crash(primary, true)
    expect(failoverMs(region, primary)).toBeLessThan(1000)
    peaceful(region)
  })

  it.each(SEEDS)('is five seconds at most when the primary is cut off (seed %i)', (seed) => {
    const { region, primary } = settled({ seed })
    region.isolate(primary)
    expect(failoverMs(region, primary)).toBeLessThan(5000)
    peaceful(region)
  })

  it.each(SEEDS)('is five seconds at most when nobody sees the process die (seed %i)', (seed) => {
    const { region, primary } = settled({ seed })
    region.crash(primary, false)
    expect(failoverMs(region, primary)).toBeLessThan(5000)
    peaceful(region)
  })

  it.each(SEEDS.slice(0, 5))('is thirteen seconds at most with the low profile (seed %i)', (seed) => {
    const { region, primary } = settled({ seed, profile: PROFILES.low })
    region.isolate(primary)
    expect(failoverMs(region, primary)).toBeLessThan(13_000)
    peaceful(region)
  })

  it('is two leases and two seconds at most when the coordinator changes its leader meanwhile', () => {
    const { region, primary } = settled()
    region.store.halt()
    region.isolate(primary)
    region.advance(1000)
    region.store.goOn()
    expect(failoverMs(region, primary)).toBeLessThan(2 * PROFILES.high.ttlMs + 1000)
    peaceful(region)
  })
})

describe('a primary that the coordinator does not answer', () => {
  it('goes on while all in sync promise not to run', () => {
    const { region, primary } = settled()
    region.cutFromStore(primary)
    expect(region.until(() => region.primary !== primary, 30_000)).toBe(Number.POSITIVE_INFINITY)
    for (const node of others(region, primary))
      expect(node.life!.agent.topology!.nodes[0]!.host).toBe(primary.nodeId)
    region.healToStore(primary)
    expect(region.until(() => stateOf(region).term === 2)).toBeLessThan(3000)
    expect(region.until(() => region.primary === primary)).toBeLessThan(1000)
    peaceful(region)
  })

  it('goes on when the coordinator is gone for all', () => {
    const { region, primary } = settled()
    region.store.halt()
    expect(region.until(() => region.primary !== primary, 300_000)).toBe(Number.POSITIVE_INFINITY)
    region.store.goOn()
    region.advance(10_000)
    expect(region.primary).toBe(primary)
    expect(stateOf(region).term).toBe(1)
    peaceful(region)
  })

  it('is silent from the moment that one of them is out of reach, until it is back', () => {
    const { region, primary } = settled()
    const [other] = others(region, primary)
    region.store.halt()
    region.advance(10_000)
    region.cut(primary, other!)
    expect(region.until(() => region.primary === undefined)).toBeLessThan(PROFILES.high.ttlMs)
    expect(dutyOf(primary)).toBe('primary')
    region.heal(primary, other!)
    expect(region.until(() => region.primary === primary)).toBeLessThan(1000)
    peaceful(region)
  })

  it('goes on when there is nobody else', () => {
    const { region, primary } = settled({ nodes: 1 })
    region.cutFromStore(primary)
    expect(region.until(() => region.primary !== primary, 30_000)).toBe(Number.POSITIVE_INFINITY)
  })

  it('waits for all members while those may be promoted that are not in sync', () => {
    const { region, primary } = settled({ nodes: 2, isUncleanAllowed: true })
    const [other] = others(region, primary)
    region.crash(other!, true)
    region.advance(1000)
    expect(stateOf(region).inSync).toEqual([primary.nodeId])
    region.cutFromStore(primary)
    expect(region.until(() => region.primary === undefined)).toBeLessThan(PROFILES.high.ttlMs)
    peaceful(region)
  })
})

describe('a primary that lost its lease', () => {
  it('is idle at once', () => {
    const { region, primary } = settled()
    primary.life!.gate.revoke(primary.lease!, () => {})
    expect(region.until(() => dutyOf(primary) !== 'primary')).toBeLessThan(100)
    expect(region.until(() => region.primary !== undefined)).toBeLessThan(1000)
    expect(region.judge.answeringTerm).toBe(2)
    peaceful(region)
  })

  it.each([
    ['stalls', (node: FakeNode) => node.machine.stall(30_000)],
    ['sleeps', (node: FakeNode) => node.machine.sleep(30_000)],
  ])('answers nothing when its machine %s and goes on', (_, stop) => {
    const { region, primary } = settled()
    stop(primary)
    expect(failoverMs(region, primary)).toBeLessThan(5000)
    region.advance(40_000)
    expect(dutyOf(primary)).toBe('replica')
    peaceful(region)
  })

  it('keeps it when the event loop is blocked for a second', () => {
    const { region, primary } = settled()
    primary.machine.stall(1000)
    region.advance(10_000)
    expect(region.primary).toBe(primary)
    expect(stateOf(region).term).toBe(1)
    peaceful(region)
  })

  it('keeps it when the wall clock is set', () => {
    for (const jumpMs of [600_000, -600_000]) {
      const { region, primary } = settled()
      primary.machine.jump(jumpMs)
      region.advance(2000)
      expect(region.primary).toBe(primary)
      expect(stateOf(region).term).toBe(1)
      peaceful(region)
    }
  })
})

describe('a hand-over', () => {
  it.each(SEEDS)('takes some milliseconds (seed %i)', (seed) => {
    const { region, primary } = settled({ seed })
    const target = others(region, primary)[seed % 2]!
    let failure: string | undefined = 'not told'
    primary.life!.agent.handOver(target.nodeId, 500, (reason) => {
      failure = reason
    })
    expect(failoverMs(region, primary)).toBeLessThan(150)
    expect(region.primary).toBe(target)
    region.advance(1000)
    expect(failure).toBeUndefined()
    expect(handoverOf(region)).toBeUndefined()
    expect(primary.member?.duty).toMatchObject({ kind: 'replica', primary: { nodeId: target.nodeId } })
    expect(stateOf(region).inSync).toHaveLength(3)
    peaceful(region)
  })

  it('sends no client to one that sends it back: commands wait there until it is known who is primary', () => {
    const { region, primary } = settled()
    const [target] = others(region, primary)
    const { agent, member } = target!.life!
    primary.life!.agent.handOver(target!.nodeId, 500, () => {})
    region.until(() => dutyOf(target!) !== 'replica')
    expect(dutyOf(target!)).toBe('idle')
    const isKnown = (): boolean => {
      if (dutyOf(target!) === 'idle') expect([agent.topology!.isOpen, member.isPaused]).toEqual([true, true])
      const former = primary.life!.agent.topology!
      if (dutyOf(primary) === 'idle' && former.self.role === 'primary') expect(former.isOpen).toBe(true)
      return region.primary === target
    }
    expect(region.until(isKnown)).toBeLessThan(150)
    expect([agent.topology!.isOpen, member.isPaused]).toEqual([false, false])
    peaceful(region)
  })

  it('leaves the coordinator alone with the claim: what nodes say of themselves comes later', () => {
    const { region, primary } = settled()
    const [target] = others(region, primary)
    const stored: string[] = []
    region.store
      .connect({ deadlineMs: 1000, delayMs: 0 })
      .watch(region.keys.prefix, region.backUp().revision, {
        changed: (events) => stored.push(...events.map(({ key }) => key)),
        lost: () => {},
      })
    primary.life!.agent.handOver(target!.nodeId, 500, () => {})
    failoverMs(region, primary)
    expect(stored.filter((key) => key.includes('/node/'))).toEqual([])
    region.advance(1000)
    for (const { nodeId } of region.nodes) expect(stored).toContain(region.keys.node(nodeId))
  })

  it('is refused for one that is not in sync, and by one that is not primary', () => {
    const { region, primary } = settled()
    const [other] = others(region, primary)
    const reasons: (string | undefined)[] = []
    const told = (reason?: string): void => void reasons.push(reason)
    other!.life!.agent.handOver(undefined, 500, told)
    region.crash(other!, true)
    region.advance(1000)
    primary.life!.agent.handOver(other!.nodeId, 500, told)
    primary.life!.agent.handOver(primary.nodeId, 500, told)
    expect(reasons).toEqual([
      'this node is not the primary',
      `${other!.nodeId} is not connected, or not in sync`,
      `${primary.nodeId} is not connected, or not in sync`,
    ])
  })

  it('is given up in time when the other one does not catch up, and writes go on', () => {
    const { region, primary } = settled()
    const [target] = others(region, primary)
    region.cut(primary, target!)
    region.until(() => primary.member!.replicas().some(({ lagOps }) => lagOps > 0))
    let failure: string | undefined
    primary.life!.agent.handOver(target!.nodeId, 300, (reason) => {
      failure = reason
    })
    expect(primary.member!.isPaused).toBe(true)
    expect(region.until(() => failure !== undefined)).toBeLessThan(310)
    expect(failure).toBe(`${target!.nodeId} did not catch up within 300 ms`)
    expect(primary.member!.isPaused).toBe(false)
    expect(region.primary).toBe(primary)
    peaceful(region)
  })

  it('leaves the others a second later when the one that is named does not come', () => {
    const { region, primary } = settled()
    const [target] = others(region, primary)
    primary.life!.agent.handOver(target!.nodeId, 500, () => {})
    region.until(() => handoverOf(region) !== undefined)
    region.crash(target!, true)
    const tookMs = region.until(() => region.primary !== undefined && stateOf(region).term === 2)
    expect(tookMs).toBeGreaterThan(1000)
    expect(tookMs).toBeLessThan(1500)
    peaceful(region)
  })

  it('is forgotten with the disk of the one that is named', () => {
    const { region, primary } = settled({ nodes: 2 })
    const [target] = others(region, primary)
    primary.life!.agent.handOver(target!.nodeId, 500, () => {})
    region.until(() => handoverOf(region) !== undefined)
    // The judge hears of it.
    region.advance(0.1)
    for (const node of [target!, primary]) {
      region.crash(node, true)
      region.wipe(node)
    }
    region.isUncleanAllowed = true
    region.start(target!)
    expect(region.until(() => region.primary === target)).toBeLessThan(15_000)
    expect(target!.member!.duty).toMatchObject({ isWhole: false })
    peaceful(region)
  })

  it('comes of itself when the primary is not well', () => {
    const { region, primary } = settled()
    primary.isHealthy = false
    expect(failoverMs(region, primary)).toBeLessThan(500)
    peaceful(region)
  })

  it('does not, when there is nobody to take over', () => {
    const { region, primary } = settled({ nodes: 1 })
    primary.isHealthy = false
    region.advance(10_000)
    expect(region.primary).toBe(primary)
    expect(primary.member!.isPaused).toBe(false)
  })
})

describe('an orderly end', () => {
  it('hands over first', () => {
    const { region, primary } = settled()
    region.stop(primary)
    expect(failoverMs(region, primary)).toBeLessThan(200)
    expect(region.until(() => primary.life === undefined)).toBeLessThan(200)
    peaceful(region)
  })

  it('of the last one says that it has ended', () => {
    const { region, primary } = settled({ nodes: 1 })
    region.stop(primary)
    expect(region.until(() => primary.life === undefined)).toBeLessThan(200)
    expect(stateOf(region).hasEnded).toBe(true)
  })

  it('comes within its limit when the coordinator is out of reach', () => {
    const { region, primary } = settled()
    region.store.halt()
    region.stop(primary)
    expect(region.until(() => primary.life === undefined)).toBeLessThanOrEqual(2000)
    region.store.goOn()
    expect(failoverMs(region, primary)).toBeLessThan(5000)
    peaceful(region)
  })
})

describe('a lost disk', () => {
  it('is not promoted, and not followed as if nothing were', () => {
    const { region, primary } = settled({ nodes: 2 })
    const [other] = others(region, primary)
    region.crash(primary, true)
    region.wipe(primary)
    region.start(primary)
    expect(failoverMs(region, primary)).toBeLessThan(1000)
    expect(region.until(() => stateOf(region).inSync.length === 2)).toBeLessThan(10_000)
    expect(region.primary).toBe(other)
    peaceful(region)
  })

  it('of the only member waits for an operator', () => {
    const { region, primary } = settled({ nodes: 1 })
    region.crash(primary, true)
    region.wipe(primary)
    region.start(primary)
    expect(region.until(() => region.primary !== undefined, 60_000)).toBe(Number.POSITIVE_INFINITY)
    region.isUncleanAllowed = true
    expect(region.until(() => region.primary !== undefined)).toBeLessThan(11_000)
    expect(primary.member!.duty).toMatchObject({ kind: 'primary', term: 2, isWhole: false })
    expect(stateOf(region).isWhole).toBe(false)
    expect(region.until(() => stateOf(region).isWhole)).toBeLessThan(1000)
    peaceful(region)
  })

  it('asks the other regions again when it is primary once more before they have answered', () => {
    const { region, primary } = settled({ nodes: 1 })
    region.crash(primary, true)
    region.wipe(primary)
    region.isUncleanAllowed = true
    region.start(primary)
    region.until(() => region.primary !== undefined)
    region.crash(primary, true)
    region.start(primary)
    region.until(() => region.primary !== undefined)
    expect(primary.member!.duty).toMatchObject({ kind: 'primary', term: 3, isWhole: false })
    peaceful(region)
  })

  it('does not let one in that lacks what the others had', () => {
    const { region, primary } = settled({ nodes: 2 })
    const [other] = others(region, primary)
    region.isolate(other!)
    region.advance(10_000)
    expect(stateOf(region).inSync).toEqual([primary.nodeId])
    region.crash(primary, true)
    region.healAll()
    expect(region.until(() => region.primary !== undefined, 60_000)).toBe(Number.POSITIVE_INFINITY)
    region.start(primary)
    expect(region.until(() => region.primary === primary)).toBeLessThan(5000)
    peaceful(region)
  })
})

describe('a coordinator that is restored', () => {
  it('stays without a primary when all have been restarted since, and says what an operator can do', () => {
    const { region, primary } = settled()
    const image = region.backUp()
    for (const lost of [primary, undefined]) {
      const node = lost ?? region.primary!
      region.crash(node, true)
      failoverMs(region, node)
      region.start(node)
      region.advance(10_000)
    }
    for (const node of region.nodes) region.crash(node, false)
    region.restore(image)
    region.startAll()
    expect(region.until(() => region.primary !== undefined, 60_000)).toBe(Number.POSITIVE_INFINITY)
    const said = region.notes.filter((note) =>
      note.includes('set replica-ack async and unclean-failover yes'),
    )
    expect(said).toHaveLength(region.nodes.length)
    expect(said[0]).toContain('the coordinator knows of term 1, and there was a term 3')
    region.isUncleanAllowed = true
    expect(region.until(() => region.primary !== undefined)).toBeLessThan(15_000)
    region.advance(10_000)
    expect(stateOf(region)).toMatchObject({ term: 4, isWhole: true })
    expect(stateOf(region).inSync).toHaveLength(3)
    peaceful(region)
  })

  it('is not believed; the next term is above all that were', () => {
    const { region, primary } = settled()
    const image = region.backUp()
    region.crash(primary, true)
    failoverMs(region, primary)
    region.start(primary)
    region.advance(10_000)
    const second = region.primary!
    expect(second).not.toBe(primary)
    region.crash(second, true)
    failoverMs(region, second)
    region.start(second)
    region.advance(10_000)
    expect(stateOf(region).term).toBe(3)
    region.store.halt()
    region.advance(5000)
    region.store.goOn()
    region.restore(image)
    // The one that the backup names as primary follows another since, and clients must not take it for one.
    const isClaimed = (): boolean => {
      for (const { life } of region.nodes) {
        const { self, isOpen } = life!.agent.topology!
        if (self.role === 'primary' && life!.member.duty.kind !== 'primary') expect(isOpen).toBe(true)
      }
      return stateOf(region).term === 4
    }
    expect(region.until(isClaimed)).toBeLessThan(5000)
    expect(region.until(() => region.primary !== undefined)).toBeLessThan(1000)
    region.advance(10_000)
    expect(stateOf(region).inSync).toHaveLength(3)
    peaceful(region)
  })
})

describe('a node that is gone for good', () => {
  const membersOf = (region: FakeRegion): readonly string[] => stateOf(region).members

  it('stays a member until the primary is told to forget it, and is one again when it comes back', () => {
    const { region, primary } = settled()
    const [gone] = others(region, primary)
    region.crash(gone!, true)
    region.advance(2 * region.profile.ttlMs)
    expect(membersOf(region)).toContain(gone!.nodeId)
    expect(primary.life!.agent.forget(gone!.nodeId)).toBeUndefined()
    region.advance(2 * region.profile.ttlMs)
    expect(membersOf(region)).toEqual(
      region.nodes.map(({ nodeId }) => nodeId).filter((id) => id !== gone!.nodeId),
    )
    region.start(gone!)
    expect(region.until(() => stateOf(region).inSync.includes(gone!.nodeId))).toBeLessThan(5000)
    expect(membersOf(region)).toContain(gone!.nodeId)
    peaceful(region)
  })

  it('is not forgotten while it may be promoted, is there, or was never a member', () => {
    const { region, primary } = settled()
    const [one, other] = others(region, primary)
    const { agent } = primary.life!
    expect(agent.forget(one!.nodeId)).toMatch(/in sync/)
    expect(agent.forget('nobody')).toMatch(/no member/)
    expect(one!.life!.agent.forget(other!.nodeId)).toMatch(/only the primary/)
    // Out of sync, and registered still.
    region.cut(one!, primary)
    region.cut(primary, one!)
    expect(region.until(() => !stateOf(region).inSync.includes(one!.nodeId))).toBeLessThan(10_000)
    region.advance(100)
    expect(agent.forget(one!.nodeId)).toMatch(/is there/)
    expect(membersOf(region)).toContain(one!.nodeId)
    peaceful(region)
  })
})
