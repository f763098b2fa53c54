/**
 * regions.ts: CRDT.REGION: regions that join the database while it runs, and regions that leave it.
 *
 * Either is one op, said once, at any region that takes writes; it reaches the others as every op does. A
 * newcomer is started first, with every other region as a peer: it waits, gets a snapshot once it was
 * added, and takes writes when all members count with it.
 *
 * Invariant: neither the id nor the name of a region is ever given to another one, whether it left or
 * not. Its ops are named after its id, and its links are kept by its name.
 * Source: algorithms.md, The horizon, 7.
 */
import { REGION_ID_MAX } from '../../crdt/origin.ts'
import { isRegionName, isSyncUrl } from '../config/kinds.ts'
import { type CommandError, commandError } from '../errors.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import { type CommandContext, type CommandDef, defineCommands, NO_KEYS } from './command.ts'
import { container, helpOf } from './container.ts'
import { parseCount } from './parse.ts'
import type { RegionState, Services } from './services.ts'

/** Not in a transaction: it is an op of its own. */
const CHANGES: CommandDef['flags'] = ['write', 'admin', 'noscript', 'no_multi']

const badName = commandError('ERR A region is named by 1 to 32 letters, digits, dots, dashes or underscores')
const badId = commandError(`ERR A region id is a number from 1 to ${REGION_ID_MAX}`)
/** A member counts as within reach when it was heard this recently, milliseconds. */
const HEARD_MS_MAX = 10_000
const badUrl = commandError(
  'ERR The address of a region is ws://HOST:PORT, or wss:// behind a TLS proxy: the sync-port of its node',
)

function add({ services, out }: CommandContext, words: readonly string[]): void {
  const name = words[2]!
  if (!isRegionName(name)) throw badName
  const regionId = parseCount(words[3]!, badId)
  if (regionId < 1 || regionId > REGION_ID_MAX) throw badId
  const url = words[4]!
  if (!isSyncUrl(url)) throw badUrl
  const objection = objectionTo(name, regionId, services)
  if (objection !== undefined) throw objection
  services.regions.change(regionId, name, url, 'member')
  out.ok()
}

function objectionTo(
  name: string,
  regionId: number,
  { regions, applied }: Services,
): CommandError | undefined {
  for (const region of regions.list()) {
    if (region.name === name) return commandError(`ERR ${described(region)}: choose another name`)
    if (region.regionId === regionId) return commandError(`ERR ${described(region)}: choose another id`)
  }
  // A region that nobody hears may be about to be suspended, or this one by the others.
  for (const { name: other, status, heardMsAgo } of regions.list()) {
    if (status === 'member' && (heardMsAgo === undefined || heardMsAgo > HEARD_MS_MAX))
      return commandError(
        `ERR Region ${other} was not heard lately: a region is added while all others are within reach`,
      )
  }
  // Of a region that no setting and no record names any more.
  for (const [origin] of applied.entries()) {
    if (origin.region === regionId)
      return commandError(
        `ERR Region id ${regionId} has written here, and ids are never reused: choose another id`,
      )
  }
  return undefined
}

function described({ name, regionId, status }: RegionState): string {
  const id = regionId === undefined ? '' : ` with id ${regionId}`
  if (status === 'left') return `Region '${name}'${id} has left the database, and neither is ever reused`
  return `There is a region '${name}'${id} already`
}

function remove({ services, out }: CommandContext, words: readonly string[]): void {
  const name = words[2]!
  const all = services.regions.list()
  const region = all.find((one) => one.name === name)
  if (region === undefined) {
    const known = all.map((one) => `'${one.name}'`).join(', ')
    throw commandError(`ERR There is no region '${name}': the regions are ${known}`)
  }
  if (name === services.region)
    throw commandError(`ERR Region '${name}' cannot remove itself: say it at another region`)
  if (region.status === 'left') throw commandError(`ERR Region '${name}' has left already`)
  if (region.regionId === undefined) {
    throw commandError(
      `ERR The id of region '${name}' is not known here, because it was never reached: say it at a region ` +
        'that has reached it, or take it out of the peers of all regions',
    )
  }
  services.regions.change(region.regionId, name, region.url, 'left')
  out.simple(
    `Region '${name}' has left: its origins are ended, and nothing of it reaches the others any more. ` +
      'Stop its node, and take it out of the peers of the others when they are next restarted.',
  )
}

function list({ services, out }: CommandContext): void {
  const regions = services.regions.list()
  out.array(regions.length)
  for (const region of regions) writeRegion(out, region)
}

function writeRegion(out: ReplyWriter, region: RegionState): void {
  const fields: readonly (readonly [string, string | number | undefined])[] = [
    ['name', region.name],
    ['id', region.regionId],
    ['url', region.url],
    ['status', region.status],
    ['epoch', region.epoch],
    ['heard-ms-ago', region.heardMsAgo],
    ['lag-ops', region.lagOps],
    ['lag-ms', region.lagMs],
    ['lacking', region.lacking === undefined ? undefined : region.lacking ? 'yes' : 'no'],
  ]
  out.map(fields.length)
  for (const [field, value] of fields) {
    out.bulk(field)
    if (typeof value === 'number') out.integer(Math.round(value))
    else out.bulkOrNil(value)
  }
}

export const regionCommands = defineCommands([
  container({
    name: 'crdt.region',
    group: 'causeway',
    since: '0.1.0',
    summary:
      'Adds a region to the running database (ADD), removes one for good (REMOVE), or shows all of them (LIST). ' +
      'Said once, at any region. CRDT.REGION HELP explains the steps.',
    subcommands: [
      {
        name: 'crdt.region|add',
        arity: 5,
        flags: CHANGES,
        keys: NO_KEYS,
        group: 'causeway',
        since: '0.1.0',
        summary: 'Adds a region with its name, its id and the address of its sync port.',
        syntax: 'name id:integer url',
        complexity: 'O(N) where N is the number of regions',
        run: add,
      },
      {
        name: 'crdt.region|remove',
        arity: 3,
        flags: CHANGES,
        keys: NO_KEYS,
        group: 'causeway',
        since: '0.1.0',
        summary:
          'Removes a region for good: its origins are ended, its id and its name are never used again.',
        syntax: 'name',
        complexity: 'O(N) where N is the number of regions and their origins',
        run: remove,
      },
      {
        name: 'crdt.region|list',
        arity: 2,
        flags: ['admin', 'noscript', 'loading', 'stale'],
        keys: NO_KEYS,
        group: 'causeway',
        since: '0.1.0',
        summary: 'Returns what this node knows of each region.',
        complexity: 'O(N) where N is the number of regions',
        run: list,
      },
      helpOf('crdt.region', 'causeway', '0.1.0', [
        'ADD <name> <id> <url>',
        '    Add a region. Start its node first, with an empty folder and every region as a peer; then say this',
        '    once, at any other region. It gets a snapshot, and takes writes when all regions count with it.',
        'REMOVE <name>',
        '    Remove a region for good. Its origins are ended; its id and its name are never used again. Then',
        '    stop its node.',
        'LIST',
        '    Show each region: status, epoch of its membership, when it was heard, what it lacks of this one.',
      ]),
    ],
  }),
])
