/**
 * containers.ts: `npm run containers`: the play for the three regions of compose.yaml, which is up already.
 *
 * Writes in all three, cuts region C off by command and then by taking its container off the network
 * between the regions, writes on both sides meanwhile, mends, and compares. The exit code is 0 when every
 * claim held, 1 otherwise. CONTAINERS.md has the output of a run.
 *
 * Invariants: (1) every claim is computed from replies of the regions and of Prometheus. (2) Every wait has
 * a condition and a deadline. (3) However it ends, what was cut is mended.
 */
import { cutOff, type Witness } from './acts/cut-off.ts'
import { writeAnywhere } from './acts/write-anywhere.ts'
import { byCommand, byNetwork, type Cut } from './containers/cut.ts'
import { type ContainerEngine, findEngine } from './containers/engine.ts'
import { Prometheus } from './containers/prometheus.ts'
import { until } from './containers/until.ts'
import { awaitAgreement, RegionClient } from './region.ts'
import { Stage } from './stage.ts'

const NAMES = ['A', 'B', 'C']
/** Each region has one to each other, in each direction of the data. */
const LINKS = NAMES.length * (NAMES.length - 1)
/** Those between A and B. */
const LINKS_WITHOUT_C = 2
const NETWORK = 'causeway-wan'
const PROMETHEUS = 'causeway-prometheus'
/** Ports inside the containers. */
const CLIENT_PORT = 6379
const ADMIN_PORT = 8379
const PROMETHEUS_PORT = 9090

/** A container may just have been started, and may have a log to read. */
const READY_MS_MAX = 60_000
/** A node takes 10 s of silence for a broken link, and may wait 5 s to dial again; a scrape comes each second. */
const SEEN_MS_MAX = 30_000

const stage = new Stage(process.stdout, process.stdout.isTTY && (process.env.NO_COLOR ?? '') === '')
/** Those that are made on the way, to be mended however it ends. */
const cuts: Cut[] = []
try {
  await Promise.race([play(), interrupted()])
} catch (error) {
  stage.failed(sentenceOf(error))
}
for (const { reason } of (await Promise.allSettled(cuts.map((cut) => cut.mend()))).filter(isRejected)) {
  stage.failed(`a cut was not mended: ${sentenceOf(reason)}`)
}
// What is left waiting has nobody to tell.
process.exit(stage.failures === 0 ? 0 : 1)

async function play(): Promise<void> {
  stage.heading('Causeway: one database, three regions, each in a container')
  const engine = await findEngine()
  const regions = await Promise.all(NAMES.map((name) => openRegion(engine, name)))
  const [a, , c] = regions as [RegionClient, RegionClient, RegionClient]
  const prometheus = new Prometheus(await engine.publishedPort(PROMETHEUS, PROMETHEUS_PORT))
  const command = byCommand(c)
  const network = byNetwork(engine, NETWORK, containerOf(c.name))
  cuts.push(command, network)
  const witness = watchedBy(prometheus)

  await showPlaces(engine)
  await claimWithin('Prometheus collects from all three regions', () =>
    holds(prometheus, 'sum(up)', NAMES.length),
  )
  await witness(false)
  stage.say()
  await Promise.all(regions.map((region) => region.takesWrites()))
  stage.command(a.name, ['FLUSHALL'], await a.run('FLUSHALL'))
  await awaitAgreement(regions)

  await writeAnywhere(stage, regions)
  stage.act('Cut region C off by command, write on both sides, mend')
  await cutOff(stage, regions, command, witness)
  stage.act("Take C's container off the network, write on both sides, mend")
  await cutOff(stage, regions, network, witness)
  stage.say()
  stage.check(stage.failures === 0, `${stage.checks - stage.failures} of ${stage.checks} claims held`)
}

function isRejected(outcome: PromiseSettledResult<unknown>): outcome is PromiseRejectedResult {
  return outcome.status === 'rejected'
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function containerOf(region: string): string {
  return `causeway-${region.toLowerCase()}`
}

/** Waits until the region is ready. @throws Error when its container is not there or not ready in time */
async function openRegion(engine: ContainerEngine, name: string): Promise<RegionClient> {
  const container = containerOf(name)
  const adminPort = await engine.publishedPort(container, ADMIN_PORT)
  const isReady = async () => (await fetch(`http://127.0.0.1:${adminPort}/ready`)).ok
  if ((await until(isReady, READY_MS_MAX)) === undefined) {
    throw new Error(
      `region ${name} is not ready after ${READY_MS_MAX / 1000} s: ${engine.name} logs ${container}`,
    )
  }
  const region = new RegionClient(name)
  const password = await engine.variable(container, 'CAUSEWAY_REQUIREPASS')
  await region.open(await engine.publishedPort(container, CLIENT_PORT), password)
  return region
}

async function showPlaces(engine: ContainerEngine): Promise<void> {
  const rows = NAMES.map(async (name) => {
    const container = containerOf(name)
    const port = await engine.publishedPort(container, CLIENT_PORT)
    const adminPort = await engine.publishedPort(container, ADMIN_PORT)
    return [name, container, `127.0.0.1:${port}`, `127.0.0.1:${adminPort}`]
  })
  stage.table(['region', 'container', 'Redis clients', 'admin'], await Promise.all(rows))
}

/** What Prometheus has collected from the regions says how many links carry data. */
function watchedBy(prometheus: Prometheus): Witness {
  return (isCut) => {
    const links = isCut ? LINKS_WITHOUT_C : LINKS
    const isSeen = () => holds(prometheus, 'sum(causeway_peer_state{state="streaming"})', links)
    return claimWithin(`Prometheus shows ${links} of ${LINKS} links streaming`, isSeen)
  }
}

async function holds(prometheus: Prometheus, query: string, value: number): Promise<boolean> {
  return (await prometheus.number(query)) === value
}

async function claimWithin(claim: string, isSo: () => Promise<boolean>): Promise<void> {
  const tookMs = await until(isSo, SEEN_MS_MAX)
  stage.check(
    tookMs !== undefined,
    tookMs === undefined ? claim : `${claim} (seen after ${(tookMs / 1000).toFixed(1)} s)`,
  )
}

/** Never resolves: a signal ends the play with a sentence, so that what was cut is mended first. */
function interrupted(): Promise<never> {
  return new Promise((_, reject) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.on(name, () => reject(new Error(`ended by ${name}`)))
    }
  })
}
