/**
 * mutants.test.ts: the simulation of regions of several nodes notices every mutant, by a promise that was broken.
 */
import { describe, expect, it } from 'vitest'
import { findingOf } from '../mutant-run.ts'
import { MUTANTS } from './mutants.ts'
import { BROKEN } from './simulation.ts'

const PROGRAM = 'test/simulation/in-region/simulate.js'

describe('the simulation of regions of several nodes notices that', () => {
  for (const mutant of MUTANTS) {
    it(mutant.name, () => {
      const finding = findingOf(mutant, PROGRAM)
      expect(finding).toBeDefined()
      expect(finding).not.toContain(BROKEN)
    })
  }
})
