/**
 * doctor-visit.ts: what one node says of itself, of its region and of the others, as facts to compare.
 */
import { wordToText } from '../config/kinds.ts'
import { type Reply, RespError } from '../resp/parse-reply.ts'
import type { CliHost } from './host.ts'
import type { NodeAccess } from './node-access.ts'
import type { NodeAddress } from './node-client.ts'
import { converse, sentenceOf } from './node-talk.ts'
import { addressText } from './words.ts'

/** Fields of a row of CRDT.REGION LIST or CRDT.LINK ALL STATUS. */
export type Fields = ReadonlyMap<string, string | number | undefined>

export interface Visit {
  readonly address: string
  readonly nodeId: string
  readonly region: string
  readonly regionId: string
  readonly partition: string
  /** `primary`, `replica` or `idle`. */
  readonly role: string
  readonly info: ReadonlyMap<string, string>
  readonly settings: ReadonlyMap<string, string>
  readonly regions: readonly Fields[]
  readonly links: readonly Fields[]
  /** Lines of ACL LIST by user: with the digests of passwords, so for comparison only. */
  readonly users: ReadonlyMap<string, string>
  /** Its wall clock minus ours, milliseconds, and how wrong that may be. */
  readonly clockMs: number
  readonly clockErrorMs: number
  /** Other nodes of its region, where it says that clients reach them. */
  readonly neighbours: readonly NodeAddress[]
  /** What it did not answer, and why. */
  readonly refusals: readonly string[]
}

/** The first one is answered soonest, so the clock is read there. */
const QUESTIONS = [
  ['TIME'],
  ['INFO'],
  ['CONFIG', 'GET', '*'],
  ['CRDT.REGION', 'LIST'],
  ['CRDT.LINK', 'ALL', 'STATUS'],
  ['ACL', 'LIST'],
  ['CLUSTER', 'NODES'],
] as const

/** @throws AskError */
export async function visit(host: CliHost, address: NodeAddress, access: NodeAccess): Promise<Visit> {
  const { env } = host
  const startMs = env.monoMs()
  const replies = await converse(host, address, access, QUESTIONS)
  const tookMs = env.monoMs() - startMs
  const askedMs = env.wallMs() - tookMs / 2
  const refusals = replies.flatMap((reply, i) => {
    // A node without a coordinator has no cluster to tell of.
    if (!(reply instanceof RespError) || QUESTIONS[i]![0] === 'CLUSTER') return []
    return [`${QUESTIONS[i]!.join(' ')}: ${sentenceOf(reply)}`]
  })
  const [time, infoText, config, regions, links, acl, cluster] = replies.map(answered)
  const [seconds = Number.NaN, micros = Number.NaN] = listOf(time).map(Number)
  const info = infoOf(textOf(infoText))
  const settings = new Map([...fieldsOf(config)].map(([name, value]) => [name, String(value)]))
  return {
    address: addressText(address),
    nodeId: info.get('node_id') ?? '',
    region: info.get('region') ?? '',
    regionId: info.get('region_id') ?? '',
    partition: settings.get('partition') ?? '',
    role: info.get('replication_role') ?? '',
    info,
    settings,
    regions: listOf(regions).map(fieldsOf),
    links: listOf(links).map(fieldsOf),
    users: new Map(listOf(acl).map((line) => [textOf(line).split(' ')[1] ?? '', textOf(line)])),
    clockMs: seconds * 1000 + micros / 1000 - askedMs,
    clockErrorMs: tookMs / 2,
    neighbours: cluster === undefined ? followersIn(info) : nodesIn(textOf(cluster)),
    refusals,
  }
}

function answered(reply: Reply): Reply | undefined {
  return reply instanceof RespError ? undefined : reply
}

function textOf(reply: Reply | undefined): string {
  return typeof reply === 'string' ? wordToText(reply) : ''
}

function listOf(reply: Reply | undefined): readonly Reply[] {
  return Array.isArray(reply) ? reply : []
}

/** Names and values in turn. */
function fieldsOf(reply: Reply | undefined): Fields {
  const words = listOf(reply)
  const fields = new Map<string, string | number | undefined>()
  for (let i = 0; i + 1 < words.length; i += 2) {
    const value = words[i + 1]
    fields.set(
      textOf(words[i]),
      typeof value === 'number' ? value : typeof value === 'string' ? textOf(value) : undefined,
    )
  }
  return fields
}

function infoOf(text: string): Map<string, string> {
  const fields = new Map<string, string>()
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return fields
}

/**
 * Those that this node follows, or that follow it, at the ports at which they reach each other: those for TLS with
 * `tls-replication`. INFO knows no others.
 */
function followersIn(info: ReadonlyMap<string, string>): NodeAddress[] {
  const found: NodeAddress[] = []
  const host = info.get('master_host')
  if (host !== undefined) found.push({ host, port: Number(info.get('master_port')) })
  for (const [name, value] of info) {
    const parts = /^slave\d+$/.test(name) ? /^ip=(.*?),port=(\d+),/.exec(value) : null
    if (parts !== null) found.push({ host: parts[1]!, port: Number(parts[2]) })
  }
  return found
}

/** Those in the lines of CLUSTER NODES, which names the ports for TLS to whoever asks by it. */
function nodesIn(text: string): NodeAddress[] {
  return text.split('\n').flatMap((line) => {
    const place = line.split(' ')[1]?.split('@')[0] ?? ''
    const colon = place.lastIndexOf(':')
    return colon < 0 ? [] : [{ host: place.slice(0, colon), port: Number(place.slice(colon + 1)) }]
  })
}
