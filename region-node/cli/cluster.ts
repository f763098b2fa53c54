/**
 * cluster.ts: `causeway cluster`: the nodes of one region, as its coordinator knows them: who is primary, what they are
 * told.
 *
 * The coordinator is asked and not a node: it answers also when no node does.
 */
import { closest, distance } from 'fastest-levenshtein'
import { runConfig } from './cluster-config.ts'
import { drain, failover } from './cluster-move.ts'
import { addNode, create, drainMachine, move, rebalanceAll } from './cluster-placement.ts'
import { reportJson, reportOf, reportText } from './cluster-report.ts'
import type { CliHost } from './host.ts'
import { ACCESS_OPTIONS, accessOf, TLS_ADVICE, TLS_HELP } from './node-access.ts'
import { AskError } from './node-client.ts'
import { NotDoneError } from './not-done.ts'
import { DOCUMENT_OPTIONS, RegionDocuments, UnreadableError } from './region-documents.ts'
import { addressOf, type Grammar, type OptionKind, UsageError, Words } from './words.ts'

export const CLUSTER_HELP = `causeway cluster: the nodes of one region: who is primary, where copies are, and their settings

  causeway cluster status                        partitions, primaries, replicas, machines, and what is wrong
  causeway cluster failover --to HOST:PORT       that replica becomes primary of its partition
  causeway cluster drain --node HOST:PORT        that node gives up what it is primary of
  causeway cluster config get [NAME]             the settings that all nodes have from one place
  causeway cluster config set NAME=VALUE ...     sets them on all nodes, at once and whenever one starts
  causeway cluster config unset NAME ...         leaves them to each node again

Where machines run the nodes ('causeway machine --help'):

  causeway cluster create --partitions N --copies C   spreads partitions over the machines that are there
  causeway cluster add-node --machine NAME            that machine takes copies from now on
  causeway cluster rebalance                          makes copies and primaries even, with few moves
  causeway cluster move --partition P --from NAME --to NAME   one copy moves
  causeway cluster drain --machine NAME               all copies leave that machine, and it takes none

Where the nodes of the region agree, the same for all:

  --coordinator ADDRESS    what the nodes are given: http://HOST:PORT of an etcd, or file:FOLDER
  --region NAME            the region
  --database NAME          the database (default causeway)
  --coordinator-user NAME, --coordinator-password WORD   where the etcd asks for them

What the environment gives to nodes counts here too: CAUSEWAY_COORDINATOR, CAUSEWAY_REGION and so on.

  --json                   status, config get: as JSON
  --dry-run                all but status say what they would do, and do nothing
  --node ID                failover: the id of the node, where --to is not the address it gives for itself
  --password WORD          failover, drain --node: of the nodes; or set it as CAUSEWAY_REQUIREPASS
  --tls, --cacert FILE, --cert FILE, --key FILE, --insecure   failover, drain --node: see below
  --machines A,B,C         create: only these (default all that are registered)
  --rebuild-after TIME     create: a machine that is away for so long is replaced (default 10min; 90s, 2h)

To look:

  causeway cluster status --coordinator http://10.0.1.9:2379 --region berlin

To begin with three machines, one in each zone. The number of partitions (1, 2, 4 ... 1024) stays for ever, so
leave room: it bounds the number of machines that can share the work. Each copy is a process of its own.

  causeway cluster create --partitions 16 --copies 2 --dry-run
  causeway cluster create --partitions 16 --copies 2

To grow: start another machine, let it take copies, look at the plan, and carry it out. Clients go on
meanwhile: a copy is built beside the old one, and the old one goes when it is not needed any more.

  causeway cluster add-node --machine berlin-4
  causeway cluster rebalance --dry-run
  causeway cluster rebalance

To take a machine away for good: empty it first. What a machine that is lost held is built elsewhere by itself.

  causeway cluster drain --machine berlin-2

To stop the machine of a primary for maintenance: hand over first. Clients wait for some milliseconds,
and no write is lost.

  causeway cluster drain --node 10.0.1.1:6379 --coordinator http://10.0.1.9:2379 --region berlin

Where nodes speak TLS (failover and drain --node are said to nodes, all else to the coordinator):

${TLS_HELP}
${TLS_ADVICE}
To change a setting on all nodes, those to come included:

  causeway cluster config set maxmemory=8gb maxmemory-policy=volatile-lru

Only what CONFIG SET can change at run time is taken, and neither secrets nor what is a node's own (ports, folders,
addresses, its zone): give these to each node. While a setting is here, CONFIG SET of it is refused.

Ctrl-C ends the report of a move and not the move. Said again, a change goes on where it is.

Exit code: 0 all is well, or done; 1 there are warnings, or it was not done; 2 the coordinator could not be read,
or the words are wrong.
`

