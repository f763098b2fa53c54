/**
 * reference.ts: the parts of README.md that are made from tables in the code, the settings and the
 * commands, and from the results of the last benchmark. tidy.test.ts holds the document to them; `npm run reference` writes them.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandGroup } from '../../region-node/commands/command.ts'
import { commandTable } from '../../region-node/commands/families.ts'
import { SETTING_ROWS, type Section } from '../../region-node/config/table.ts'
import { figures, type Results } from '../bench/report.ts'
import { PROJECT_ROOT } from '../harness/project-root.ts'

const SECTION_TITLES: Readonly<Record<Section, string>> = {
  identity: 'Identity and data',
  network: 'Clients and ports',
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
export const REFERENCES: ReadonlyMap<string, () => string> = new Map([
  ['settings', settingsReference],
  ['commands', commandsReference],
  ['causeway-commands', causewayReference],
  ['benchmark', benchmarkReference],
])

/** Puts the reference parts into a document. @throws RangeError when a marker is missing */
export function withReferences(document: string): string {
  let text = document
  for (const [name, make] of REFERENCES) {
    const [before, rest, ...more] = text.split(`<!-- ${name} -->`)
    const [, after] = (rest ?? '').split(`<!-- /${name} -->`)
    if (more.length > 0 || after === undefined) throw new RangeError(`no markers for '${name}', or several`)
    text = `${before}<!-- ${name} -->\n${make()}\n<!-- /${name} -->${after}`
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

function commandsReference(): string {
  const lines = Object.entries(GROUP_TITLES)
    .filter(([group]) => group !== 'causeway')
    .map(([group, title]) => {
      const names = commandTable.commands.filter((command) => command.group === group).map(describe)
      return `| ${title} | ${names.sort().join(' ')} |`
    })
  return `\n| | |\n|---|---|\n${lines.join('\n')}\n`
}

function describe({ name, subcommands }: (typeof commandTable.commands)[number]): string {
  const parts = subcommands?.map((sub) => sub.name.slice(sub.name.indexOf('|') + 1).toUpperCase())
  const within = parts === undefined ? '' : ` (${parts.sort().join(', ')})`
  return `${name.toUpperCase().replaceAll(' ', '')}${within}`
}

function causewayReference(): string {
  const lines = commandTable.commands
    .filter(({ group }) => group === 'causeway')
    .map(({ name, summary }) => `| \`${name.toUpperCase()}\` | ${cell(summary)} |`)
  return `\n| | |\n|---|---|\n${lines.join('\n')}\n`
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
