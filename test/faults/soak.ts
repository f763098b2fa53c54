/**
 * soak.ts: `npm run faults`: the long fault run, under each fsync policy in turn, and the cost of a long cut.
 *
 *   npm run faults -- --seconds 60 --seed 1 --policy all --benchmark yes --resume 500000 --results results.md
 *
 * Prints a table, writes it to the file named by --results, and exits with 1 when any region lost or
 * invented something.
 */
import { writeFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { readOptions } from '../harness/command-line.ts'
import { measureResume, type ResumeReport } from './resume-run.ts'
import { type SoakReport, soak } from './soak-run.ts'

const POLICIES = ['always', 'everysec', 'no'] as const
const KILL_EVERY_MS = 10_000
const CLIENTS_PER_REGION = 2
/** Keys present before the cut whose cost is measured: a small and a large data set. */
const DATA_SETS = [1000, 1_000_000]

const USAGE =
  'usage: npm run faults -- [--seconds N] [--seed N] [--policy all|always|everysec|no] [--benchmark yes|no] [--resume OPS] [--results FILE]'

const values =
  readOptions(process.argv.slice(2), USAGE, {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    policy: { type: 'string', default: 'all' },
    benchmark: { type: 'string', default: 'yes' },
    resume: { type: 'string', default: '500000' },
    results: { type: 'string' },
  }) ?? process.exit(2)

const lines: string[] = []
let failed = false

function say(line = ''): void {
  console.log(line)
  lines.push(line)
}

function row(...cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`
}

async function runSoaks(seconds: number, seed: number): Promise<void> {
  const policies = POLICIES.filter((policy) => values.policy === 'all' || values.policy === policy)
  if (policies.length === 0) return
  say(
    `Three regions, ${CLIENTS_PER_REGION} counting clients in each${values.benchmark === 'yes' ? ' and redis-benchmark beside them' : ''}, ${seconds} s per policy, seed ${seed}:`,
  )
  say('links cut and healed at random, one region killed with -9 every ten seconds.')
  say()
  say(row('appendfsync', 'commands counted', 'cuts', 'kills', 'heal, ms', 'digest of all three', 'findings'))
  say(row('---', '---', '---', '---', '---', '---', '---'))
  const details: string[] = []
  for (const appendfsync of policies) {
    const report = await soak({
      seed,
      seconds,
      appendfsync,
      killEveryMs: KILL_EVERY_MS,
      clientsPerRegion: CLIENTS_PER_REGION,
      benchmark: values.benchmark === 'yes',
    })
    sayReport(appendfsync, report)
    for (const finding of report.findings) details.push(`- ${appendfsync}: ${finding}`)
  }
  say()
  for (const detail of details) say(detail)
}

function sayReport(appendfsync: string, report: SoakReport): void {
  const { commands, cuts, kills, healMs, digest, findings } = report
  if (findings.length > 0) failed = true
  say(
    row(appendfsync, commands, cuts, kills, healMs, digest, findings.length === 0 ? 'none' : findings.length),
  )
}

async function runResumes(writes: number): Promise<void> {
  if (writes === 0) return
  say(`A link between two regions cut during ${writes} SETs, and healed:`)
  say()
  say(
    row(
      'keys before',
      'log before, bytes',
      'written meanwhile, bytes',
      'sent, bytes',
      'sent / written',
      'catch-up, ms',
    ),
  )
  say(row('---', '---', '---', '---', '---', '---'))
  for (const keysBefore of DATA_SETS) sayResume(await measureResume({ keysBefore, writes }))
}

function sayResume({ keysBefore, logBytesBefore, writtenBytes, sentBytes, catchUpMs }: ResumeReport): void {
  say(
    row(
      keysBefore,
      logBytesBefore,
      writtenBytes,
      sentBytes,
      (sentBytes / writtenBytes).toFixed(4),
      catchUpMs,
    ),
  )
}

say('# Fault run')
say()
say(
  `${new Date().toISOString().slice(0, 10)}, ${availableParallelism()} cores, ` +
    `${Math.round(totalmem() / 2 ** 30)} GiB of memory, Node ${process.version}. ` +
    'Clients, nodes and benchmarks share the machine.',
)
say()
await runSoaks(Number(values.seconds), Number(values.seed))
await runResumes(Number(values.resume))
if (values.results !== undefined) writeFileSync(values.results, `${lines.join('\n')}\n`)
process.exitCode = failed ? 1 : 0