const EXIT_WARNINGS = 1
const EXIT_UNREADABLE = 2

interface Action {
  /** Words that are no options. */
  readonly takesNames?: true
  readonly options: Readonly<Record<string, OptionKind>>
  /** @returns the exit code */
  run(words: Words, documents: RegionDocuments, host: CliHost): Promise<number>
}

const MOVE_OPTIONS = { ...ACCESS_OPTIONS, 'dry-run': 'switch' } as const

const DRY = { 'dry-run': 'switch' } as const

const ACTIONS: Readonly<Record<string, Action>> = {
  status: { options: { json: 'switch' }, run: status },
  config: {
    takesNames: true,
    options: { json: 'switch', 'dry-run': 'switch' },
    run: runConfig,
  },
  create: {
    options: { ...DRY, partitions: 'one', copies: 'one', machines: 'one', 'rebuild-after': 'one' },
    run: create,
  },
  'add-node': { options: { ...DRY, machine: 'one' }, run: addNode },
  rebalance: { options: DRY, run: rebalanceAll },
  move: { options: { ...DRY, partition: 'one', from: 'one', to: 'one' }, run: move },
  failover: {
    options: { ...MOVE_OPTIONS, to: 'one', node: 'one' },
    async run(words, documents, host) {
      const to = words.get('to')
      if (to === undefined) throw new UsageError('--to is missing: HOST:PORT of the replica that takes over')
      await failover(moveContext(words, documents, host), addressOf(to, 'to'), words.get('node'))
      return 0
    },
  },
  drain: {
    options: { ...MOVE_OPTIONS, node: 'one', machine: 'one' },
    async run(words, documents, host) {
      const node = words.get('node')
      if (words.has('machine') && node === undefined) return await drainMachine(words, documents, host)
      if (node === undefined || words.has('machine')) {
        throw new UsageError(
          'say either --node HOST:PORT, of the node to be stopped, or --machine NAME, of the machine to be emptied',
        )
      }
      await drain(moveContext(words, documents, host), addressOf(node, 'node'))
      return 0
    },
  },
}

/** @returns the exit code */
export async function runCluster(argv: readonly string[], host: CliHost): Promise<number> {
  const [name = '', ...rest] = argv
  if (name === '') {
    host.complain(CLUSTER_HELP)
    return EXIT_UNREADABLE
  }
  let documents: RegionDocuments | undefined
  try {
    const action = actionOf(name)
    const words = new Words(rest, grammarOf(name, action))
    const [stray] = words.names
    if (stray !== undefined && action.takesNames !== true)
      throw new UsageError(`unexpected word '${stray}': see 'causeway cluster --help'`)
    documents = new RegionDocuments(words, host)
    return await action.run(words, documents, host)
  } catch (error) {
    const isKnown = [UsageError, UnreadableError, NotDoneError, AskError].some(
      (kind) => error instanceof kind,
    )
    if (!isKnown) throw error
    host.complain(`causeway: ${(error as Error).message}\n`)
    return error instanceof NotDoneError || error instanceof AskError ? EXIT_WARNINGS : EXIT_UNREADABLE
  } finally {
    documents?.close()
  }
}

async function status(words: Words, documents: RegionDocuments, host: CliHost): Promise<number> {
  const { database, region } = documents
  const report = reportOf(await documents.view())
  const text = words.has('json')
    ? reportJson({ database, region }, report)
    : reportText(`database ${database}, region ${region}`, report)
  host.print(text)
  return report.warnings.length === 0 ? 0 : EXIT_WARNINGS
}

function moveContext(words: Words, documents: RegionDocuments, host: CliHost) {
  return { host, documents, access: accessOf(words, host), isDryRun: words.has('dry-run') }
}

function actionOf(name: string): Action {
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined
  if (action !== undefined) return action
  const nearest = closest(name, Object.keys(ACTIONS))
  const advice = distance(name, nearest) <= 2 ? `did you mean '${nearest}'?` : "see 'causeway cluster --help'"
  throw new UsageError(`unknown action 'cluster ${name}': ${advice}`)
}

function grammarOf(name: string, { options }: Action): Grammar {
  return {
    command: `cluster ${name}`,
    help: 'causeway cluster --help',
    options: { ...DOCUMENT_OPTIONS, ...options },
  }
}
