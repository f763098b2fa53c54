/**
 * doctor-findings.ts: what is not alike between the nodes that were visited, and what is not well at one of them.
 *
 * Everything here is a function of the visits. Secrets are compared and never shown.
 */
import { NODES_OWN } from '../config/nodes-own.ts'
import { SETTING_ROWS, type SettingName } from '../config/table.ts'
import type { Visit } from './doctor-visit.ts'

/** A value, and who has it. */
export interface Holders {
  readonly value: string
  readonly nodes: readonly string[]
}

export interface Finding {
  readonly about:
    | 'nodes'
    | 'settings'
    | 'users'
    | 'regions'
    | 'roles'
    | 'links'
    | 'clocks'
    | 'disk'
    | 'memory'
    | 'cut'
  readonly sentence: string
  /** Of what is not alike. */
  readonly values?: readonly Holders[]
}

/** Shares of a limit from which on it is near. */
const NEAR = 0.9
/** A region may lag behind another one for so long without being worth a word. */
const LAG_MS_MAX = 5000
/** Settings that regions decide by together, beside those that are database-wide. */
const OF_ALL_REGIONS: ReadonlySet<SettingName> = new Set([
  'peer-dark-max-ms',
  'expire-takeover-ms',
  'max-drift-ms',
])

export function findingsIn(visits: readonly Visit[]): Finding[] {
  return [
    ...unlike('nodes', 'the version of Causeway', visits, ({ info }) => info.get('causeway_version') ?? ''),
    ...settingsIn(visits),
    ...usersIn(visits),
    ...regionsIn(visits),
    ...[...grouped(visits, placeOf)].flatMap(([place, nodes]) => rolesIn(place, nodes)),
    ...[...grouped(visits, ({ region }) => region)].flatMap(([region, nodes]) => clocksIn(region, nodes)),
    ...visits.flatMap(nodeFindings),
  ]
}

function grouped(visits: readonly Visit[], key: (one: Visit) => string): Map<string, Visit[]> {
  const groups = new Map<string, Visit[]>()
  for (const one of visits) groups.set(key(one), [...(groups.get(key(one)) ?? []), one])
  return groups
}

function placeOf({ region, partition }: Visit): string {
  return `partition ${partition} of region ${region}`
}

/** A finding when nodes that should tell the same do not. */
function unlike(
  about: Finding['about'],
  what: string,
  visits: readonly Visit[],
  tell: (one: Visit) => string,
): Finding[] {
  const groups = grouped(visits, tell)
  if (groups.size < 2) return []
  const values = [...groups].map(([value, nodes]) => ({ value, nodes: nodes.map(({ address }) => address) }))
  return [{ about, sentence: `${what} is not alike`, values }]
}

function settingsIn(visits: readonly Visit[]): Finding[] {
  return [...SETTING_ROWS].flatMap(([name, row]) => {
    if (row.change === 'never' || NODES_OWN.has(name as SettingName)) return []
    const isOfAll = row.scope === 'database' || OF_ALL_REGIONS.has(name as SettingName)
    const groups = isOfAll ? [[...visits]] : [...grouped(visits, ({ region }) => region).values()]
    const tell = ({ settings }: Visit): string => settings.get(name) ?? '(unknown)'
    return groups.flatMap((nodes) => unlike('settings', name, nodes, tell))
  })
}

/** Users belong to a node, and are set in each; what differs is said, not how. */
function usersIn(visits: readonly Visit[]): Finding[] {
  const names = new Set(visits.flatMap(({ users }) => [...users.keys()]))
  return [...names].sort().flatMap((user) => {
    const definitions = [...new Set(visits.map(({ users }) => users.get(user)))].filter(
      (one) => one !== undefined,
    )
    const tell = ({ users }: Visit): string => {
      const definition = users.get(user)
      return definition === undefined ? 'absent' : `definition ${definitions.indexOf(definition) + 1}`
    }
    return unlike('users', `user ${user} (password or rights)`, visits, tell)
  })
}

function regionsIn(visits: readonly Visit[]): Finding[] {
  const findings: Finding[] = []
  for (const [region, nodes] of grouped(visits, ({ region }) => region))
    findings.push(...unlike('regions', `the id of region ${region}`, nodes, ({ regionId }) => regionId))
  for (const [id, nodes] of grouped(visits, ({ regionId }) => regionId))
    findings.push(...unlike('regions', `the name of the region with id ${id}`, nodes, ({ region }) => region))
  // Only a primary keeps links to the others.
  const primaries = visits.filter(({ role }) => role === 'primary')
  const viewOf = ({ regions }: Visit, name: string): string => {
    const row = regions.find((one) => one.get('name') === name)
    if (row === undefined) return 'not known'
    const status = row.get('status')
    return `${status === 'self' ? 'member' : status}, id ${row.get('id') ?? 'unknown'}`
  }
  const names = new Set(primaries.flatMap(({ regions }) => regions.map((row) => String(row.get('name')))))
  const visited = new Set(visits.map(({ region }) => region))
  for (const name of [...names].sort()) {
    findings.push(
      ...unlike('regions', `what is known of region ${name}`, primaries, (one) => viewOf(one, name)),
    )
    const hasLeft = primaries.every((one) => /^(left|not known)/.test(viewOf(one, name)))
    if (visited.has(name) || hasLeft) continue
    findings.push({
      about: 'regions',
      sentence: `region ${name} was not visited: give the address of one of its nodes with --to`,
    })
  }
  return findings
}

