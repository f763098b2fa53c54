/**
 * expirer.test.ts: many keys that are due at one moment: nobody waits long for their removal, and they go all the same.
 */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Database } from '../../../region-node/engine/database.ts'
import { expireFromNowOn } from '../../../region-node/expirer.ts'
import { TestEngine } from '../../harness/test-engine.ts'

const KEYS = 3000
/** What one step may look at, with room for a look at a key before and after its removal. */
const LOOKS_PER_STEP_MAX = 1000
const INTERVAL_MS = 100

/** A node whose keys are all due, and the time between the calls that it asks for. */
class World {
  readonly test = new TestEngine()
  settledMs = Number.NEGATIVE_INFINITY
  isDurable = true
  isRunning = true
  mayMint = true
  /** Milliseconds that each call of `removeDue` takes. */
  stepMs = 0.4
  #next: { readonly waitMs: number; readonly run: () => void } | undefined = undefined
  #monoMs = 0

  constructor() {
    for (let i = 0; i < KEYS; i++) this.test.run('SET', `k${i}`, 'v', 'PX', '10')
    this.test.wallMs += 1000
    const { engine } = this.test
    expireFromNowOn({
      env: {
        monoMs: () => this.#monoMs,
        after: (waitMs, run) => {
          this.#next = { waitMs, run }
          return { cancel: () => {} }
        },
      },
      engine: {
        removeDue: (settledMs, isDurable) => {
          this.#monoMs += this.stepMs
          return engine.removeDue(settledMs, isDurable)
        },
      },
      expiry: { settledClockMs: () => this.settledMs, isDurableEverywhere: () => this.isDurable },
      isRunning: () => this.isRunning,
      mayMint: () => this.mayMint,
      minted: () => {},
    })
  }

  get stored(): number {
    return this.test.engine.keyspace.db(0).size
  }

  /** Runs what was asked for. @returns milliseconds until the next time; undefined when there is none */
  turn(): number | undefined {
    const next = this.#next
    this.#next = undefined
    next?.run()
    return (this.#next as { waitMs: number } | undefined)?.waitMs
  }
}

describe('keys that are due at one moment', () => {
  afterEach(() => void vi.restoreAllMocks())

  it('go in slices, one soon after the other, and then it is quiet', () => {
    const world = new World()
    world.settledMs = Number.POSITIVE_INFINITY
    let turns = 0
    for (let waitMs = world.turn(); waitMs !== INTERVAL_MS; waitMs = world.turn()) {
      expect(waitMs).toBeLessThan(10)
      turns++
    }
    expect(world.stored).toBe(0)
    expect(turns).toBeGreaterThan(5)
  })

  // With a region out of reach and 200,000 keys due, every tenth of a second began with 200 ms of looking at all of them.
  it.each([
    ['a member has not announced its clock', { settledMs: Number.NEGATIVE_INFINITY }],
    [
      'a member does not have the deadlines on disk',
      { settledMs: Number.POSITIVE_INFINITY, isDurable: false },
    ],
  ])('are not all looked at again and again while %s', (_why, state) => {
    const world = Object.assign(new World(), state)
    while (world.turn() !== INTERVAL_MS);
    const get = vi.spyOn(Database.prototype, 'get')
    let looks = 0
    for (let turn = 0; turn < 20; turn++) {
      get.mockClear()
      expect(world.turn()).toBe(INTERVAL_MS)
      looks += get.mock.calls.length
      expect(get.mock.calls.length).toBeLessThan(LOOKS_PER_STEP_MAX)
    }
    // Each of them all the same.
    expect(looks).toBeGreaterThan(KEYS)
    expect(world.stored).toBe(KEYS)
    Object.assign(world, { settledMs: Number.POSITIVE_INFINITY, isDurable: true })
    // The round that goes on ends, and another one begins.
    for (let quiet = 0; quiet < 2; ) if (world.turn() === INTERVAL_MS) quiet++
    expect(world.stored).toBe(0)
  })

  it('stay while the log is full, and when the node ends nothing more is asked for', () => {
    const world = new World()
    world.settledMs = Number.POSITIVE_INFINITY
    world.mayMint = false
    expect(world.turn()).toBe(INTERVAL_MS)
    expect(world.stored).toBe(KEYS)
    world.isRunning = false
    expect(world.turn()).toBeUndefined()
  })
})
