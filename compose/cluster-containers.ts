/**
 * cluster-containers.ts: `npm run containers:cluster`: the play for the two regions of compose-cluster.yaml, which is up
 * already: each has three machines in three zones, and an etcd of three members.
 *
 * Places partitions where none are, loads data through Redis Cluster clients and through a node's proxy port, and while
 * clients write kills a machine with all it runs and a member of an etcd, and cuts the regions apart. The exit code is 0
 * when every claim held, 1 otherwise. CONTAINERS.md has the output of a run.
 *
 * Invariants: (1) every claim is computed from replies. (2) Every wait has a condition and a deadline. (3) However it
 * ends, what was stopped is started, and what was cut is mended.
 */
import { sell } from './acts/load-data.ts'
import {
  COPIES,
  type Company,
  checkBooks,
  cutApart,
  loseEtcdMember,
  loseZone,
  reckon,
} from './acts/placed.ts'
import { ClusterWriter } from './cluster/writer.ts'
import { findEngine } from './containers/engine.ts'
import { busiest, PlacedRegion } from './containers/placed-region.ts'
import { RegionClient } from './region.ts'
import { Stage } from './stage.ts'
import { sentenceOf } from './theatre.ts'

const PARTITIONS = 4
/** Writes of one writer that are on their way at a time. */
const LANES = 3

const stage = new Stage(process.stdout, process.stdout.isTTY && (process.env.NO_COLOR ?? '') === '')
const amends: (() => Promise<unknown>)[] = []
try {
  await Promise.race([play(), interrupted()])
} catch (error) {
  stage.failed(sentenceOf(error))
}
for (const outcome of await Promise.allSettled(amends.map((amend) => amend())))
  if (outcome.status === 'rejected') stage.failed(`not made good: ${sentenceOf(outcome.reason)}`)
// What is left waiting has nobody to tell.
process.exit(stage.failures === 0 ? 0 : 1)

async function play(): Promise<void> {
  stage.heading('Causeway: two regions of three machines each, every machine and etcd member in a container')
  const engine = await findEngine()
  const [a, b] = [new PlacedRegion(engine, 'A'), new PlacedRegion(engine, 'B')]
  await Promise.all([a.open(), b.open()])
  await place(a)
  await place(b)

  // Not at the machine that will be lost: a plain client knows of one address.
  const proxyA = await a.proxyAddress(busiest(await a.status()).container)
  const proxyB = await b.proxyAddress()
  const clients = [new RegionClient('A'), new RegionClient('B')]
  await clients[0]!.open(a.publishedAt(proxyA), a.password)
  await clients[1]!.open(b.publishedAt(proxyB), b.password)
  stage.act('Load data: in A through a client of Redis Cluster, in B through a proxy port')
  for (const client of clients) stage.command(client.name, ['FLUSHALL'], await client.run('FLUSHALL'))
  stage.say(`These two are plain clients, at the proxy ports of ${proxyA} and ${proxyB}.`)
  stage.say()
  const writers = writersOf(a, b, proxyA)
  const company: Company = { stage, engine, a, b, writers, amends }
  const clusterA = a.clusterClient({ sendsAgain: false, hasTimeout: false })
  await Promise.all([sell(stage, clusterA, 'A', 0), sell(stage, clients[1]!.client, 'B', 1)])
  clusterA.disconnect()
  await checkBooks(company, clients.length)

  await Promise.all(writers.map((writer) => writer.start()))
  stage.say()
  stage.say(
    'From now on clients write in both regions; an OK means that all replicas in sync have the write.',
  )
  await loseZone(company)
  await loseEtcdMember(company)
  await cutApart(company, clients)
  await reckon(company)
  stage.say()
  stage.check(stage.failures === 0, `${stage.checks - stage.failures} of ${stage.checks} claims held`)
}

async function place(region: PlacedRegion): Promise<void> {
  stage.act(`Place ${PARTITIONS} partitions, ${COPIES} copies of each, in region ${region.name}`)
  stage.say(`causeway cluster create --partitions ${PARTITIONS} --copies ${COPIES}`)
  stage.say()
  const printed = await region.place(PARTITIONS, COPIES)
  // The plan, and when it was carried out; between them are lines of progress.
  const lines = printed.split('\n').filter((line) => !/^ +\d|Ctrl-C/.test(line))
  if (printed === '') stage.say('It was done before.')
  else for (const line of lines) stage.say(line)
  const { partitions, machines = [] } = await region.settled(COPIES)
  const zoneOf = new Map(machines.map(({ name, zone }) => [name, zone]))
  stage.check(
    partitions.length === PARTITIONS &&
      partitions.every(
        ({ primary, replicas }) => new Set([primary!, ...replicas].map(({ zone }) => zone)).size === COPIES,
      ),
    `every partition has ${COPIES} copies in sync, in different ones of ${new Set(zoneOf.values()).size} zones`,
  )
}

/** One in each region by the protocol of Redis Cluster, and one in A that knows nothing of that. */
function writersOf(a: PlacedRegion, b: PlacedRegion, proxyA: string): ClusterWriter[] {
  const byCluster = (region: PlacedRegion) =>
    new ClusterWriter(
      region.name,
      (sendsAgain) => region.clusterClient({ sendsAgain, hasTimeout: true }),
      LANES,
    )
  return [byCluster(a), new ClusterWriter('A, proxy', () => a.plainClient(proxyA), LANES), byCluster(b)]
}

/** Never resolves: a signal ends the play with a sentence, so that what was stopped is started first. */
function interrupted(): Promise<never> {
  return new Promise((_, reject) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.on(name, () => reject(new Error(`ended by ${name}`)))
    }
  })
}
