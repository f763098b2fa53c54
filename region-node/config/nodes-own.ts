/**
 * nodes-own.ts: the settings that are a node's own, each with the reason: all others should be alike in a region.
 *
 * `causeway doctor` compares those others, and the configuration of a region takes no others.
 */
import type { SettingName } from './table.ts'

const PLACE = 'it says where the node is reached'
const FILE = 'it is a file of the machine that the node runs on'
const CREDENTIAL = 'nodes may have credentials of their own'

export const NODES_OWN: ReadonlyMap<SettingName, string> = new Map([
  ['dir', FILE],
  ['partition', 'it says which partition the node holds'],
  ['bind', PLACE],
  ['port', PLACE],
  ['sentinel-port', PLACE],
  ['sentinel-tls-port', PLACE],
  ['proxy-port', PLACE],
  ['proxy-tls-port', PLACE],
  ['tls-port', PLACE],
  ['sync-port', PLACE],
  ['admin-port', PLACE],
  ['sync-announce-url', PLACE],
  ['replica-announce-ip', PLACE],
  ['replica-announce-port', PLACE],
  ['zone', 'it says where the node stands'],
  ['tls-cert-file', FILE],
  ['tls-key-file', FILE],
  ['tls-key-file-pass', CREDENTIAL],
  ['tls-ca-cert-file', FILE],
  ['tls-ca-cert-dir', FILE],
  ['aclfile', FILE],
  ['replica-of', 'it says whom the node follows'],
  ['replica-priority', 'it sets the nodes apart'],
  ['coordinator-user', CREDENTIAL],
  ['coordinator-password', CREDENTIAL],
  ['peer', 'a node dials those that it can reach'],
])
