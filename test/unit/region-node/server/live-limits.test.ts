/**
 * live-limits.test.ts: what clients may take follows the settings.
 */
import { expect, test } from 'vitest'
import { settingsOf } from '../../../../region-node/config.ts'
import { liveLimits } from '../../../../region-node/server/live-limits.ts'

test('limits change with their settings', () => {
  const settings = settingsOf({ region: 'A', 'region-id': 1, maxclients: 10, 'protected-mode': true })
  const access = { isOpen: true }
  const limits = liveLimits(settings, access)
  expect(limits).toMatchObject({ clientsMax: 10, idleSecondsMax: 0 })
  settings.replace({ ...settings.values, maxclients: 20, 'proto-max-bulk-len': 2 ** 20, timeout: 5 })
  expect(limits).toMatchObject({ clientsMax: 20, bulkBytesMax: 2 ** 20, idleSecondsMax: 5 })
  expect(limits.isProtected()).toBe(true)
  settings.replace({ ...settings.values, 'protected-mode': false })
  expect(limits.isProtected()).toBe(false)
  settings.replace({ ...settings.values, 'protected-mode': true })
  access.isOpen = false
  expect(limits.isProtected()).toBe(false)
})
