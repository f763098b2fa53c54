/**
 * machine-settings.ts: what a machine is started with: a few words of its own, and settings for all of its nodes.
 *
 * The settings come from the same sources as those of a node. A node takes them from there itself: environment and file
 * as they are, the command line as it was given to the machine, with what the machine decides behind it. So no secret gets
 * onto a command line that was not on one.
 */

import { isName } from '../cluster/documents.ts'
import type { SettingName } from '../config/table.ts'
import { givenSettings, loadSettings, type SettingSources, type SettingValues } from '../config.ts'
import type { MachineDocument } from '../placement/documents.ts'
import { StartError } from '../start-error.ts'
import { VERSION } from '../version.ts'

const PORT_MAX = 65_535

/** Ports of the nodes: that of partition 0, the others follow. */
const FIRST_PORTS = {
  'first-port': 'port',
  'first-tls-port': 'tls-port',
  'first-proxy-port': 'proxy-port',
  'first-proxy-tls-port': 'proxy-tls-port',
  'first-admin-port': 'admin-port',
} as const
type FirstPort = keyof typeof FIRST_PORTS

const SENTINEL = 'clients that ask a Sentinel know of one primary: run such a node with causeway node'

/** Settings that a machine decides, and what to write instead. */
const DECIDED: ReadonlyMap<SettingName, string> = new Map([
  ['port', 'each node has its own: write --first-port, partition p listens at that port plus p'],
  ['tls-port', 'each node has its own: write --first-tls-port, partition p listens at that port plus p'],
  ['proxy-port', 'each node has its own: write --first-proxy-port, that of partition p is that port plus p'],
  [
    'proxy-tls-port',
    'each node has its own: write --first-proxy-tls-port, that of partition p is that port plus p',
  ],
  ['admin-port', 'each node has its own: write --first-admin-port, partition p listens at that port plus p'],
  ['sync-port', 'other regions reach a node at its port for clients'],
  ['sync-announce-url', 'each node has its own address: name that of the machine with --replica-announce-ip'],
  ['sentinel-port', SENTINEL],
  ['sentinel-tls-port', SENTINEL],
  ['partition', 'the placement says which partitions a machine holds'],
  ['partitions', "'causeway cluster create' says how many there are"],
  ['replica-of', 'the coordinator says which node is primary'],
  ['replica-announce-port', 'nodes are found at the port that they listen on'],
])

export interface MachineSettings {
  /** Of all nodes; those that the machine decides are at their defaults. */
  readonly values: SettingValues
  readonly self: Omit<MachineDocument, 'held'>
  /** Behind `causeway node`. @param dir  of the copy */
  wordsOf(partition: number, partitions: number, dir: string): readonly string[]
}

/** @throws StartError with one sentence about the first thing that is wrong */
export function machineSettings({ argv, ...others }: SettingSources): MachineSettings {
  const { own, rest } = divided(argv)
  const sources = { argv: rest, ...others }
  for (const [name, where] of givenSettings(sources)) {
    const reason = DECIDED.get(name as SettingName)
    if (reason !== undefined) throw new StartError(`${name} (${where}) is not for a machine: ${reason}`)
  }
  const { values } = loadSettings(sources)
  if (values.coordinator === '')
    throw new StartError('coordinator is missing: name the etcd that says which copies this machine holds')
  const host = hostOf(values)
  const ports = new Map(
    [...own].flatMap(([option, text]) =>
      option === 'name' ? [] : [[FIRST_PORTS[option], portOf(option, text)] as const],
    ),
  )
  const firstPort = ports.get('port')
  if (firstPort === undefined)
    throw new StartError(
      'first-port is missing: partition p listens at that port plus p, say --first-port 7000',
    )
  if (values['tls-replication'] && !ports.has('tls-port'))
    throw new StartError(
      'tls-replication yes needs first-tls-port: nodes reach each other at their ports for clients that speak TLS',
    )
  return {
    values,
    self: { name: nameOf(own.get('name')), zone: values.zone, host, firstPort, version: VERSION },
    wordsOf: (partition, partitions, dir) => [
      ...rest,
      ...words({ dir, partition, partitions, 'replica-announce-ip': host }),
      ...words(Object.fromEntries([...ports].map(([name, first]) => [name, first + partition]))),
    ],
  }
}

function words(settings: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
}

/** The words of the machine itself, and the others. */
function divided(argv: readonly string[]): {
  own: ReadonlyMap<'name' | FirstPort, string>
  rest: readonly string[]
} {
  const own = new Map<'name' | FirstPort, string>()
  const rest: string[] = []
  for (let at = 0; at < argv.length; at++) {
    const [, option = '', , value] = /^--([^=]*)(=(.*))?$/s.exec(argv[at]!) ?? []
    if (!isOwn(option)) {
      rest.push(argv[at]!)
      continue
    }
    if (own.has(option)) throw new StartError(`--${option} is given twice`)
    const text = value ?? argv[++at] ?? ''
    if (text === '') throw new StartError(`--${option} needs a value`)
    own.set(option, text)
  }
  return { own, rest }
}

function isOwn(option: string): option is 'name' | FirstPort {
  return option === 'name' || Object.hasOwn(FIRST_PORTS, option)
}

function nameOf(name: string | undefined): string {
  if (name === undefined)
    throw new StartError(
      'name is missing: each machine of the region has a name of its own, say --name berlin-1',
    )
  if (!isName(name)) throw new StartError(`'${name}' is no name: it takes letters, digits and _ . : -`)
  return name
}

function portOf(option: FirstPort, text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port > 0 && port <= PORT_MAX) return port
  throw new StartError(`'${text}' is no port: write --${option} with a number from 1 to ${PORT_MAX}`)
}

/** Where others reach the nodes. */
function hostOf(values: SettingValues): string {
  const { bind } = values
  const host = values['replica-announce-ip'] === '' ? bind : values['replica-announce-ip']
  if (host !== '0.0.0.0' && host !== '::' && host !== '*') return host
  throw new StartError(
    `bind ${bind} does not say where others reach this machine: name its address with --replica-announce-ip`,
  )
}
