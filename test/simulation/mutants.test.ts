/**
 * mutants.test.ts: the simulation notices every mutant.
 */
import { describe, expect, it } from 'vitest'
import { findingOf } from './mutant-run.ts'
import { MUTANTS } from './mutants.ts'

describe('the simulation notices that', () => {
  for (const mutant of MUTANTS) {
    it(mutant.name, () => {
      expect(findingOf(mutant)).toBeDefined()
    })
  }
})
