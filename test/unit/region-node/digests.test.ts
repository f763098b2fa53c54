/**
 * digests.test.ts: a digest that is made in slices is that of one moment, whatever is written meanwhile.
 */
import { describe, expect, it } from 'vitest'
import { portableLatin1 } from '../../../crdt/codec/bytes.ts'
import { Digests } from '../../../region-node/digests.ts'
import { Keyspace } from '../../../region-node/engine/keyspace.ts'
import { BESIDE_SHARE } from '../../../sync/pace.ts'
import { ManualClock } from '../../harness/manual-clock.ts'
import { TestEngine } from '../../harness/test-engine.ts'

const KEYS = 1000
/** What a step seems to take, milliseconds: a slice has ten of them. */
const STEP_MS = 0.1

/** An engine with keys of every kind, and digests of it that take a while. */
class World {
  readonly clock = new ManualClock()
  readonly node = new TestEngine(1)
  readonly keyspace = this.node.engine.keyspace
  isSaving = false
  /** Time that looks at the clock have taken. */
  workedMs = 0
  /** What was made, in order. */
  readonly made: string[] = []
  readonly digests = new Digests({
    env: {
      monoMs: () => {
        this.workedMs += STEP_MS
        return this.clock.monoMs() + this.workedMs
      },
      after: (delayMs, task) => this.clock.after(delayMs, task),
    },
    keyspace: this.keyspace,
    isSaving: () => this.isSaving,
  })

  constructor(keys = KEYS) {
    for (let i = 0; i < keys; i++) {
      this.node.run('set', `text ${i}`, `value ${i}`)
      this.node.run('incr', `count ${i % 7}`)
      this.node.run('hset', `hash ${i % 50}`, `field ${i}`, String(i))
      this.node.run('sadd', `set ${i % 30}`, `member ${i}`)
    }
  }

  take(): () => void {
    return this.digests.take((digest) => this.made.push(digest))
  }
}

it('is there at once where little is stored', () => {
  const world = new World(2)
  world.take()
  expect(world.made).toEqual([world.keyspace.digest()])
})

it('is that of the moment it was asked for, while keys come, change and go', () => {
  const world = new World()
  const { clock, node, keyspace, made } = world
  const expected = keyspace.digest()
  world.take()
  let turns = 0
  for (; made.length === 0; turns++) {
    node.run('set', `text ${(turns * 37) % KEYS}`, `later ${turns}`)
    node.run('set', `new ${turns}`, 'x')
    node.run('del', `text ${(turns * 11) % KEYS}`)
    node.run('hset', `hash ${turns % 50}`, 'added', String(turns))
    node.run('srem', `set ${turns % 30}`, `member ${turns}`)
    if (turns === 20) node.run('flushall')
    clock.advance(1)
  }
  expect(turns).toBeGreaterThan(25)
  expect(made).toEqual([expected])
  expect(keyspace.digest()).not.toBe(expected)
  expect(keyspace.isWalked).toBe(false)
})

it('takes no more than its share of the time', () => {
  const world = new World()
  world.take()
  while (world.made.length === 0) world.clock.advance(1)
  const share = world.workedMs / (world.workedMs + world.clock.monoMs())
  expect(share).toBeCloseTo(BESIDE_SHARE, 1)
})

describe('asked for while', () => {
  it('one is being made, it is of a later moment, and shared by all who asked', () => {
    const world = new World()
    const first = world.keyspace.digest()
    world.take()
    world.clock.advance(5)
    world.node.run('set', 'text 1', 'changed')
    world.take()
    world.take()
    expect(world.made).toEqual([])
    world.clock.advance(1000)
    const second = world.keyspace.digest()
    expect(second).not.toBe(first)
    expect(world.made).toEqual([first, second, second])
  })

  it('a snapshot is to be made, it waits until that is over', () => {
    const world = new World()
    world.isSaving = true
    world.take()
    world.clock.advance(1000)
    expect(world.made).toEqual([])
    expect(world.keyspace.isWalked).toBe(false)
    world.isSaving = false
    world.clock.advance(1000)
    expect(world.made).toEqual([world.keyspace.digest()])
  })
})

describe('when whoever asked has gone', () => {
  it('nothing is made, and nobody is told', () => {
    const world = new World()
    const forget = world.take()
    world.clock.advance(5)
    expect(world.keyspace.isWalked).toBe(true)
    forget()
    expect(world.keyspace.isWalked).toBe(false)
    world.clock.advance(1000)
    expect(world.made).toEqual([])
  })

  it('others get theirs', () => {
    const world = new World()
    const forget = world.take()
    const forgetNext = world.take()
    world.take()
    forgetNext()
    forget()
    world.clock.advance(1000)
    expect(world.made).toEqual([world.keyspace.digest()])
  })
})

it('is begun anew when the keyspace has become another', () => {
  const world = new World()
  const before = world.keyspace.digest()
  world.take()
  world.clock.advance(5)
  world.keyspace.become(new Keyspace(world.node.origins, portableLatin1))
  world.clock.advance(1000)
  expect(world.made).toEqual([world.keyspace.digest()])
  expect(world.made).not.toEqual([before])
})
