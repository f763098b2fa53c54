/**
 * causeway.ts: Causeway's own commands, all named CRDT.*: what this region has applied, how its links
 * are, what a key holds under the value it shows, and which writes a conflict rule hid.
 *
 * They read, wait, or cut and mend links; none of them writes a key.
 */
import type { ConflictRule } from '../../crdt/dot.ts'
import { describeKey } from '../../crdt/key.ts'
import type { TransferProgress } from '../../sync/snapshot-progress.ts'
import { CONFLICT_RULES, type ConflictEvent, type ConflictSide } from '../engine/conflict-log.ts'
import { commandError, errors } from '../errors.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import { replyLater } from './blocking.ts'
import { type CommandContext, defineCommands, NO_KEYS, ONE_KEY } from './command.ts'
import { parseCount } from './parse.ts'
import type { LinkState, Services } from './services.ts'

/** Events that CRDT.CONFLICTS shows when no COUNT is given. */
const CONFLICTS_SHOWN = 10

const RULE_MEANINGS: Readonly<Record<ConflictRule, string>> = {
  register: 'Regions wrote a value without having seen each other: the write with the later stamp shows.',
  type: 'Regions made one key with different types: the type written last by stamp shows.',
  deadline: 'Regions set different deadlines: the longest one counts, and no deadline is the longest.',
  'hidden-increment': 'An increment met a value that is no number: it waits under that value.',
  'lost-set': 'LSET on an element that another region removed meanwhile: it is gone with the element.',
  saturation: 'Increments add up past 64 bits: the sum is kept exact and shown at the edge.',
}

const HELP = [
  'CRDT.CONFLICTS [COUNT <count>|HELP]. Counts writes that a conflict rule hid and shows the latest.',
  'A hidden write is not gone: it shows again when something that had seen only the winner removes that.',
  'CRDT.INSPECT <key> shows what waits under a key now. The rules are:',
  ...CONFLICT_RULES.flatMap((rule) => [rule, `    ${RULE_MEANINGS[rule]}`]),
]

function vector({ out, services }: CommandContext): void {
  const entries = services.applied.toWire()
  out.map(entries.length)
  for (const [origin, seq] of entries) {
    out.bulk(origin)
    out.integer(seq)
  }
}

function link(ctx: CommandContext, words: readonly string[]): void {
  const { out, services } = ctx
  const region = words[1]!.toUpperCase() === 'ALL' ? 'ALL' : words[1]!
  const links = linksTo(services, region)
  switch (words[2]!.toUpperCase()) {
    case 'UP':
    case 'DOWN':
      services.setLink(region, words[2]!.toUpperCase() === 'UP')
      out.ok()
      return
    case 'STATUS':
      out.array(links.length)
      for (const one of links) writeLink(out, one)
      return
    case 'RESYNC':
      resync(ctx, region)
      return
    default:
      throw commandError(`ERR Unknown action '${words[2]}' of CRDT.LINK: it is UP, DOWN, STATUS or RESYNC`)
  }
}

function resync({ out, services }: CommandContext, region: string): void {
  if (region === 'ALL') throw commandError('ERR A node is rebuilt from one region: name it')
  const refusal = services.resync(region)
  if (refusal !== undefined) throw commandError(`ERR No resync: ${refusal}`)
  out.ok()
}

/** @throws CommandError when there is no such region */
function linksTo(services: Services, region: string): readonly LinkState[] {
  const links = services.links()
  if (region === 'ALL') return links
  const found = links.filter((one) => one.region === region)
  if (found.length > 0) return found
  const known = links.map((one) => `'${one.region}'`).join(', ')
  const choice = known === '' ? 'this node has no peers' : `its peers are ${known}, or ALL`
  throw commandError(`ERR Region '${region}' is no peer of region '${services.region}': ${choice}`)
}

function writeLink(out: ReplyWriter, link: LinkState): void {
  out.map(19)
  writeText(out, 'region', link.region)
  writeNumber(out, 'region-id', link.regionId)
  writeText(out, 'pull', link.pull)
  writeText(out, 'serve', link.serve)
  writeText(out, 'paused', link.paused ? 'yes' : 'no')
  writeNumber(out, 'lag-ops', link.lagOps)
  writeNumber(out, 'lag-ms', link.lagMs)
  writeNumber(out, 'behind-ops', link.behindOps)
  writeNumber(out, 'behind-ms', link.behindMs)
  writeNumber(out, 'skew-ms', link.skewMs)
  writeNumber(out, 'bytes-in', link.bytesIn)
  writeNumber(out, 'bytes-out', link.bytesOut)
  const { lastError } = link
  writeText(
    out,
    'last-error',
    lastError === undefined ? undefined : `${lastError.code}: ${lastError.sentence}`,
  )
  writeProgress(out, 'snapshot-in', link.snapshotIn)
  writeProgress(out, 'snapshot-out', link.snapshotOut)
}

/** Of a transfer in that direction; nil while there is none. */
function writeProgress(out: ReplyWriter, name: string, progress: TransferProgress | undefined): void {
  writeText(out, name, progress?.phase)
  writeNumber(out, `${name}-done`, progress?.done)
  writeNumber(out, `${name}-total`, progress?.total)
}

function writeText(out: ReplyWriter, name: string, text: string | undefined): void {
  out.bulk(name)
  out.bulkOrNil(text)
}

function writeNumber(out: ReplyWriter, name: string, n: number | undefined): void {
  out.bulk(name)
  if (n === undefined) out.nil()
  else out.integer(Math.round(n))
}

