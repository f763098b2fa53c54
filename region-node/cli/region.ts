/**
 * region.ts: `causeway region add | remove | promote | demote | list`: regions that join, leave, and change their
 * mode, said to a running node.
 *
 * It is CRDT.REGION with a page of help around it. Nothing is decided here: what may not be, the node
 * refuses, in a sentence that says what to do instead.
 */
import { closest, distance } from 'fastest-levenshtein'
import { textToWord, wordToText } from '../config/kinds.ts'
import { duration } from '../regions.ts'
import { type Reply, RespError } from '../resp/parse-reply.ts'
import type { CliHost } from './host.ts'
import { AskError, type NodeAddress } from './node-client.ts'

export const REGION_HELP = `causeway region: regions that join, leave and change their mode, while all of them run

  causeway region list                                       what a node knows of every region
  causeway region add NAME --id N --url WS_URL [--passive]   a region joins
  causeway region remove NAME                                a region leaves for good
  causeway region promote [--force]                          the node's region takes writes from now on
  causeway region demote                                     it takes none: it applies and serves reads

  --to HOST:PORT       the node to say it to, at its port for clients (default 127.0.0.1:6379)
  --password WORD      its password; or set it as CAUSEWAY_REQUIREPASS in the environment

To add region D to A, B and C:

  1. Start its node with an empty folder and every region as a peer. It waits, and takes no writes yet.
     causeway node --region D --region-id 4 --dir data-d --port 7104 --sync-port 7204 \\
       --peer A@ws://host-a:7201 --peer B@ws://host-b:7202 --peer C@ws://host-c:7203
  2. Say it once, at any of the other regions. They tell each other; none is restarted.
     causeway region add D --id 4 --url ws://host-d:7204 --to host-a:7101
  3. D gets a snapshot, and takes writes when all regions count with it. The list shows how far it is.
     causeway region list --to host-d:7104

To remove it, say so at another region, wait until the others have what it wrote, and stop its node:

  causeway region remove D --to host-a:7101

Neither the id nor the name of a region is ever given to another one.

To move the writes from A to a passive region D:

  causeway region demote --to host-a:7101
  causeway region promote --to host-d:7104

The second one is refused until D has all that the others have. When A is gone, nobody knows what it had:
then say promote --force. What is still in A's folder comes to D when A is started again.
`

const DEFAULT_ADDRESS = '127.0.0.1:6379'
const DEFAULT_PORT = '6379'
const OPTIONS = ['id', 'url', 'passive', 'force', 'to', 'password'] as const
type Option = (typeof OPTIONS)[number]
/** Those that are said or not, without a value. */
const SWITCHES: ReadonlySet<Option> = new Set(['passive', 'force'])
const OF_EVERY_ACTION: readonly Option[] = ['to', 'password']
const OF_ACTION: Readonly<Record<string, readonly Option[]>> = {
  add: ['id', 'url', 'passive'],
  promote: ['force'],
}

/** What is wrong with the words of the command line, for people. */
class UsageError extends Error {}

interface Request {
  readonly address: NodeAddress
  readonly password: string | undefined
  readonly command: readonly string[]
  readonly show: (reply: Reply) => string
}

/** @returns the exit code */
export async function runRegion(argv: readonly string[], host: CliHost): Promise<number> {
  if (argv.length === 0) {
    host.complain(REGION_HELP)
    return 1
  }
  try {
    const { address, password, command, show } = requestOf(argv, host)
    const login = password === undefined ? [] : [['AUTH', password]]
    const replies = await host.askNode(address, [...login, command])
    const refused = replies.find((reply) => reply instanceof RespError)
    if (refused !== undefined) throw new AskError(refusalOf(refused.line, host))
    host.print(show(replies.at(-1)!))
    return 0
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof AskError)) throw error
    host.complain(`causeway: ${error.message}\n`)
    return 1
  }
}

/** The node's own sentence, and what to do where that cannot be in it. */
function refusalOf(line: string, { environment }: CliHost): string {
  const sentence = wordToText(line.slice(line.indexOf(' ') + 1))
  if (line.startsWith("READONLY You can't write")) return `${sentence} Say it at the primary of the region`
  if (line.startsWith('NOAUTH')) return `${sentence} Give the node's password with --password`
  if (!line.startsWith('WRONGPASS')) return sentence
  const source = environment.CAUSEWAY_REQUIREPASS === undefined ? '' : ', or CAUSEWAY_REQUIREPASS'
  return `the password is wrong: correct --password${source}`
}

