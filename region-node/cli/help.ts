/**
 * help.ts: the help pages. The list of settings is the table of config/table.ts, so it is never out
 * of date; the examples are run by the unit tests.
 */
import { SETTING_ROWS, type Section, type SettingRow } from '../config/table.ts'

export const HELP = `causeway: an active-active, geo-replicated database that speaks the Redis protocol

  causeway node [settings]    run one node of a region
  causeway node --help        all settings, with examples
  causeway machine --help     run the nodes of one machine, where the system places them
  causeway region --help      regions that join, leave and change their mode, while all run
  causeway log FILE|DIR       print a log in readable form
  causeway cluster --help     the nodes of one region: who is primary, and their settings
  causeway doctor --help      what is not alike between nodes and regions, and what is not well
  causeway --version          print the version
  causeway --help             print this page
`

export const NODE_EXAMPLE = [
  'causeway node --region A --region-id 1 --dir data-a --port 7101 --sync-port 7201 --peer B@ws://127.0.0.1:7202',
  'causeway node --region B --region-id 2 --dir data-b --port 7102 --sync-port 7202 --peer A@ws://127.0.0.1:7201',
]

const SECTIONS: ReadonlyArray<readonly [Section, string]> = [
  ['identity', 'Identity and data'],
  ['network', 'Clients and ports'],
  ['replicas', 'Replicas inside the region'],
  ['cluster', 'Failover inside the region'],
  ['peers', 'Other regions'],
  ['durability', 'Durability'],
  ['limits', 'Limits'],
  ['time', 'Clocks'],
  ['reports', 'Logs and reports'],
]

/** Columns of an option and its values, before the explanation begins. */
const LEFT_COLUMNS = 34

export function nodeHelp(): string {
  const sections = SECTIONS.map(([section, title]) => `${title}\n${rowsOf(section).map(describe).join('')}`)
  return `causeway node: run one node of a region

Two regions on one machine, each in a terminal of its own:

${NODE_EXAMPLE.map((line) => `  ${line}`).join('\n')}

and then, with any Redis client:

  redis-cli -p 7101 SET greeting hello
  redis-cli -p 7102 GET greeting

Settings come from a file, the environment and the command line; the later overrules the earlier.
All three know the same names:

  --config FILE               a file with lines such as: region-id 1
  CAUSEWAY_REGION_ID=1        an environment variable
  --region-id 1               an argument; --region-id=1 is the same

A star (*) marks what CONFIG SET can change while the node runs. A plus (+) marks what must be equal
in all regions.

${sections.join('\n')}`
}

function rowsOf(section: Section): Array<[string, SettingRow<unknown>]> {
  return [...SETTING_ROWS].filter(([, row]) => row.section === section)
}

function describe([name, row]: [string, SettingRow<unknown>]): string {
  const marks = `${row.change === 'runtime' ? '*' : ''}${row.scope === 'database' ? '+' : ''}`
  const left = `  --${name}${marks === '' ? '' : ` ${marks}`}`.padEnd(LEFT_COLUMNS)
  // Settings of several words are empty or long by default: the help sentence has to do for them.
  const standard = isRequired(name) || row.kind.words === 'many' ? '' : row.kind.format(row.default)
  const shape = `${row.kind.shape}${standard === '' ? '' : `; default ${readable(standard)}`}`
  return `${left}${row.help}\n${''.padEnd(LEFT_COLUMNS)}(${shape})\n`
}

function isRequired(name: string): boolean {
  return name === 'region' || name === 'region-id'
}

/** A whole number of megabytes and the like, in the unit people write. */
function readable(text: string): string {
  const value = Number(text)
  for (const [unit, size] of [
    ['gb', 2 ** 30],
    ['mb', 2 ** 20],
    ['kb', 2 ** 10],
  ] as const) {
    if (value >= size && value % size === 0) return `${value / size}${unit}`
  }
  return text
}
