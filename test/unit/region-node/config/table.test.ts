/**
 * table.test.ts: every row of the settings table keeps the rules of the table.
 */
import { describe, expect, it } from 'vitest'
import { SETTING_ROWS } from '../../../../region-node/config/table.ts'

describe('the settings table', () => {
  for (const [name, row] of SETTING_ROWS) {
    it(`${name}: its default can be written, and its help is a sentence`, () => {
      expect(name).toMatch(/^[a-z][a-z0-9-]*$/)
      expect(row.help).toMatch(/^[A-Z].*\.$/)
      if (name === 'region' || name === 'region-id') return // must be given: no default
      const written = row.kind.format(row.default)
      expect(row.kind.parse(written, row.default)).toEqual({ value: row.default })
    })
  }
})