function wait({ session, inTransaction, services, out }: CommandContext, words: readonly string[]): void {
  const timeoutMs = parseCount(words[1]!, errors.timeoutNotInteger)
  if (timeoutMs < 0) throw errors.negativeTimeout
  // Nothing of a transaction that is still running has reached anybody.
  if (inTransaction) out.integer(0)
  else replyLater(session, (finish) => services.awaitDurable(services.applied.copy(), timeoutMs, finish), 0)
}

function digest({ session, inTransaction, services, keyspace, out }: CommandContext): void {
  // Nothing comes between the commands of a transaction, so there the node stands still for it.
  if (inTransaction) out.bulk(keyspace.digest())
  else replyLater(session, (finish) => services.digest(finish), undefined)
}

function inspect({ out, keyspace, db }: CommandContext, words: readonly string[]): void {
  // As it is stored: a key that is due, or has only a deadline left, shows too.
  const entry = keyspace.get(db, words[1]!)
  if (entry === undefined) out.nil()
  else out.verbatim('txt', JSON.stringify(describeKey(entry), null, 2))
}

function conflicts({ out, services }: CommandContext, words: readonly string[]): void {
  const option = words[1]?.toUpperCase()
  if (option === 'HELP' && words.length === 2) {
    out.words(HELP)
    return
  }
  if (option !== undefined && (option !== 'COUNT' || words.length !== 3)) throw errors.syntax
  const count = option === undefined ? CONFLICTS_SHOWN : parseCount(words[2]!)
  if (count < 0) throw errors.negativeCount
  const log = services.conflicts
  const regions = regionNames(services)
  const latest = log.latest(count)
  out.map(3)
  writeNumber(out, 'total', log.total)
  out.bulk('by-rule')
  out.map(CONFLICT_RULES.length)
  for (const rule of CONFLICT_RULES) writeNumber(out, rule, log.counts[rule])
  out.bulk('latest')
  out.array(latest.length)
  for (const event of latest) writeEvent(out, event, regions)
}

/** Names by region id, of this region and of the peers it has met. */
function regionNames(services: Services): ReadonlyMap<number, string> {
  const names = new Map([[services.regionId, services.region]])
  for (const { region, regionId } of services.links()) if (regionId !== undefined) names.set(regionId, region)
  return names
}

function writeEvent(out: ReplyWriter, event: ConflictEvent, regions: ReadonlyMap<number, string>): void {
  out.map(6)
  writeText(out, 'rule', event.rule)
  writeNumber(out, 'db', event.db)
  writeText(out, 'key', event.key)
  writeText(out, 'field', event.field)
  out.bulk('winner')
  writeSide(out, event.winner, regions)
  out.bulk('hidden')
  writeSide(out, event.hidden, regions)
}

function writeSide(
  out: ReplyWriter,
  { region, wallMs, what }: ConflictSide,
  regions: ReadonlyMap<number, string>,
): void {
  out.map(3)
  writeText(out, 'region', regions.get(region) ?? `region ${region}`)
  writeNumber(out, 'at-ms', wallMs)
  writeText(out, 'what', what)
}

export const causewayCommands = defineCommands([
  {
    name: 'crdt.vector',
    arity: 1,
    flags: ['readonly', 'loading', 'stale', 'fast'],
    keys: NO_KEYS,
    group: 'causeway',
    since: '0.1.0',
    summary:
      'Returns how many ops of each origin this node has applied. Equal vectors mean that regions hold the same data.',
    complexity: 'O(N) where N is the number of origins',
    run: vector,
  },
  {
    name: 'crdt.digest',
    arity: 1,
    flags: ['readonly', 'noscript'],
    keys: NO_KEYS,
    group: 'causeway',
    since: '0.1.0',
    summary:
      'Returns a fingerprint of all that reads can answer, to compare regions whose vectors are equal.',
    complexity:
      'O(N) where N is the size of the data, a slice at a time while others are served: for tests and diagnosis',
    run: digest,
  },
  {
    name: 'crdt.link',
    arity: 3,
    flags: ['admin', 'noscript', 'loading', 'stale'],
    keys: NO_KEYS,
    group: 'causeway',
    since: '0.1.0',
    summary:
      'Cuts (DOWN), mends (UP) or shows (STATUS) the links to one region or to ALL, or rebuilds this node from a snapshot of one region (RESYNC). Both sides go on taking writes.',
    syntax: '<region|ALL> <UP|DOWN|STATUS|RESYNC>',
    complexity: 'O(N) where N is the number of peers',
    run: link,
  },
  {
    name: 'crdt.wait',
    arity: 2,
    flags: ['noscript'],
    keys: NO_KEYS,
    request: 'all_shards',
    response: 'agg_min',
    group: 'causeway',
    since: '0.1.0',
    summary:
      'Blocks until every connected peer region holds all that is applied here on its disk, or until the timeout in milliseconds (0: none). Returns how many do.',
    syntax: 'timeout:integer',
    complexity: 'O(1)',
    run: wait,
  },
  {
    name: 'crdt.inspect',
    arity: 2,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'causeway',
    since: '0.1.0',
    summary:
      'Returns as JSON all that is stored under a key: values that wait behind the one shown, increments of each origin, hidden types and deadlines.',
    syntax: 'key',
    complexity: 'O(N) where N is the size of the key',
    run: inspect,
  },
  {
    name: 'crdt.conflicts',
    arity: -1,
    flags: ['readonly', 'loading', 'stale'],
    keys: NO_KEYS,
    group: 'causeway',
    since: '0.1.0',
    summary:
      'Returns how many writes each conflict rule hid, and the latest of them with both sides. CRDT.CONFLICTS HELP explains the rules.',
    syntax: '[COUNT count|HELP]',
    complexity: 'O(N) where N is the number of events shown',
    run: conflicts,
  },
])
