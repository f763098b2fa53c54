/**
 * hand-over.test.ts: when a primary that hands over stops to wait for its replicas.
 */
import { describe, expect, it } from 'vitest'
import { HandOver } from '../../../../region-node/cluster/hand-over.ts'
import type { Member, ReplicaState } from '../../../../region-node/cluster/member.ts'

const TIMEOUT_MS = 1000

function replica(nodeId: string, lagOps: number): ReplicaState {
  return {
    ...{ nodeId, host: '', port: 1, isConnected: true, lagOps, lagMs: 0, isDurable: true },
    confirmedMs: 0,
  }
}

/** @param lags  of the replicas at a moment, milliseconds @returns when it was over, and why */
function handOver(lags: (nowMs: number) => Record<string, number>): { atMs: number; failure?: string } {
  let nowMs = 0
  let task: (() => void) | undefined
  let outcome: { atMs: number; failure?: string } | undefined
  const replicas = (): ReplicaState[] => Object.entries(lags(nowMs)).map(([name, lag]) => replica(name, lag))
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
  const member = { replicas, pauseWrites: () => {} } as unknown as Member
  new HandOver(
    ...(['target', TIMEOUT_MS, member, env] as const),
    () => ['target', 'other'],
    () => true,
    (failure) => {
      outcome = failure === undefined ? { atMs: nowMs } : { atMs: nowMs, failure }
    },
  )
  while (outcome === undefined) task!()
  return outcome
}

describe('a hand-over', () => {
  it('begins as soon as all in sync lack nothing', () => {
    expect(handOver(() => ({ target: 0, other: 0 })).atMs).toBeLessThan(10)
  })

  it('waits for others that replies wait for, so that no reply is dropped', () => {
    const { atMs } = handOver((nowMs) => ({ target: 0, other: nowMs < 50 ? 3 : 0 }))
    expect(atMs).toBeGreaterThanOrEqual(50)
    expect(atMs).toBeLessThan(60)
  })

  it('does not wait long for one that hangs, or that is not in sync', () => {
    expect(handOver(() => ({ target: 0, other: 3 })).atMs).toBeLessThan(110)
    expect(handOver(() => ({ target: 0, other: 0, newcomer: 1000 })).atMs).toBeLessThan(10)
  })

  it('is given up when the target does not catch up', () => {
    expect(handOver(() => ({ target: 1, other: 0 }))).toEqual({
      atMs: TIMEOUT_MS,
      failure: 'target did not catch up within 1000 ms',
    })
  })
})
