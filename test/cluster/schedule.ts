/**
 * schedule.ts: one seed, one region, a minute of trouble, then peace: and what is wrong about it.
 */
import { PROFILES } from '../../region-node/cluster/profiles.ts'
import type { StoreImage } from '../../region-node/coordinator/document-store.ts'
import { Prng } from '../harness/prng.ts'
import { type FakeNode, FakeRegion } from './fake-region.ts'

const TROUBLE_MS = 60_000
const NEXT_MS_MAX = 3000
const LAST_MS_MAX = 12_000
/** From the end of all trouble until somebody answers, and until all follow and are in sync. */
const PRIMARY_MS_MAX = 20_000
const IN_SYNC_MS_MAX = 20_000
const WALL_JUMP_MS_MAX = 600_000
const HAND_OVER_MS_MAX = 500

export interface Outcome {
  readonly faults: readonly string[]
  /** What happened, in order. */
  readonly notes: readonly string[]
  /** How many there were. */
  readonly terms: number
  /** An operator had to allow the promotion of one that is not whole. */
  readonly neededOperator: boolean
}

export function runSchedule(seed: number): Outcome {
  return new Schedule(seed).run()
}

class Schedule {
  readonly #prng: Prng
  readonly #region: FakeRegion
  /** Data may be gone for good, or the knowledge of who has it. */
  #hasForgotten = false
  #backups: StoreImage[] = []
  #isHalted = false
  #quietEndMs = 0

