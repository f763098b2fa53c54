/**
 * doctor.ts: `causeway doctor`: visits all nodes that it finds, and tells what is not alike and what is not well.
 *
 * It reads only. It needs no coordinator: nodes name the other nodes of their region. How clients reach another
 * region no node knows, so an address in each has to be given.
 */
import { type Finding, findingsIn } from './doctor-findings.ts'
import { type Visit, visit } from './doctor-visit.ts'
import type { CliHost } from './host.ts'
import { ACCESS_OPTIONS, accessOf, type NodeAccess, TLS_ADVICE, TLS_HELP } from './node-access.ts'
import { AskError, type NodeAddress } from './node-client.ts'
import { textTable } from './text-table.ts'
import { addressOf, addressText, UsageError, Words } from './words.ts'

export const DOCTOR_HELP = `causeway doctor: what is not alike between nodes and regions, and what is not well

  causeway doctor --to HOST:PORT [--to HOST:PORT ...]

  --to HOST:PORT       a node, at its port for clients; one of each region is enough, its neighbours are found
  --password WORD      of the nodes; or set it as CAUSEWAY_REQUIREPASS in the environment
${TLS_HELP}  --json               for programs

It compares versions, settings that should be alike (in all regions, or in one), users and passwords (never
shown), region ids, members, roles, terms and clocks. And it tells of links that are down and why, of lag, of
full disks, of memory near its limit, and of a stable cut that stands still.

  causeway doctor --to berlin-1:6379 --to oslo-1:6379 --to lisbon-1:6379

${TLS_ADVICE}
Exit code: 0 all is alike and well, 1 there are findings, 2 no node could be visited, or the words are wrong.
`

const GRAMMAR = {
  command: 'doctor',
  help: 'causeway doctor --help',
  options: { ...ACCESS_OPTIONS, to: 'many', json: 'switch' },
} as const

const EXIT_FINDINGS = 1
const EXIT_UNREADABLE = 2

/** @returns the exit code */
export async function runDoctor(argv: readonly string[], host: CliHost): Promise<number> {
  try {
    const words = new Words(argv, GRAMMAR)
    if (words.names.length > 0)
      throw new UsageError(`unexpected word '${words.names[0]}': nodes are named with --to`)
    const given = words.all('to').map((text) => addressOf(text, 'to'))
    if (given.length === 0) throw new UsageError('name a node with --to HOST:PORT: its neighbours are found')
    const { visits, failures } = await visitAll(given, accessOf(words, host), host)
    if (visits.length === 0) throw new UsageError(failures.map(({ sentence }) => sentence).join('; '))
    const findings = [...failures, ...findingsIn(visits)]
    host.print(words.has('json') ? jsonOf(visits, findings) : textOf(visits, findings))
    return findings.length === 0 ? 0 : EXIT_FINDINGS
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    host.complain(`causeway: ${error.message}\n`)
    return EXIT_UNREADABLE
  }
}

async function visitAll(
  given: readonly NodeAddress[],
  access: NodeAccess,
  host: CliHost,
): Promise<{ visits: Visit[]; failures: Finding[] }> {
  const visits = new Map<string, Visit>()
  const failures: Finding[] = []
  const waiting = [...given]
  const seen = new Set<string>()
  for (let address = waiting.shift(); address !== undefined; address = waiting.shift()) {
    const place = addressText(address)
    if (seen.has(place)) continue
    seen.add(place)
    try {
      const one = await visit(host, address, access)
      // A node may be reached by two names.
      if (!visits.has(one.nodeId)) visits.set(one.nodeId, one)
      waiting.push(...one.neighbours)
    } catch (error) {
      if (!(error instanceof AskError)) throw error
      failures.push({ about: 'nodes', sentence: `${place} was not visited: ${error.message}` })
    }
  }
  return { visits: [...visits.values()], failures }
}

function textOf(visits: readonly Visit[], findings: readonly Finding[]): string {
  const rows = visits.map(({ address, region, regionId, partition, role, info }) => {
    return [
      address,
      `${region} (${regionId})`,
      partition,
      role,
      info.get('replication_term') ?? '',
      info.get('causeway_version') ?? '',
    ]
  })
  const nodes = textTable([['node', 'region', 'partition', 'role', 'term', 'version'], ...rows])
  const sentences = findings.filter(({ values }) => values === undefined)
  const told = sentences.map(({ about, sentence }) => `${about}: ${sentence}.\n`).join('')
  const unlike = findings.flatMap(({ about, sentence, values = [] }) =>
    values.map(({ value, nodes: holders }, i) => [
      i === 0 ? about : '',
      i === 0 ? sentence : '',
      value || "''",
      holders.join(', '),
    ]),
  )
  const table = unlike.length === 0 ? '' : textTable([['about', 'what', 'value', 'nodes'], ...unlike])
  const parts = findings.length === 0 ? [nodes, 'all is alike and well\n'] : [nodes, told, table]
  return parts.filter((part) => part !== '').join('\n')
}

function jsonOf(visits: readonly Visit[], findings: readonly Finding[]): string {
  const nodes = visits.map(({ address, nodeId, region, regionId, partition, role, info }) => ({
    address,
    id: nodeId,
    region,
    regionId: Number(regionId),
    partition: Number(partition),
    role,
    term: Number(info.get('replication_term')),
    version: info.get('causeway_version'),
  }))
  return `${JSON.stringify({ nodes, findings }, null, 2)}\n`
}
