/**
 * families.ts: every command there is. A new family is added here and nowhere else.
 */
import { aclCommands } from './acl.ts'
import { bitmapCommands } from './bitmaps.ts'
import { causewayCommands } from './causeway.ts'
import { clusterCommands } from './cluster.ts'
import { connectionCommands } from './connection.ts'
import { dumpCommands } from './dump.ts'
import { expiryCommands } from './expiry.ts'
import { functionCommands } from './functions.ts'
import { geoCommands } from './geo.ts'
import { geoSearchCommands } from './geo-search.ts'
import { hashExpiryCommands } from './hash-expiry.ts'
import { hashCommands } from './hashes.ts'
import { hyperloglogCommands } from './hyperloglog.ts'
import { keyCommands } from './keys.ts'
import { lcsCommands } from './lcs.ts'
import { listPopCommands } from './list-pops.ts'
import { listCommands } from './lists.ts'
import { memoryCommand } from './memory.ts'
import { monitoringCommands } from './monitoring.ts'
import { objectCommand } from './objects.ts'
import { persistenceCommands } from './persistence.ts'
import { pubsubCommands } from './pubsub.ts'
import { regionCommands } from './regions.ts'
import { replicationCommands } from './replication.ts'
import { scriptCommands } from './scripts.ts'
import { serverCommands } from './server.ts'
import { setCommands } from './sets.ts'
import { sortCommands } from './sort.ts'
import { streamCommands } from './streams.ts'
import { streamGroupCommands } from './streams-groups.ts'
import { streamInfoCommands } from './streams-info.ts'
import { streamReadCommands } from './streams-read.ts'
import { stringCommands } from './strings.ts'
import { CommandTable } from './table.ts'
import { transactionCommands } from './transactions.ts'

import { zsetAlgebraCommands } from './zset-algebra.ts'
import { zsetPopCommands } from './zset-pops.ts'
import { zsetRangeCommands } from './zset-ranges.ts'
import { zsetCommands } from './zsets.ts'

export const commandTable = new CommandTable([
  stringCommands,
  lcsCommands,
  bitmapCommands,
  hashCommands,
  hashExpiryCommands,
  setCommands,
  listCommands,
  listPopCommands,
  zsetCommands,
  zsetRangeCommands,
  zsetPopCommands,
  zsetAlgebraCommands,
  geoCommands,
  geoSearchCommands,
  streamCommands,
  streamReadCommands,
  streamGroupCommands,
  streamInfoCommands,
  hyperloglogCommands,
  keyCommands,
  dumpCommands,
  sortCommands,
  [objectCommand, memoryCommand],
  expiryCommands,
  transactionCommands,
  pubsubCommands,
  scriptCommands,
  functionCommands,
  connectionCommands,
  aclCommands,
  serverCommands,
  replicationCommands,
  persistenceCommands,
  monitoringCommands,
  causewayCommands,
  regionCommands,
  clusterCommands,
])
