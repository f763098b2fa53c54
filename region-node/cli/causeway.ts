/**
 * causeway.ts: the command line as a whole: picks the subcommand, answers --help and --version.
 */
import { closest, distance } from 'fastest-levenshtein'
import { VERSION } from '../version.ts'
import { CLUSTER_HELP, runCluster } from './cluster.ts'
import { DOCTOR_HELP, runDoctor } from './doctor.ts'
import { HELP, nodeHelp } from './help.ts'
import type { CliHost } from './host.ts'
import { LOG_HELP, runLog } from './log.ts'
import { MACHINE_HELP, runMachine } from './machine.ts'
import { runNode } from './node.ts'
import { REGION_HELP, runRegion } from './region.ts'

/** Runs a subcommand until it is done; what it returns is the exit code. */
type Subcommand = (argv: readonly string[], host: CliHost) => Promise<number>

interface SubcommandEntry {
  readonly run: Subcommand
  readonly help: () => string
}

const SUBCOMMANDS: ReadonlyMap<string, SubcommandEntry> = new Map([
  ['node', { run: runNode, help: nodeHelp }],
  ['machine', { run: runMachine, help: () => MACHINE_HELP }],
  ['region', { run: runRegion, help: () => REGION_HELP }],
  ['cluster', { run: runCluster, help: () => CLUSTER_HELP }],
  ['doctor', { run: runDoctor, help: () => DOCTOR_HELP }],
  ['log', { run: runLog, help: () => LOG_HELP }],
])

/** @param argv the words after `causeway`  @returns the exit code */
export async function runCauseway(argv: readonly string[], host: CliHost): Promise<number> {
  const [first = '', ...rest] = argv
  if (first === '--version' || first === '-v') return printed(host, `${VERSION}\n`)
  if (first === '--help' || first === '-h' || first === 'help') {
    return printed(host, SUBCOMMANDS.get(rest[0] ?? '')?.help() ?? HELP)
  }
  const subcommand = SUBCOMMANDS.get(first)
  if (subcommand === undefined) {
    host.complain(first === '' ? HELP : `causeway: unknown command '${first}': ${advice(first)}\n`)
    return 1
  }
  if (rest.includes('--help') || rest.includes('-h')) return printed(host, subcommand.help())
  return subcommand.run(rest, host)
}

function printed(host: CliHost, text: string): number {
  host.print(text)
  return 0
}

function advice(word: string): string {
  const name = closest(word, [...SUBCOMMANDS.keys()])
  if (distance(word, name) <= 2) return `did you mean '${name}'?`
  return "'causeway --help' lists the commands"
}
