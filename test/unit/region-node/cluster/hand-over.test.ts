/**
 * hand-over.test.ts: when a primary that hands over stops to wait for its replicas.
 */
import { describe, expect, it } from 'vitest'
import { HandOver } from '../../../../region-node/cluster/hand-over.ts'
import type { Member, ReplicaState } from '../../../../region-node/cluster/member.ts'

const TIMEOUT_MS = 1000

function replica(nodeId: string, lagOps: number): ReplicaState {
  return {
    ...{
      nodeId,
      host: '',
      port: 1,
      isConnected: true,
      lagOps,
      lagMs: 0,
      isDurable: true,
      isBeyondEnd: false,
    },
    confirmedMs: 0,
  }
}

/**
 * @param lag  of the target at a moment, milliseconds
 * @param writesMs  when writes are answered
 * @param readsMs  when reads are, too
 * @returns when it was over, and why
 */
function handOver(
  lag: (nowMs: number) => number,
  writesMs = 0,
  readsMs = writesMs,
): { atMs: number; failure?: string } {
  let nowMs = 0
  let task: (() => void) | undefined
  let outcome: { atMs: number; failure?: string } | undefined
  const env = {
    monoMs: () => nowMs,
    after: (delayMs: number, next: () => void) => {
      task = () => {
        nowMs += delayMs
        next()
      }
      return { cancel: () => {} }
    },
  }
  const member = {
    replicas: () => [replica('target', lag(nowMs))],
    pauseWrites: () => {},
    get unanswered() {
      if (nowMs < writesMs) return 'writes'
      return nowMs < readsMs ? 'reads' : 'none'
    },
  } as unknown as Member
  new HandOver(
    ...(['target', TIMEOUT_MS, member, env] as const),
    () => true,
    (failure) => {
      outcome = failure === undefined ? { atMs: nowMs } : { atMs: nowMs, failure }
    },
  )
  while (outcome === undefined) task!()
  return outcome
}

describe('a hand-over', () => {
  const NEVER = Number.POSITIVE_INFINITY

  it('begins as soon as the target lacks nothing and all is answered', () => {
    expect(handOver(() => 0).atMs).toBeLessThan(10)
    expect(handOver((nowMs) => (nowMs < 50 ? 3 : 0)).atMs).toBeCloseTo(50, -1)
  })

  it('waits for replies that wait for others or for disks, so that none is dropped', () => {
    const { atMs } = handOver(() => 0, 200)
    expect(atMs).toBeGreaterThanOrEqual(200)
    expect(atMs).toBeLessThan(210)
  })

  it('does not wait long for those: one of the others may hang', () => {
    expect(handOver(() => 0, NEVER).atMs).toBeLessThan(310)
  })

  it('waits less for reads, of which there may always be some', () => {
    expect(handOver(() => 0, 20, NEVER).atMs).toBeLessThan(60)
  })

  it('is given up when the target does not catch up', () => {
    expect(handOver(() => 1)).toEqual({
      atMs: TIMEOUT_MS,
      failure: 'target did not catch up within 1000 ms',
    })
  })
})
