/**
 * plan.test.ts: the command lines of the demonstration's regions fit together.
 */
import { describe, expect, it } from 'vitest'
import { planRegions } from '../../../compose/plan.ts'
import { loadSettings } from '../../../region-node/config.ts'

const plans = planRegions(['A', 'B', 'C'], 7101, 'data/demo-1')

function settingsOf(words: readonly string[]) {
  return loadSettings({ argv: words, environment: {}, readFile: () => undefined }).values
}

describe('planRegions', () => {
  it('gives each region an id, ports and a folder of its own', () => {
    expect(plans.map(({ id, port, adminPort, folder }) => [id, port, adminPort, folder])).toEqual([
      [1, 7101, 8101, 'data/demo-1/A'],
      [2, 7102, 8102, 'data/demo-1/B'],
      [3, 7103, 8103, 'data/demo-1/C'],
    ])
  })

  it('makes command lines that a node takes, with every other region as a peer', () => {
    const all = plans.map(({ words }) => settingsOf(words))
    for (const { region, peer } of all) {
      const others = all.filter((other) => other.region !== region)
      expect(peer).toEqual(
        others.map((other) => ({ name: other.region, url: `ws://127.0.0.1:${other['sync-port']}` })),
      )
    }
  })
})
