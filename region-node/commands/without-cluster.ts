/**
 * without-cluster.ts: what clients ask of a cluster, answered by a node that is none: a database of one partition
 * is all on this node, and a client that looks for more is told so in Redis's words.
 */
import { commandError } from '../errors.ts'
import { type CommandDef, defineCommands, NO_KEYS } from './command.ts'

const clusterIsOff = commandError('ERR This instance has cluster support disabled')

function refused(name: string, arity: number, flags: CommandDef['flags'], summary: string): CommandDef {
  return {
    name,
    arity,
    flags,
    keys: NO_KEYS,
    categories: name === 'cluster' ? [] : ['connection'],
    group: 'cluster',
    since: '3.0.0',
    summary,
    ...(name === 'cluster' ? { syntax: 'subcommand [arg ...]' } : {}),
    complexity: 'O(1)',
    run: () => {
      throw clusterIsOff
    },
  }
}

export const withoutClusterCommands = defineCommands([
  refused('cluster', -2, [], 'Answers that there is no cluster: one node holds all keys of the region.'),
  refused('asking', 1, ['fast'], 'Answers that there is no cluster.'),
  refused('readonly', 1, ['loading', 'stale', 'fast'], 'Answers that there is no cluster.'),
  refused('readwrite', 1, ['loading', 'stale', 'fast'], 'Answers that there is no cluster.'),
])
