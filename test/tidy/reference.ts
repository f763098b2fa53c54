/**
 * reference.ts: the parts of documents that are made from tables in the code, the settings and the commands, and
 * from the results of the last benchmark. tidy.test.ts holds the documents to them; `npm run reference` writes them.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandDef, CommandGroup } from '../../region-node/commands/command.ts'
import { EXCEPTIONS } from '../../region-node/commands/exceptions.ts'
import { commandTable } from '../../region-node/commands/families.ts'
import { plainSyntax } from '../../region-node/commands/syntax.ts'
import { SETTING_ROWS, type Section } from '../../region-node/config/table.ts'
import { figures, type Results } from '../bench/report.ts'
import { DIFFERENCES } from '../clients/differences.ts'
import { PROJECT_ROOT } from '../harness/project-root.ts'

const SECTION_TITLES: Readonly<Record<Section, string>> = {
  identity: 'Identity and data',
  network: 'Clients and ports',
  replicas: 'Replicas inside the region',
  cluster: 'Failover inside the region',
  peers: 'Other regions',
  durability: 'Durability',
  limits: 'Limits',
  time: 'Clocks',
  reports: 'Logs and reports',
  redis: 'Facts that Redis clients ask for (fixed)',
}

const GROUP_TITLES: Readonly<Record<CommandGroup, string>> = {
  string: 'Strings',
  bitmap: 'Bitmaps',
  hash: 'Hashes',
  set: 'Sets',
  list: 'Lists',
  'sorted-set': 'Sorted sets',
  geo: 'Geo',
  hyperloglog: 'HyperLogLogs',
  stream: 'Streams',
  generic: 'Keys and expiry',
  transactions: 'Transactions',
  pubsub: 'Publish and subscribe',
  scripting: 'Scripts and functions',
  connection: 'Connection',
  cluster: 'Cluster',
  server: 'Server',
  causeway: 'Causeway',
}

/** The tables between `<!-- name -->` and `<!-- /name -->`. */
const REFERENCES = {
  settings: settingsReference,
  'command-names': namesReference,
  commands: commandsReference,
  'causeway-commands': causewayReference,
  exceptions: exceptionsReference,
  differences: differencesReference,
  benchmark: benchmarkReference,
} as const satisfies Record<string, () => string>

/** Which of them stand in which document, by its path. */
export const DOCUMENTS: ReadonlyMap<string, readonly (keyof typeof REFERENCES)[]> = new Map([
  ['README.md', ['command-names', 'causeway-commands', 'exceptions', 'differences', 'settings', 'benchmark']],
  ['region-node/commands/COMMANDS.md', ['commands']],
])

/** Puts reference parts into a document. @throws RangeError when a marker is missing */
export function withReferences(document: string, names: readonly (keyof typeof REFERENCES)[]): string {
  let text = document
  for (const name of names) {
    const [before, rest, ...more] = text.split(`<!-- ${name} -->`)
    const [, after] = (rest ?? '').split(`<!-- /${name} -->`)
    if (more.length > 0 || after === undefined) throw new RangeError(`no markers for '${name}', or several`)
    text = `${before}<!-- ${name} -->\n${REFERENCES[name]()}\n<!-- /${name} -->${after}`
  }
  return text
}

function settingsReference(): string {
  const parts = Object.entries(SECTION_TITLES).map(([section, title]) => {
    const rows = [...SETTING_ROWS].filter(([, row]) => row.section === section)
    const lines = rows.map(([name, row]) => {
      const standard = row.help.endsWith('required.') ? '' : row.kind.format(row.default)
      const marks = [
        row.change === 'runtime' ? 'CONFIG SET' : '',
        row.scope === 'database' ? 'all regions alike' : '',
      ]
      const cells = [
        `\`${name}\``,
        row.kind.shape,
        code(standard),
        row.help,
        marks.filter(Boolean).join(', '),
      ]
      return `| ${cells.map(cell).join(' | ')} |`
    })
    return `**${title}**\n\n| setting | values | default | meaning | |\n|---|---|---|---|---|\n${lines.join('\n')}\n`
  })
  return `\n${parts.join('\n')}`
}

function namesReference(): string {
  const lines = Object.entries(GROUP_TITLES)
    .filter(([group]) => group !== 'causeway')
    .map(
      ([group, title]) =>
        `| ${title} | ${commandsOf(group)
          .map(({ name }) => name.toUpperCase())
          .join(' ')} |`,
    )
  return `\n| | |\n|---|---|\n${lines.join('\n')}\n`
}

/** One part for each group: how each command is written, and what it does. */
function commandsReference(): string {
  const parts = Object.entries(GROUP_TITLES)
    .filter(([group]) => group !== 'causeway')
    .map(([group, title]) => {
      const commands = commandsOf(group)
      const lines = commands
        .flatMap(withSubcommands)
        .map((row) => `| ${code(cell(usage(row)))} | ${row.since} | ${cell(row.summary)} |`)
      return `## ${title}\n\n| command | since | |\n|---|---|---|\n${lines.join('\n')}\n`
    })
  return `\n${parts.join('\n')}`
}

function causewayReference(): string {
  const lines = commandsOf('causeway')
    .flatMap(withSubcommands)
    .map((row) => `| ${code(cell(usage(row)))} | ${cell(row.summary)} |`)
  return `\n| | |\n|---|---|\n${lines.join('\n')}\n`
}

function exceptionsReference(): string {
  const lines = EXCEPTIONS.map(({ commands, reason }) => {
    const names = commands.map((name) => code(spoken(name))).join(' ')
    return `| ${names} | ${cell(reason)} |`
  })
  return `\n| | |\n|---|---|\n${lines.join('\n')}\n`
}

function differencesReference(): string {
  const lines = DIFFERENCES.map(({ name, reason }) => `| ${name} | ${cell(reason)} |`)
  return `\n| | |\n|---|---|\n${lines.join('\n')}\n`
}

function commandsOf(group: string): CommandDef[] {
  const commands = commandTable.commands.filter((command) => command.group === group)
  return commands.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function withSubcommands(command: CommandDef): readonly CommandDef[] {
  return [command, ...(command.subcommands ?? [])]
}

/** As it is typed: `CONFIG GET parameter [parameter ...]`. */
function usage({ name, syntax = '' }: CommandDef): string {
  return `${spoken(name)} ${plainSyntax(syntax)}`.trimEnd()
}

function spoken(name: string): string {
  return name.toUpperCase().replace('|', ' ')
}

function benchmarkReference(): string {
  const folder = join(PROJECT_ROOT, 'test/bench/results')
  const last = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .at(-1)!
  const results = JSON.parse(readFileSync(join(folder, last), 'utf8')) as Results
  return `\n${results.date}. ${figures(results, '###')}`
}

function code(text: string): string {
  return text === '' ? '' : `\`${text}\``
}

/** A pipe would end the cell. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