function requestOf(argv: readonly string[], { environment }: CliHost): Request {
  const { names, options } = readWords(argv)
  const [action, name, ...more] = names
  const password = options.get('password') ?? environment.CAUSEWAY_REQUIREPASS
  const common = {
    address: addressOf(options.get('to') ?? DEFAULT_ADDRESS),
    password: password === undefined ? undefined : textToWord(password),
  }
  const allowed = [...(OF_ACTION[action ?? ''] ?? []), ...OF_EVERY_ACTION]
  const stray = [...options.keys()].find((option) => !allowed.includes(option))
  if (stray !== undefined) throw new UsageError(`'region ${action}' takes no --${stray}`)
  const showReply = (reply: Reply): string => `${String(reply)}\n`
  if (name === undefined) {
    if (action === 'list') return { ...common, command: ['CRDT.REGION', 'LIST'], show: tableOf }
    if (action === 'demote') return { ...common, command: ['CRDT.REGION', 'DEMOTE'], show: showReply }
    if (action === 'promote') {
      const force = options.has('force') ? ['FORCE'] : []
      return { ...common, command: ['CRDT.REGION', 'PROMOTE', ...force], show: showReply }
    }
  }
  if ((action !== 'add' && action !== 'remove') || name === undefined || more.length > 0) {
    throw new UsageError(
      "write 'region list', 'region add NAME ...', 'region remove NAME', 'region promote' or 'region demote': " +
        "see 'causeway region --help'",
    )
  }
  if (action === 'remove') {
    const command = ['CRDT.REGION', 'REMOVE', textToWord(name)]
    return { ...common, command, show: showReply }
  }
  const id = needed(options, 'id', 'its number, which no other region ever had')
  const url = needed(options, 'url', 'where the others reach its sync port: --url ws://HOST:PORT')
  const isPassive = options.has('passive')
  const passive = isPassive ? ['PASSIVE'] : []
  const command = ['CRDT.REGION', 'ADD', textToWord(name), textToWord(id), textToWord(url), ...passive]
  const show = (): string =>
    `Region '${name}' joins. It ${isPassive ? 'can be promoted' : 'takes writes'} when it has a snapshot and all ` +
    "regions count with it: 'causeway region list' shows how far it is.\n"
  return { ...common, command, show }
}

function needed(options: ReadonlyMap<Option, string>, option: Option, what: string): string {
  const value = options.get(option)
  if (value === undefined) throw new UsageError(`'region add' needs --${option}: ${what}`)
  return value
}

/** `--name value`, `--name=value` and switches; everything else is a name. */
function readWords(argv: readonly string[]): { names: string[]; options: Map<Option, string> } {
  const names: string[] = []
  const options = new Map<Option, string>()
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!
    if (!word.startsWith('--')) {
      names.push(word)
      continue
    }
    const equals = word.indexOf('=')
    const option = known(word.slice(2, equals < 0 ? undefined : equals))
    if (options.has(option)) throw new UsageError(`--${option} is given twice`)
    if (SWITCHES.has(option)) {
      if (equals >= 0) throw new UsageError(`--${option} takes no value`)
      options.set(option, '')
      continue
    }
    const value = equals < 0 ? argv[++at] : word.slice(equals + 1)
    if (value === undefined || value === '') throw new UsageError(`--${option} needs a value`)
    options.set(option, value)
  }
  return { names, options }
}

function known(name: string): Option {
  const option = OPTIONS.find((one) => one === name)
  if (option !== undefined) return option
  const nearest = closest(name, [...OPTIONS])
  const advice =
    distance(name, nearest) <= 2 ? `did you mean '--${nearest}'?` : "see 'causeway region --help'"
  throw new UsageError(`unknown option '--${name}': ${advice}`)
}

function addressOf(text: string): NodeAddress {
  const url = URL.canParse(`tcp://${text}`) ? new URL(`tcp://${text}`) : undefined
  if (url === undefined || url.hostname === '' || url.host !== text)
    throw new UsageError(`'${text}' is no address of a node: write --to HOST:PORT`)
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return { host, port: Number(url.port || DEFAULT_PORT) }
}

const COLUMNS = [
  'name',
  'id',
  'status',
  'epoch',
  'mode',
  'heard',
  'lag',
  'behind',
  'takes writes',
  'url',
] as const

/** The reply to CRDT.REGION LIST as a table for people. */
function tableOf(reply: Reply): string {
  const rows = [COLUMNS as readonly string[], ...(reply as Reply[][]).map((pairs) => rowOf(fieldsOf(pairs)))]
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map(
      (row) =>
        `${row
          .map((text, i) => text.padEnd(widths[i]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

function fieldsOf(pairs: readonly Reply[]): Map<Reply, Reply> {
  const fields = new Map<Reply, Reply>()
  for (let i = 0; i + 1 < pairs.length; i += 2) fields.set(pairs[i]!, pairs[i + 1]!)
  return fields
}

function rowOf(fields: ReadonlyMap<Reply, Reply>): string[] {
  const shown = (field: string): string => {
    const value = fields.get(field)
    return value === null || value === undefined || value === '' ? '-' : wordToText(String(value))
  }
  const heard = fields.get('heard-ms-ago')
  const lagOps = fields.get('lag-ops')
  const behindOps = fields.get('behind-ops')
  return [
    shown('name'),
    shown('id'),
    shown('status'),
    shown('epoch'),
    shown('mode'),
    typeof heard === 'number' ? `${duration(heard)} ago` : '-',
    typeof lagOps === 'number' ? `${lagOps} ops, ${shown('lag-ms')} ms` : '-',
    typeof behindOps === 'number' ? `${behindOps} ops` : '-',
    takesWrites(shown('mode'), shown('lacking')),
    shown('url'),
  ]
}

function takesWrites(mode: string, lacking: string): string {
  return mode === 'passive' ? 'no' : ({ yes: 'not yet', no: 'yes' }[lacking] ?? '-')
}
