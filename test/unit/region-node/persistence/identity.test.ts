/**
 * identity.test.ts: under what terms a node begins, for every way a folder can be found.
 */
import { describe, expect, it } from 'vitest'
import {
  claimFolder,
  claimOrigin,
  renewOrigin,
  type Terms,
  writeOrigin,
} from '../../../../region-node/persistence/identity.ts'
import { StartError } from '../../../../region-node/start-error.ts'
import { SimEnv, SimWallClock } from '../../../harness/sim-env.ts'
import { FOLDER, simulatedMachine } from './log-fixture.ts'

type Machine = ReturnType<typeof simulatedMachine>
const REGION = 7
const OWNER = { region: 'A', regionId: REGION, partitions: 1, partition: 0 }

function environment({ clock, prng, disk }: Machine): SimEnv {
  return new SimEnv(clock, new SimWallClock(clock, 0, 1), prng, disk.mount())
}

function begin(machine: Machine, logEnd: number, hasPeers = true, ended = new Set<string>()): Terms {
  return claimOrigin(environment(machine), FOLDER, REGION, logEnd, hasPeers, (id) => ended.has(id))
}

describe('the terms of a run', () => {
  it('in an empty folder: a new origin, lacking when there are peers to ask', () => {
    const first = begin(simulatedMachine(), 0)
    expect(first.lacking).toBe(true)
    expect(first.origin).toMatch(/^7-[0-9a-f]{12}$/)
    expect(begin(simulatedMachine(), 0, false).lacking).toBe(false)
  })

  it('stay lacking over restarts until it is noted that the node has enough', () => {
    const machine = simulatedMachine()
    begin(machine, 0)
    const again = begin(machine, 0)
    expect(again.lacking).toBe(true)
    writeOrigin(environment(machine), FOLDER, { ...again, lacking: false })
    expect(begin(machine, 0).lacking).toBe(false)
  })

  it('after a crash: a new origin, and nothing lacking', () => {
    const machine = simulatedMachine()
    const first = begin(machine, 0, false)
    const second = begin(machine, 100)
    expect(second.lacking).toBe(false)
    expect(second.origin).not.toBe(first.origin)
  })

  it('after an orderly stop: the same origin, if the log ends just there', () => {
    const machine = simulatedMachine()
    const { origin } = begin(machine, 0, false)
    writeOrigin(environment(machine), FOLDER, { origin, lacking: false, former: [] }, 500)
    expect(begin(machine, 500)).toEqual({ origin, lacking: false, former: [] })
    // The stop counts for one start only.
    const next = begin(machine, 500).origin
    expect(next).not.toBe(origin)
    for (const logEnd of [499, 501]) {
      writeOrigin(environment(machine), FOLDER, { origin: next, lacking: false, former: [] }, 500)
      expect(begin(machine, logEnd).origin).not.toBe(next)
    }
  })

  it('in a folder that was copied or put back: a new origin even after an orderly stop, and lacking', () => {
    const machine = simulatedMachine()
    const { origin } = begin(machine, 0, false)
    writeOrigin(environment(machine), FOLDER, { origin, lacking: false, former: [] }, 500)
    machine.disk.replaceAll(machine.disk.copy())
    const restored = begin(machine, 500)
    expect(restored.lacking).toBe(true)
    expect(restored.origin).not.toBe(origin)
    // From now on it is this folder's own.
    writeOrigin(environment(machine), FOLDER, { origin: restored.origin, lacking: false, former: [] }, 500)
    expect(begin(machine, 500)).toEqual({ origin: restored.origin, lacking: false, former: [] })
  })

  it('of a node whose origin was ended: a new one, durably', () => {
    const machine = simulatedMachine()
    const terms = begin(machine, 0, false)
    const renewed = renewOrigin(environment(machine), FOLDER, REGION, { ...terms, lacking: true })
    expect(renewed.origin).not.toBe(terms.origin)
    expect(renewed.former).toEqual([terms.origin])
    machine.disk.losePower()
    expect(begin(machine, 0).lacking).toBe(true)
  })

  it('remember the origins of crashed runs until they are ended', () => {
    const machine = simulatedMachine()
    const first = begin(machine, 0, false).origin
    const second = begin(machine, 1).origin
    expect(begin(machine, 2).former).toEqual([first, second])
    const fourth = begin(machine, 3, true, new Set([first, second]))
    expect(fourth.former).not.toContain(first)
    expect(fourth.former).toHaveLength(1)
  })
})

describe('a folder', () => {
  it('keeps its node id, and refuses another region', () => {
    const machine = simulatedMachine()
    const made = claimFolder(environment(machine), FOLDER, OWNER)
    expect(made.nodeId).toMatch(/^[0-9a-f]{32}$/)
    expect(claimFolder(environment(machine), FOLDER, OWNER)).toEqual(made)
    for (const other of [{ region: 'B' }, { regionId: 8 }, { partitions: 2 }, { partition: 1 }]) {
      expect(() => claimFolder(environment(machine), FOLDER, { ...OWNER, ...other })).toThrow(StartError)
    }
  })
})
