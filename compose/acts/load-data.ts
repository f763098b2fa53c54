/**
 * load-data.ts: a shop's data goes into two regions at once, through clients of Redis Cluster: customers and orders,
 * a ranking, sets by city, a counter of money. What must be there in the end is computed beside it.
 */
import type { Redis, Cluster as RedisCluster } from 'ioredis'
import type { Cluster } from '../cluster/cluster.ts'
import { connectCluster } from '../cluster/writer.ts'
import type { Stage } from '../stage.ts'

const CUSTOMERS = 2000
const ORDERS_EACH = 4
const CITIES = ['Berlin', 'Lisbon', 'Oslo', 'Turin', 'Vilnius']
/** Customers on their way at a time. */
const BATCH = 100
/** Sentences about progress, for each region. */
const REPORTS = 4

/** Figures that every node must show. */
export interface Books {
  readonly keys: number
  readonly cents: number
  readonly inCity: number
}

export async function loadData(stage: Stage, cluster: Cluster): Promise<void> {
  stage.act('Load data in both regions, through ioredis Cluster')
  const { regions } = cluster
  const start = performance.now()
  await Promise.all(regions.map((region, at) => loadRegion(stage, cluster, region, at)))
  const loadMs = performance.now() - start
  const commands = regions.length * CUSTOMERS * (3 + 2 * ORDERS_EACH)
  stage.say(
    `${count(commands)} commands in ${(loadMs / 1000).toFixed(1)} s: ` +
      `${count(Math.round((1000 * commands) / loadMs))} a second, both regions together.`,
  )
  const digests = await cluster.agree()
  const expected = booksOf(regions.length)
  const seen = await Promise.all(cluster.nodes.map((node) => booksAt(node.ask.bind(node))))
  stage.table(
    ['read at', 'keys', 'revenue, cents', `customers in ${CITIES[0]}`],
    cluster.nodes.map(({ name }, at) => [
      name,
      count(seen[at]!.keys),
      count(seen[at]!.cents),
      count(seen[at]!.inCity),
    ]),
  )
  stage.check(
    seen.every((books) => JSON.stringify(books) === JSON.stringify(expected)),
    `all ${cluster.nodes.length} nodes show what was loaded in both regions`,
  )
  stage.check(new Set(digests.values()).size === 1, 'their digests are equal')
}

async function loadRegion(stage: Stage, cluster: Cluster, region: string, at: number): Promise<void> {
  const seeds = cluster.nodesOf(region).map(({ plan }) => ({ host: plan.bind, port: plan.port }))
  // Nothing fails here, and what is counted must not be sent twice because a busy machine took its time.
  const client = connectCluster(seeds, { sendsAgain: false, hasTimeout: false })
  await sell(stage, client, region, at)
  client.disconnect()
}

/** The data of a region goes through its client. @param at  of the region: each has its own customers */
export async function sell(
  stage: Stage,
  client: RedisCluster | Redis,
  region: string,
  at: number,
): Promise<void> {
  for (let first = 0; first < CUSTOMERS; first += BATCH) {
    const ids = Array.from({ length: BATCH }, (_, next) => at * CUSTOMERS + first + next)
    await Promise.all(ids.flatMap((id) => customer(client, id)))
    const done = first + BATCH
    if (done % (CUSTOMERS / REPORTS) === 0)
      stage.say(`${region}: ${count(done)} of ${count(CUSTOMERS)} customers`)
  }
}

function customer(client: RedisCluster | Redis, id: number): Promise<unknown>[] {
  const city = CITIES[id % CITIES.length]!
  const orders = Array.from({ length: ORDERS_EACH }, (_, at) => ({ number: id * ORDERS_EACH + at }))
  return [
    client.hset(`customer:${id}`, { name: `customer ${id}`, city, since: String(2000 + (id % 25)) }),
    client.sadd(`city:${city}`, String(id)),
    client.zadd('ranking', id % 1000, String(id)),
    ...orders.flatMap(({ number }) => [
      client.hset(`order:${number}`, { customer: String(id), cents: String(centsOf(number)) }),
      client.incrby('revenue', centsOf(number)),
    ]),
  ]
}

function centsOf(order: number): number {
  return 100 + (order % 900)
}

/** What must be there when that many regions have sold. */
export function booksOf(regions: number): Books {
  const customers = regions * CUSTOMERS
  const orders = customers * ORDERS_EACH
  let cents = 0
  for (let order = 0; order < orders; order++) cents += centsOf(order)
  // Hashes, a set for each city, the ranking and the revenue.
  return { keys: customers + orders + CITIES.length + 2, cents, inCity: customers / CITIES.length }
}

type Ask = (...words: [string, ...string[]]) => Promise<unknown>

/** @param size  how many keys there are, where nobody who is asked has all of them */
export async function booksAt(ask: Ask, size: () => Promise<unknown> = () => ask('DBSIZE')): Promise<Books> {
  return {
    keys: Number(await size()),
    cents: Number(await ask('GET', 'revenue')),
    inCity: Number(await ask('SCARD', `city:${CITIES[0]}`)),
  }
}

function count(number: number): string {
  return number.toLocaleString('en-US')
}
