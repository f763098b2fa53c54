/**
 * region.ts: `causeway region add | remove | promote | demote | list`: regions that join, leave, and change their
 * mode, said once to a region that runs.
 *
 * It is CRDT.REGION with a page of help around it. Each partition keeps its own list of regions, so it is said at the
 * primary of each (`region-visit.ts`). Nothing is decided here: what may not be, the node refuses, in a sentence
 * that says what to do instead. What is so already is left alone, so saying it again does what is missing.
 */
import { textToWord } from '../config/kinds.ts'
import type { CliHost } from './host.ts'
import { ACCESS_OPTIONS, accessOf, TLS_ADVICE, TLS_HELP } from './node-access.ts'
import { AskError } from './node-client.ts'
import { listText, type RegionRow } from './region-list.ts'
import { type Change, RegionVisit } from './region-visit.ts'
import { addressOf, type Grammar, type OptionKind, UsageError, Words } from './words.ts'

export const REGION_HELP = `causeway region: regions that join, leave and change their mode, while all of them run

  causeway region list                                       what a node knows of every region
  causeway region add NAME --id N --url WS_URL [--passive]   a region joins
  causeway region remove NAME                                a region leaves for good
  causeway region promote [--force]                          the node's region takes writes from now on
  causeway region demote                                     it takes none: it applies and serves reads

  --to HOST:PORT       a node of the region to say it to, at its port for clients (default 127.0.0.1:6379)
  --password WORD      its password; or set it as CAUSEWAY_REQUIREPASS in the environment
${TLS_HELP}  --dry-run            says what it would do, and does nothing

Any node of a region that has a coordinator will do: it names the primary of each partition, and there it is said.
Where it fails at one of them, mend that and say it again: what is done is left as it is.

To add region D to A, B and C:

  1. Start its node with an empty folder and every region as a peer. It waits, and takes no writes yet.
     causeway node --region D --region-id 4 --dir data-d --port 7104 --sync-port 7204 \\
       --peer A@ws://host-a:7201 --peer B@ws://host-b:7202 --peer C@ws://host-c:7203
  2. Say it once, at any of the other regions. They tell each other; none is restarted. Of a region of several
     nodes the address of one is enough: it names the others.
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

${TLS_ADVICE}`

const DEFAULT_ADDRESS = '127.0.0.1:6379'
const USAGE =
  "write 'region list', 'region add NAME ...', 'region remove NAME', 'region promote' or 'region demote': " +
  "see 'causeway region --help'"

interface Action {
  /** Whether the name of a region follows. */
  readonly takesName: boolean
  readonly options: Readonly<Record<string, OptionKind>>
  /** Undefined: it only shows. @throws UsageError */
  readonly change: ((words: Words) => Change) | undefined
}

const ACTIONS: Readonly<Record<string, Action>> = {
  list: { takesName: false, options: {}, change: undefined },
  add: { takesName: true, options: { id: 'one', url: 'one', passive: 'switch' }, change: addition },
  remove: {
    takesName: true,
    options: {},
    change: ({ names: [name] }) => ({
      words: ['REMOVE', textToWord(name!)],
      isDone: (rows) => rows.some((row) => row.name === name && row.status === 'left'),
      done: `Region '${name}' has left`,
      end: '',
    }),
  },
  promote: {
    takesName: false,
    options: { force: 'switch' },
    change: (words) => modeChange('active', words.has('force') ? ['PROMOTE', 'FORCE'] : ['PROMOTE']),
  },
  demote: { takesName: false, options: {}, change: () => modeChange('passive', ['DEMOTE']) },
}

function addition(words: Words): Change {
  const [name] = words.names
  const id = needed(words, 'id', 'its number, which no other region ever had')
  const url = needed(words, 'url', 'where the others reach its sync port: --url ws://HOST:PORT')
  const isPassive = words.has('passive')
  return {
    words: [...['ADD', name!, id, url].map(textToWord), ...(isPassive ? ['PASSIVE'] : [])],
    isDone: (rows) => rows.some((row) => row.name === name && row.id === id && row.status !== 'left'),
    done: `Region '${name}' joins`,
    end:
      ` It ${isPassive ? 'can be promoted' : 'takes writes'} when it has a snapshot and all regions count with it: ` +
      "'causeway region list' shows how far it is.",
  }
}

function modeChange(mode: string, words: readonly string[]): Change {
  const isOwn = ({ status }: RegionRow): boolean => status === 'self'
  return {
    words,
    isDone: (rows) => rows.some((row) => isOwn(row) && row.mode === mode),
    done: `The region is ${mode}`,
    end: '',
  }
}

/** @returns the exit code */
export async function runRegion(argv: readonly string[], host: CliHost): Promise<number> {
  const [name = '', ...rest] = argv
  if (name === '') {
    host.complain(REGION_HELP)
    return 1
  }
  try {
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name]! : undefined
    if (action === undefined) throw new UsageError(USAGE)
    const words = new Words(rest, grammarOf(name, action))
    if (words.names.length !== (action.takesName ? 1 : 0)) throw new UsageError(USAGE)
    const change = action.change?.(words)
    const to = addressOf(words.get('to') ?? DEFAULT_ADDRESS, 'to')
    const visit = await RegionVisit.at(to, accessOf(words, host), host)
    return change === undefined
      ? await visit.show(listText)
      : await visit.change(change, words.has('dry-run'))
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof AskError)) throw error
    host.complain(`causeway: ${error.message}\n`)
    return 1
  }
}

function grammarOf(name: string, { options, change }: Action): Grammar {
  const more = change === undefined ? {} : ({ 'dry-run': 'switch' } as const)
  return {
    command: `region ${name}`,
    help: 'causeway region --help',
    options: { ...options, ...more, ...ACCESS_OPTIONS, to: 'one' },
  }
}

function needed(words: Words, option: string, what: string): string {
  const value = words.get(option)
  if (value === undefined) throw new UsageError(`'region add' needs --${option}: ${what}`)
  return value
}
