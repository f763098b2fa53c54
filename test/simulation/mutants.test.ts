/**
 * mutants.test.ts: the simulation notices every mutant, by a promise that was broken and not by an error.
 */
import { describe, expect, it } from 'vitest'
import { findingOf } from './mutant-run.ts'
import { MUTANTS } from './mutants.ts'
import { BROKEN } from './simulation.ts'

describe('the simulation notices that', () => {
  for (const mutant of MUTANTS) {
    it(mutant.name, () => {
      const finding = findingOf(mutant)
      expect(finding).toBeDefined()
      expect(finding).not.toContain(BROKEN)
    })
  }
})
