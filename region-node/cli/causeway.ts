/**
 * causeway.ts: the command line as a whole: picks the subcommand, answers --help and --version.
 *
 * A subcommand is loaded when it is asked for: a node starts without what moves partitions.
 */
import { closest, distance } from 'fastest-levenshtein'
import { VERSION } from '../version.ts'
import { HELP, nodeHelp } from './help.ts'
import type { CliHost } from './host.ts'

interface Subcommand {
  /** Until it is done. @returns the exit code */
  readonly run: (argv: readonly string[], host: CliHost) => Promise<number>
  readonly help: () => string
}

const SUBCOMMANDS: ReadonlyMap<string, () => Promise<Subcommand>> = new Map([
  ['node', async () => ({ run: (await import('./node.ts')).runNode, help: nodeHelp })],
  [
    'machine',
    async () => {
      const { runMachine, MACHINE_HELP } = await import('./machine.ts')
      return { run: runMachine, help: () => MACHINE_HELP }
    },
  ],
  [
    'region',
    async () => {
      const { runRegion, REGION_HELP } = await import('./region.ts')
      return { run: runRegion, help: () => REGION_HELP }
    },
  ],
  [
    'cluster',
    async () => {
      const { runCluster, CLUSTER_HELP } = await import('./cluster.ts')
      return { run: runCluster, help: () => CLUSTER_HELP }
    },
  ],
  [
    'doctor',
    async () => {
      const { runDoctor, DOCTOR_HELP } = await import('./doctor.ts')
      return { run: runDoctor, help: () => DOCTOR_HELP }
    },
  ],
  [
    'log',
    async () => {
      const { runLog, LOG_HELP } = await import('./log.ts')
      return { run: runLog, help: () => LOG_HELP }
    },
  ],
])

/** @param argv the words after `causeway`  @returns the exit code */
export async function runCauseway(argv: readonly string[], host: CliHost): Promise<number> {
  const [first = '', ...rest] = argv
  if (first === '--version' || first === '-v') return printed(host, `${VERSION}\n`)
  if (first === '--help' || first === '-h' || first === 'help') {
    const about = await SUBCOMMANDS.get(rest[0] ?? '')?.()
    return printed(host, about?.help() ?? HELP)
  }
  const subcommand = await SUBCOMMANDS.get(first)?.()
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