  constructor(seed: number) {
    this.#prng = new Prng(seed)
    this.#region = new FakeRegion({
      seed,
      nodes: this.#prng.weighted([
        [1, 1],
        [3, 2],
        [4, 3],
        [2, 5],
      ]),
      profile: this.#prng.chance(0.8) ? PROFILES.high : PROFILES.low,
      isUncleanAllowed: this.#prng.chance(0.2),
    })
  }

  run(): Outcome {
    const region = this.#region
    for (const node of region.nodes) this.#later(this.#prng.below(500), () => this.#start(node))
    this.#backUp()
    const endMs = TROUBLE_MS
    const next = (): void => {
      if (region.clock.nowMs >= endMs) return
      if (region.clock.nowMs >= this.#quietEndMs) this.#trouble()
      this.#later(this.#prng.below(NEXT_MS_MAX), next)
    }
    this.#later(2000, next)
    region.advance(endMs)
    return this.#heal()
  }

  #heal(): Outcome {
    const region = this.#region
    const { faults } = region.judge
    region.note('all is healed')
    this.#goOn()
    region.healAll()
    region.advance(LAST_MS_MAX)
    this.#goOn()
    region.healAll()
    for (const node of region.nodes) this.#start(node)
    let neededOperator = false
    if (region.until(() => region.primary !== undefined, PRIMARY_MS_MAX) === Number.POSITIVE_INFINITY) {
      neededOperator = true
      if (!this.#hasForgotten) faults.push('nobody answers although all is healed')
      region.note('the operator allows the promotion of one that is not whole')
      region.isUncleanAllowed = true
      if (region.until(() => region.primary !== undefined, PRIMARY_MS_MAX) === Number.POSITIVE_INFINITY)
        faults.push('nobody answers although anybody may')
    }
    if (region.until(() => this.#isWhole(), IN_SYNC_MS_MAX) === Number.POSITIVE_INFINITY)
      faults.push('not all are in sync although all is healed')
    // And so it stays.
    const term = region.judge.answeringTerm
    region.advance(10_000)
    if (region.judge.answeringTerm !== term || region.primary === undefined)
      faults.push('the primary changed in peace')
    return { faults, notes: region.notes, terms: region.judge.answeringTerm, neededOperator }
  }

  #isWhole(): boolean {
    const { nodes, primary } = this.#region
    return primary?.life?.agent.status.inSync.length === nodes.length
  }

  #later(ms: number, task: () => void): void {
    this.#region.clock.after(ms, task)
  }

  #backUp(): void {
    this.#later(this.#prng.below(10_000), () => {
      if (!this.#isHalted) this.#backups.push(this.#region.backUp())
      this.#backUp()
    })
  }

  #start(node: FakeNode): void {
    if (node.life === undefined) this.#region.start(node)
  }

  #startLater(node: FakeNode): void {
    this.#later(100 + this.#prng.below(8000), () => {
      this.#start(node)
    })
  }

  #halt(ms: number, over: () => void): void {
    if (this.#isHalted) return
    this.#isHalted = true
    this.#region.store.halt()
    this.#later(ms, () => {
      if (!this.#isHalted) return
      this.#goOn()
      over()
    })
  }

  #goOn(): void {
    if (!this.#isHalted) return
    this.#isHalted = false
    this.#region.store.goOn()
  }

  #trouble(): void {
    const prng = this.#prng
    const region = this.#region
    const { primary, nodes } = region
    // What befalls the primary is what matters most.
    const node = primary !== undefined && prng.chance(0.5) ? primary : prng.pick(nodes)
    const trouble = prng.weighted<(node: FakeNode) => void>([
      [3, (one) => this.#cutFromStore(one)],
      [3, (one) => this.#cutPair(one)],
      [2, (one) => this.#isolate(one)],
      [3, (one) => this.#crash(one)],
      [2, (one) => this.#stall(one)],
      [1, (one) => this.#sleep(one)],
      [1, (one) => this.#setClock(one)],
      [1, (one) => this.#revoke(one)],
      [3, () => this.#handOver()],
      [1, (one) => this.#sicken(one)],
      [1, (one) => this.#stop(one)],
      [2, (one) => region.breakLink(one)],
      [1, () => this.#halt(this.#lastMs('the store is halted'), () => {})],
      [1, () => this.#restore()],
    ])
    trouble(node)
  }

  /** Of some trouble, which is noted. */
  #lastMs(what: string): number {
    const lastMs = this.#prng.below(LAST_MS_MAX)
    this.#region.note(`-- ${what} for ${lastMs} ms`)
    return lastMs
  }

  #cutFromStore(node: FakeNode): void {
    this.#region.cutFromStore(node)
    this.#later(this.#lastMs(`${node.nodeId} is cut from the store`), () => this.#region.healToStore(node))
  }

  #cutPair(node: FakeNode): void {
    const region = this.#region
    const other = this.#prng.pick(region.nodes)
    const isBothWays = this.#prng.chance(0.6)
    region.cut(node, other)
    if (isBothWays) region.cut(other, node)
    const what = `${node.nodeId} ${isBothWays ? 'and' : 'to'} ${other.nodeId} are cut`
    this.#later(this.#lastMs(what), () => {
      region.heal(node, other)
      region.heal(other, node)
    })
  }

  #isolate(node: FakeNode): void {
    this.#region.isolate(node)
    this.#later(this.#lastMs(`${node.nodeId} is isolated`), () => this.#region.healAll())
  }

  #stall(node: FakeNode): void {
    node.machine.stall(this.#lastMs(`${node.nodeId} stalls`))
  }

  #sleep(node: FakeNode): void {
    node.machine.sleep(this.#lastMs(`${node.nodeId} sleeps`))
  }

  #setClock(node: FakeNode): void {
    this.#region.note(`-- ${node.nodeId} has its wall clock set`)
    node.machine.jump((this.#prng.random() * 2 - 1) * WALL_JUMP_MS_MAX)
  }

  #handOver(): void {
    const region = this.#region
    const { primary } = region
    const target = this.#prng.chance(0.5) ? undefined : this.#prng.pick(region.nodes).nodeId
    primary?.life?.agent.handOver(target, HAND_OVER_MS_MAX, (failure) =>
      region.note(`-- hand-over of ${primary.nodeId}: ${failure ?? 'done'}`),
    )
  }

  #sicken(node: FakeNode): void {
    node.isHealthy = false
    this.#later(this.#lastMs(`${node.nodeId} is unwell`), () => {
      node.isHealthy = true
    })
  }

  #stop(node: FakeNode): void {
    this.#region.note(`-- ${node.nodeId} stops`)
    this.#region.stop(node)
    this.#startLater(node)
  }

  #crash(node: FakeNode): void {
    const hasGuard = this.#prng.chance(0.5)
    const isWiped = this.#prng.chance(0.15)
    this.#region.note(
      `-- ${node.nodeId} crashes${hasGuard ? ', seen by its guard' : ''}${isWiped ? ', wiped' : ''}`,
    )
    this.#region.crash(node, hasGuard)
    if (isWiped) {
      this.#region.wipe(node)
      this.#hasForgotten = true
    }
    this.#startLater(node)
  }

  /** By hand, and nobody is cut off from the news: whoever revokes a lease vouches for its holder. */
  #revoke(node: FakeNode): void {
    const { life, lease } = node
    if (life === undefined || lease === undefined || node.isCutFromStore || this.#isHalted) return
    this.#region.note(`-- ${node.nodeId} has its lease revoked`)
    life.gate.revoke(lease, () => {})
  }

  /**
   * It takes longer than leases last; all nodes run before, and reach the store afterwards. What was decided since
   * the backup is known to them only.
   */
  #restore(): void {
    const { nodes, clock, profile } = this.#region
    const image = this.#prng.pick(this.#backups)
    if (image === undefined || this.#isHalted || this.#region.primary === undefined) return
    if (nodes.some(({ isStill, life, isCutFromStore }) => isStill || life === undefined || isCutFromStore))
      return
    const haltedMs = profile.ttlMs + this.#prng.below(5000)
    this.#quietEndMs = clock.nowMs + haltedMs + 2 * profile.ttlMs
    this.#region.note('-- the store is to be restored')
    this.#halt(haltedMs, () => this.#region.restore(image))
  }
}
