/**
 * regions.ts: CRDT.REGION: regions that join the database while it runs, regions that leave it, and whether the
 * clients of a region may write.
 *
 * Joining and leaving are one op each, said once, at any region that may mint; it reaches the others as every op
 * does. A newcomer is started first, with every other region as a peer: it waits, gets a snapshot once it was
 * added, and takes writes when all members count with it, unless it was added as a passive one.
 *
 * A region is promoted and demoted at itself. A promotion is refused while others may hold what is not applied
 * here: nothing would be lost in the end, but clients would write without having seen it.
 *
 * Invariant: neither the id nor the name of a region is ever given to another one, whether it left or
 * not. Its ops are named after its id, and its links are kept by its name.
 * Source: algorithms.md, The horizon, 7.
 */
import { REGION_ID_MAX } from '../../crdt/origin.ts'
import { isSyncUrl } from '../../sync/sync-url.ts'
import { isRegionName } from '../config/kinds.ts'
import { type CommandError, commandError, errors } from '../errors.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import { replyLater } from './blocking.ts'
import { type CommandContext, type CommandDef, defineCommands, NO_KEYS } from './command.ts'
import { container, helpOf } from './container.ts'
import { parseCount } from './parse.ts'
import type { RegionState, Services } from './services.ts'
import type { Session } from './session.ts'

/** Not in a transaction: it is an op of its own. */
const CHANGES: CommandDef['flags'] = ['write', 'admin', 'noscript', 'no_multi']

const badName = commandError('ERR A region is named by 1 to 32 letters, digits, dots, dashes or underscores')
const badId = commandError(`ERR A region id is a number from 1 to ${REGION_ID_MAX}`)
/** A member counts as within reach when it was heard this recently, milliseconds. */
const HEARD_MS_MAX = 10_000
/** What a member has said it holds counts for all that it holds while it is this recent, milliseconds. */
const WORD_MS_MAX = 5000
const badUrl = commandError(
  'ERR The address of a region is ws://HOST:PORT, or wss:// where TLS is spoken: the sync-port of its node',
)

function add({ services, out }: CommandContext, words: readonly string[]): void {
  const name = words[2]!
  if (!isRegionName(name)) throw badName
  const regionId = parseCount(words[3]!, badId)
  if (regionId < 1 || regionId > REGION_ID_MAX) throw badId
  const url = words[4]!
  if (!isSyncUrl(url)) throw badUrl
  const mode = hasOption(words, 5, 'passive') ? 'passive' : undefined
  const objection = objectionTo(name, regionId, services)
  if (objection !== undefined) throw objection
  services.regions.change(regionId, name, url, 'member', mode)
  out.ok()
}

/** The last word, at that place, may be this one. @throws CommandError when it is another one */
function hasOption(words: readonly string[], at: number, option: string): boolean {
  if (words.length === at) return false
  if (words.length > at + 1 || words[at]!.toLowerCase() !== option) throw errors.syntax
  return true
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

function promote({ services, session, out }: CommandContext, words: readonly string[]): void {
  const isForced = hasOption(words, 2, 'force')
  const { region, regions } = services
  const [own, ...others] = regions.list()
  if (own!.mode === 'active') {
    out.simple(`Region '${region}' is active already`)
    return
  }
  const missing = others.filter(({ status }) => status === 'member').flatMap(missingFrom)
  if (missing.length > 0 && !isForced) {
    throw commandError(
      `ERR Region '${region}' stays passive: ${missing.join('; ')}. Wait for that, or say FORCE (--force): what is ` +
        'missing then comes later, as writes that had not seen those made here',
    )
  }
  regions.changeMode('active')
  const toCome = missing.length === 0 ? '' : `. Still to come: ${missing.join('; ')}`
  replyWhenDurable(session, services, `Region '${region}' is active: its clients may write${toCome}`)
}

/** What a member holds, or may hold, that is not applied here. */
function missingFrom({ name, behindOps = 0, heardMsAgo }: RegionState): string[] {
  const missing: string[] = []
  if (behindOps > 0)
    missing.push(`region '${name}' has announced ops that are not applied here: ${behindOps}`)
  if (heardMsAgo === undefined) missing.push(`region '${name}' was not heard since this node started`)
  else if (heardMsAgo > WORD_MS_MAX)
    missing.push(
      `region '${name}' was last heard ${Math.round(heardMsAgo / 1000)} s ago, and may hold more than it said`,
    )
  return missing
}

function demote({ services, session, out }: CommandContext): void {
  const { region, regions } = services
  if (regions.list()[0]!.mode === 'passive') {
    out.simple(`Region '${region}' is passive already`)
    return
  }
  regions.changeMode('passive')
  const sentence = `Region '${region}' is passive: it applies what others write, and serves reads`
  replyWhenDurable(session, services, sentence)
}

/** A change of mode takes effect at once, and is answered when a crash can no longer undo it. */
function replyWhenDurable(session: Session, { applied, replication }: Services, sentence: string): void {
  const unsure = `${sentence}. It is not known to be on disk yet: say it again after a crash`
  replyLater(
    session,
    (finish) =>
      replication.waits.begin(applied.copy(), { local: 1, replicas: 0, what: 'durable' }, 0, ({ local }) =>
        finish(local > 0 ? sentence : unsure),
      ),
    unsure,
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
    ['mode', region.mode],
    ['heard-ms-ago', region.heardMsAgo],
    ['lag-ops', region.lagOps],
    ['lag-ms', region.lagMs],
    ['behind-ops', region.behindOps],
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
      'Adds a region to the running database (ADD), removes one for good (REMOVE), makes one active or passive ' +
      '(PROMOTE, DEMOTE), or shows all of them (LIST). CRDT.REGION HELP explains the steps.',
    subcommands: [
      {
        name: 'crdt.region|add',
        arity: -5,
        flags: CHANGES,
        keys: NO_KEYS,
        group: 'causeway',
        since: '0.1.0',
        summary: 'Adds a region with its name, its id and the address of its sync port.',
        syntax: 'name id:integer url [PASSIVE]',
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
        name: 'crdt.region|promote',
        arity: -2,
        flags: CHANGES,
        keys: NO_KEYS,
        group: 'causeway',
        since: '0.1.0',
        summary: 'Makes the region of this node active: its clients may write.',
        syntax: '[FORCE]',
        complexity: 'O(N) where N is the number of regions',
        run: promote,
      },
      {
        name: 'crdt.region|demote',
        arity: 2,
        flags: CHANGES,
        keys: NO_KEYS,
        group: 'causeway',
        since: '0.1.0',
        summary: 'Makes the region of this node passive: it applies everything, and its clients only read.',
        complexity: 'O(N) where N is the number of clients that wait for keys',
        run: demote,
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
        'ADD <name> <id> <url> [PASSIVE]',
        '    Add a region. Start its node first, with an empty folder and every region as a peer; then say this',
        '    once, at any other region. It gets a snapshot, and takes writes when all regions count with it; a',
        '    passive one takes none until it is promoted.',
        'REMOVE <name>',
        '    Remove a region for good. Its origins are ended; its id and its name are never used again. Then',
        '    stop its node.',
        'PROMOTE [FORCE]',
        '    Make the region of this node active. Refused while other regions hold, or may hold, what is not',
        '    applied here, unless FORCE.',
        'DEMOTE',
        '    Make the region of this node passive, at once: it applies what others write and serves reads, and its',
        '    clients may not write.',
        'LIST',
        '    Show each region: status, epoch of its membership, mode, when it was heard, what it lacks of this one,',
        '    and what this one lacks of all that it holds.',
      ]),
    ],
  }),
])