function rolesIn(place: string, nodes: readonly Visit[]): Finding[] {
  const primaries = nodes.filter(({ role }) => role === 'primary')
  const findings = unlike(
    'roles',
    `the term of ${place}`,
    nodes,
    ({ info }) => info.get('replication_term') ?? '',
  )
  if (primaries.length === 0) findings.push({ about: 'roles', sentence: `${place} has no primary` })
  if (primaries.length > 1) {
    const addresses = primaries.map(({ address }) => address).join(' and ')
    findings.push({ about: 'roles', sentence: `${place} has more than one primary: ${addresses}` })
  }
  return findings
}

/** Clocks of one region against each other; those of other regions are measured by the links. */
function clocksIn(region: string, nodes: readonly Visit[]): Finding[] {
  const sorted = nodes.filter(({ clockMs }) => Number.isFinite(clockMs)).sort((a, b) => a.clockMs - b.clockMs)
  const [slow, fast] = [sorted[0], sorted.at(-1)]
  if (slow === undefined || fast === undefined) return []
  const apartMs = fast.clockMs - slow.clockMs - fast.clockErrorMs - slow.clockErrorMs
  if (apartMs <= driftWarnMs(fast)) return []
  const sentence = `in region ${region} the clock of ${fast.address} is ${Math.round(apartMs)} ms ahead of that of ${slow.address}: run NTP`
  return [{ about: 'clocks', sentence }]
}

function driftWarnMs({ settings }: Visit): number {
  return Number(settings.get('drift-warn-ms') ?? Number.POSITIVE_INFINITY)
}

function nodeFindings(one: Visit): Finding[] {
  const { address, info, refusals } = one
  const findings: Finding[] = []
  const find = (about: Finding['about'], sentence: string): void => {
    findings.push({ about, sentence: `${address} ${sentence}` })
  }
  for (const refusal of refusals) find('nodes', `did not answer ${refusal}`)
  if (info.get('loading') === '1')
    find('nodes', `reads its data folder, ${info.get('loading_loaded_perc')} % so far`)
  if (info.get('coordinator') === 'away') find('nodes', 'does not reach its coordinator')
  if (info.get('lacking') === '1')
    find(
      'regions',
      'takes no writes yet: it may lack what its region acknowledged, and asks the others first',
    )
  if (info.get('master_link_status') === 'down')
    find('links', `does not reach its primary: ${info.get('master_link_error') || 'it tries'}`)
  if (info.get('aof_last_write_status') === 'err')
    find('disk', 'cannot write its log and refuses writes: make room on its disk')
  if (info.get('rdb_last_bgsave_status') === 'err')
    find('disk', `could not make its last snapshot: ${info.get('snapshot_last_error')}`)
  const used = shareOf(info, 'used_memory', 'maxmemory')
  if (used > NEAR && info.get('maxmemory_policy') === 'noeviction')
    find('memory', `uses ${percent(used)} of maxmemory, and will refuse writes: raise it, or remove keys`)
  const heap = shareOf(info, 'used_memory_heap', 'heap_limit')
  if (heap > NEAR)
    find('memory', `uses ${percent(heap)} of its heap: give it a larger maxmemory and restart it`)
  if (one.role !== 'primary') return findings
  const cut = info.get('cut_state') ?? 'moves'
  if (cut !== 'moves') find('cut', `gives nothing back, because its stable cut ${cut}`)
  findings.push(...linksOf(one))
  return findings
}

function linksOf({ address, regions, links, settings }: Visit): Finding[] {
  const findings: Finding[] = []
  for (const row of regions) {
    const region = row.get('name')
    const [status, own] = [row.get('status'), links.filter((link) => link.get('region') === region)]
    if (status === 'suspended')
      findings.push({
        about: 'regions',
        sentence: `${address} goes on without region ${region}, which is suspended`,
      })
    // It is met through another region, or it is this one, or it has left.
    if (own.length === 0 || status === 'left') continue
    const up = own.filter((link) => link.get('pull') === 'streaming')
    const [first] = own
    if (up.length === 0) {
      const why = first!.get('paused') === 'yes' ? 'cut by CRDT.LINK DOWN' : first!.get('last-error')
      const sentence = `${address} does not receive from region ${region}: ${why ?? 'nothing was heard of it yet'}`
      findings.push({ about: 'links', sentence })
      continue
    }
    const most = (field: string): number =>
      Math.max(...up.map((link) => Math.abs(Number(link.get(field) ?? 0))))
    const lag = (ms: number, what: string): void => {
      if (ms > LAG_MS_MAX)
        findings.push({ about: 'links', sentence: `${what} by ${Math.round(ms / 1000)} s` })
    }
    lag(most('behind-ms'), `${address} lags behind region ${region}`)
    lag(most('lag-ms'), `region ${region} lags behind ${address}`)
    const skewMs = most('skew-ms')
    if (skewMs <= Number(settings.get('drift-warn-ms'))) continue
    const sentence = `the clocks of ${address} and of region ${region} are ${skewMs} ms apart: run NTP`
    findings.push({ about: 'clocks', sentence })
  }
  return findings
}

function shareOf(info: ReadonlyMap<string, string>, used: string, limit: string): number {
  const most = Number(info.get(limit) ?? 0)
  return most === 0 ? 0 : Number(info.get(used) ?? 0) / most
}

function percent(share: number): string {
  return `${Math.floor(share * 100)} %`
}
