/**
 * families.ts: every command there is. A new family is added here and nowhere else.
 */
import { bitmapCommands } from './bitmaps.ts'
import { causewayCommands } from './causeway.ts'
import { connectionCommands } from './connection.ts'
import { expiryCommands } from './expiry.ts'
import { hashCommands } from './hashes.ts'
import { keyCommands } from './keys.ts'
import { lcsCommands } from './lcs.ts'
import { monitoringCommands } from './monitoring.ts'
import { memoryCommand, objectCommand } from './objects.ts'
import { persistenceCommands } from './persistence.ts'
import { regionCommands } from './regions.ts'
import { serverCommands } from './server.ts'
import { setCommands } from './sets.ts'
import { sortCommands } from './sort.ts'
import { stringCommands } from './strings.ts'
import { CommandTable } from './table.ts'
import { transactionCommands } from './transactions.ts'

export const commandTable = new CommandTable([
  stringCommands,
  lcsCommands,
  bitmapCommands,
  hashCommands,
  setCommands,
  keyCommands,
  sortCommands,
  [objectCommand, memoryCommand],
  expiryCommands,
  transactionCommands,
  connectionCommands,
  serverCommands,
  persistenceCommands,
  monitoringCommands,
  causewayCommands,
  regionCommands,
])
