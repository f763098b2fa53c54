/**
 * relations.ts: what must hold between settings, whichever source they came from.
 *
 * Checked when a node starts and again before CONFIG SET changes anything. Each rule gives one
 * sentence that says what is wrong and what to do; secrets are named, never shown.
 */
import type { SettingName, SettingValues } from './table.ts'

export interface Violation {
  /** The setting to look at first. */
  readonly name: SettingName
  readonly sentence: string
}

/** The first rule that is broken, or undefined. */
export function brokenRelation(values: SettingValues): Violation | undefined {
  for (const rule of RULES) {
    const sentence = rule.broken(values)
    if (sentence !== undefined) return { name: rule.name, sentence }
  }
  return undefined
}

interface Rule {
  readonly name: SettingName
  broken(values: SettingValues): string | undefined
}

const RULES: readonly Rule[] = [
  {
    name: 'region',
    broken: ({ region }) =>
      region === '' ? 'region is missing: name this region, for example --region A' : undefined,
  },
  {
    name: 'region-id',
    broken: (values) =>
      values['region-id'] === 0
        ? 'region-id is missing: number this region from 1 to 1023, for example --region-id 1; ' +
          'no other region may ever have the same number'
        : undefined,
  },
  {
    name: 'partitions',
    broken({ partitions, coordinator }) {
      if ((partitions & (partitions - 1)) !== 0) {
        return `partitions is ${partitions}, but must be a power of two from 1 to 1024`
      }
      return partitions > 1 && coordinator === ''
        ? `partitions is ${partitions}, and nobody says which node serves which: name a coordinator, or set it to 1`
        : undefined
    },
  },
  {
    name: 'partition',
    broken: ({ partition, partitions }) =>
      partition >= partitions
        ? `partition is ${partition}, but there are ${partitions}: they are counted from 0 on`
        : undefined,
  },
  {
    name: 'sync-secret',
    broken: (values) =>
      values['sync-secret'] === '' &&
      (values.peer.length > 0 || values['sync-port'] !== 0) &&
      !isLoopback(values.bind)
        ? `bind ${values.bind} lets other machines join the regions: set the same sync-secret in ` +
          'every region, or bind 127.0.0.1'
        : undefined,
  },
  {
    name: 'sync-port',
    // With a coordinator others learn the port for clients, which takes them as well.
    broken: (values) =>
      values.peer.length > 0 && values['sync-port'] === 0 && values.coordinator === ''
        ? 'there are peers but no sync-port: set the port on which they reach this region'
        : undefined,
  },
  { name: 'peer', broken: brokenPeers },
  { name: 'port', broken: brokenPorts },
  {
    name: 'replica-of',
    broken: (values) =>
      values.coordinator !== '' && values['replica-of'] !== ''
        ? 'the coordinator says which node is primary: leave replica-of out, and hand over with FAILOVER'
        : undefined,
  },
  {
    name: 'unclean-failover',
    broken: (values) =>
      values['unclean-failover'] && values['replica-ack'] !== 'async'
        ? `unclean-failover may lose what replica-ack ${values['replica-ack']} promises: choose one of them`
        : undefined,
  },
  {
    name: 'drift-warn-ms',
    broken: (values) =>
      values['drift-warn-ms'] > values['max-drift-ms']
        ? 'drift-warn-ms is above max-drift-ms: the warning must come before the limit'
        : undefined,
  },
]

function brokenPeers({ region, peer }: SettingValues): string | undefined {
  const urls = new Set<string>()
  // One region may have several: those of all its nodes.
  for (const { name, url } of peer) {
    if (name === region) return `peer ${name} has the name of this region itself: peers are the other regions`
    if (urls.has(url)) return `the address ${url} is given twice: give each node of a peer its own`
    urls.add(url)
  }
  return undefined
}

/** Settings that open a port. */
const PORTS = [
  'port',
  'tls-port',
  'sentinel-port',
  'sentinel-tls-port',
  'proxy-port',
  'proxy-tls-port',
  'sync-port',
  'admin-port',
] as const

function brokenPorts(values: SettingValues): string | undefined {
  const taken = new Map<number, SettingName>()
  for (const name of PORTS) {
    const port = values[name]
    if (port === 0) continue
    const other = taken.get(port)
    if (other !== undefined) return `${other} and ${name} are both ${port}: give each its own port`
    taken.set(port, name)
  }
  return undefined
}

function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(address)
}
