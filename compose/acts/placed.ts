/**
 * placed.ts: what happens to regions whose partitions are placed by the system, each machine in a container, while
 * clients write in both: a zone is lost, a member of an etcd is, the regions are cut apart; and what is there in the end.
 *
 * Invariant: whatever was stopped or cut is given to `amends`, so that however the play ends it can be made good.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { ClusterWriter } from '../cluster/writer.ts'
import { Cut } from '../containers/cut.ts'
import type { ContainerEngine } from '../containers/engine.ts'
import { busiest, type CopySet, type PlacedRegion, type Status } from '../containers/placed-region.ts'
import { until } from '../containers/until.ts'
import type { RegionClient } from '../region.ts'
import type { Stage } from '../stage.ts'
import { booksAt, booksOf } from './load-data.ts'
import { allEqual, showViews, type View } from './views.ts'

/** Of each partition. */
export const COPIES = 2
/** What is promised of the time until another primary answers. */
const LOSS_MS_MAX = 5000
/** Nobody has to wait for what happens elsewhere; but all containers share one machine. */
const BRIEF_MS_MAX = 2000
/** Writes before each fault, so that there is something to lose. */
const LOAD_MS = 2000
const AGREE_MS_MAX = 120_000
/** A redial may be seconds away. */
const NOTICED_MS_MAX = 60_000
const ETCD_MS_MAX = 60_000
const STOP_MS_MAX = 60_000
/** Characters of a digest that are shown. */
const DIGEST_SHOWN = 16

export interface Company {
  readonly stage: Stage
  readonly engine: ContainerEngine
  readonly a: PlacedRegion
  readonly b: PlacedRegion
  /** They write all the time. */
  readonly writers: readonly ClusterWriter[]
  /** What has to be done however this ends. */
  readonly amends: (() => Promise<unknown>)[]
}

export async function loseZone({ stage, engine, a, writers, amends }: Company): Promise<void> {
  const before = await a.settled(COPIES)
  const { container, primaries } = busiest(before)
  const zone = before.machines?.find(({ name }) => `causeway-${name}` === container)?.zone
  stage.act(`Lose ${zone} of region A: ${container} is killed with all its nodes`)
  stage.say(`It is primary of the partitions ${primaries.join(' and ')}.`)
  await delay(LOAD_MS)
  const atMs = performance.now()
  amends.push(() => engine.start(container))
  await engine.kill(container)
  const after = await a.await('another machine is primary of every partition', ({ partitions }) =>
    partitions.every(({ primary }) => primary !== null && !primary.address.startsWith(`${container}:`)),
  )
  await Promise.all(writers.map((writer) => writer.acknowledgesAfter(performance.now())))
  stage.table(
    ['partition', 'was primary', 'is primary', 'term'],
    before.partitions.map(({ partition, primary, term }, at) => {
      const now = after.partitions[at]!
      return [String(partition), primary!.address, now.primary!.address, `${term} -> ${now.term}`]
    }),
  )
  const [primary] = await a.copies()
  await checkNothingLost(stage, [primary!], writers, 'the primaries have')
  await engine.start(container)
  await a.settled(COPIES)
  stage.say()
  stage.say(`${container} was started again, and its copies are in sync.`)
  checkWaits(stage, writers, atMs, LOSS_MS_MAX)
}

export async function loseEtcdMember(company: Company): Promise<void> {
  const { stage, engine, a, writers, amends } = company
  const leader = await etcdLeader(company)
  stage.act(`Kill the leader of region A's etcd: ${leader}`)
  const before = await a.settled(COPIES)
  await delay(LOAD_MS)
  const atMs = performance.now()
  amends.push(() => engine.start(leader))
  await engine.kill(leader)
  const next = await etcdLeader(company, leader)
  await Promise.all(writers.map((writer) => writer.acknowledgesAfter(performance.now())))
  const after = await a.settled(COPIES)
  stage.say(`Now ${next} leads.`)
  stage.check(termsOf(before) === termsOf(after), `no primary changed: terms are ${termsOf(after)} still`)
  checkWaits(stage, writers, atMs, BRIEF_MS_MAX)
  await engine.start(leader)
}

export async function cutApart(company: Company, clients: readonly RegionClient[]): Promise<void> {
  const { stage, a, b, writers, amends } = company
  const [atA, atB] = clients as [RegionClient, RegionClient]
  const write = async (region: RegionClient, ...words: [string, ...string[]]): Promise<void> => {
    stage.command(region.name, words, await region.run(...words))
    await delay(5)
  }
  const views: readonly View[] = [
    { label: 'motto', words: ['GET', 'cut:motto'] },
    { label: 'stock', words: ['GET', 'cut:stock'] },
    { label: 'team', words: ['SMEMBERS', 'cut:team'], unordered: true },
  ]
  const areEqual = async (): Promise<boolean> => {
    const [one, other] = await Promise.all(
      clients.map((client) => Promise.all(views.map(({ words }) => client.run(...words)))),
    )
    return JSON.stringify(one) === JSON.stringify(other)
  }
  stage.act('Cut the regions apart, write on both sides, mend')
  const before = await a.settled(COPIES)
  await write(atA, 'SET', 'cut:motto', 'begin')
  await write(atA, 'SET', 'cut:stock', '10')
  await write(atB, 'SADD', 'cut:team', 'ann')
  if ((await until(areEqual, AGREE_MS_MAX)) === undefined) throw new Error('the regions do not agree')
  const [primaries] = await a.copies()
  const cut = new Cut({
    name: 'command',
    done: 'CRDT.LINK ALL DOWN was sent to each primary of A.',
    undone: 'CRDT.LINK ALL UP was sent to each primary of A.',
    cut: () => primaries!.askEach('CRDT.LINK', 'ALL', 'DOWN'),
    mend: () => primaries!.askEach('CRDT.LINK', 'ALL', 'UP'),
  })
  amends.push(() => cut.mend())
  const atMs = performance.now()
  await cut.cut()
  stage.say()
  stage.say(cut.done)
  stage.say()
  await write(atA, 'SET', 'cut:motto', 'calm')
  await write(atA, 'INCRBY', 'cut:stock', '5')
  await write(atB, 'INCRBY', 'cut:stock', '7')
  await write(atA, 'SREM', 'cut:team', 'ann')
  await write(atB, 'SADD', 'cut:team', 'ann', 'bob')
  await write(atB, 'SET', 'cut:motto', 'storm')
  await showViews(stage, clients, views)
  const isNoticed = await until(async () => (await streamingLinks(a)) === 0, NOTICED_MS_MAX)
  stage.check(isNoticed !== undefined, 'no node of A streams to or from B any more')
  stage.check(!(await areEqual()), 'the regions show different things, and go on serving')
  const during = await a.settled(COPIES)
  stage.check(
    termsOf(before) === termsOf(during),
    `inside region A nothing has changed: terms are ${termsOf(during)} still, all replicas in sync`,
  )
  checkWaits(stage, writers, atMs, BRIEF_MS_MAX)
  const mendedMs = performance.now()
  await cut.mend()
  stage.say()
  stage.say(cut.undone)
  if ((await until(areEqual, AGREE_MS_MAX)) === undefined)
    throw new Error(`the regions do not agree after ${AGREE_MS_MAX / 1000} s`)
  const answers = await showViews(stage, clients, views)
  stage.check(
    allEqual([['storm', String(10 + 5 + 7), 'ann, bob'], ...answers]),
    `${((performance.now() - mendedMs) / 1000).toFixed(1)} s later both show the same, and what the rules say`,
  )
  const links = (await b.status()).partitions.length
  const areBack = await until(async () => (await streamingLinks(a)) >= links, NOTICED_MS_MAX)
  stage.check(areBack !== undefined, 'every partition of A streams again')
}

export async function reckon({ stage, a, b, writers }: Company): Promise<void> {
  stage.act('Stop writing, and count')
  const stopped = Promise.all(writers.map((writer) => writer.stop())).then(() => true)
  if (!(await Promise.race([stopped, delay(STOP_MS_MAX, false)])))
    throw new Error('a client is still not answered')
  await Promise.all([a.settled(COPIES), b.settled(COPIES)])
  const copies = (await Promise.all([a.copies(), b.copies()])).flat()
  const agreed = await until(async () => {
    const vectors = await Promise.all(copies.map((copy) => copy.askEach('CRDT.VECTOR')))
    return allEqual(vectors)
  }, AGREE_MS_MAX)
  stage.check(agreed !== undefined, 'all copies of each partition have applied the same ops')
  await checkNothingLost(stage, copies, writers, 'all copies in both regions have')
  const miscounts: string[] = []
  for (const copy of copies)
    for (const writer of writers) {
      const miscount = await writer.miscountAt(copy)
      if (miscount !== undefined) miscounts.push(miscount)
    }
  for (const miscount of miscounts) stage.say(miscount)
  stage.check(
    miscounts.length === 0,
    'each counter is the sum of what was acknowledged, and of what was never answered at most',
  )
  const digests = await Promise.all(copies.map((copy) => copy.askEach('CRDT.DIGEST')))
  stage.table(
    ['partition', ...copies.map(({ name }) => name)],
    digests[0]!.map((_, partition) => [
      String(partition),
      ...digests.map((row) => String(row[partition]).slice(0, DIGEST_SHOWN)),
    ]),
  )
  stage.check(allEqual(digests), `the digests of all ${copies.length} copies of each partition are equal`)
}

/** @param expected  how many regions have sold */
export async function checkBooks({ stage, a, b }: Company, expected: number): Promise<void> {
  const books = booksOf(expected)
  const copies = (await Promise.all([a.copies(), b.copies()])).flat()
  const seen = (): Promise<Awaited<ReturnType<typeof booksAt>>[]> =>
    Promise.all(copies.map((copy) => booksAt(copy.ask.bind(copy), () => copy.size())))
  await until(async () => allEqual([books, ...(await seen())]), AGREE_MS_MAX)
  const last = await seen()
  stage.table(
    ['read at', 'keys', 'revenue, cents'],
    copies.map(({ name }, at) => [name, ...[last[at]!.keys, last[at]!.cents].map(count)]),
  )
  stage.check(allEqual([books, ...last]), 'all copies of all partitions show what was loaded in both regions')
}

async function checkNothingLost(
  stage: Stage,
  copies: readonly CopySet[],
  writers: readonly ClusterWriter[],
  who: string,
): Promise<void> {
  const acknowledged = writers.reduce((sum, writer) => sum + writer.acknowledged.length, 0)
  let missing = 0
  for (const copy of copies) for (const writer of writers) missing += (await writer.missingAt(copy)).length
  stage.check(
    missing === 0,
    `${who} every write that was acknowledged: ${count(acknowledged)}, ${missing} missing`,
  )
}

/** What the clients noticed since then. */
function checkWaits(stage: Stage, writers: readonly ClusterWriter[], sinceMs: number, limitMs: number): void {
  const rows = writers.map((writer) => ({
    name: writer.name,
    gapMs: writer.longestLaneGapMs(sinceMs),
    errors: writer.errorsSince(sinceMs),
    written: writer.acknowledged.filter(({ atMs }) => atMs >= sinceMs).length,
  }))
  stage.table(
    ['clients', 'waited at most', 'errors', 'written meanwhile'],
    rows.map(({ name, gapMs, errors, written }) => [
      name,
      `${Math.round(gapMs)} ms`,
      String(errors.length),
      count(written),
    ]),
  )
  for (const sentence of new Set(rows.flatMap(({ errors }) => errors))) stage.say(`an error: ${sentence}`)
  const longestMs = Math.max(...rows.map(({ gapMs }) => gapMs))
  stage.check(
    longestMs <= limitMs,
    `no client waited longer than ${limitMs} ms for its next OK: ${Math.round(longestMs)} ms at most`,
  )
}

function termsOf({ partitions }: Status): string {
  return partitions.map(({ term }) => term).join(', ')
}

/** Links to B that carry data, over all primaries of the region. */
async function streamingLinks(region: PlacedRegion): Promise<number> {
  const [primaries] = await region.copies()
  const answers = await primaries!.askEach('INFO', 'crdt')
  return answers.filter((text) => /^link_\w+:pull=streaming/m.test(String(text))).length
}

/** The member that leads, by its own word. @param not  this one does not any more */
async function etcdLeader({ engine, a }: Company, not = ''): Promise<string> {
  let found: string | undefined
  await until(async () => {
    for (const member of a.etcdMembers.filter((name) => name !== not)) {
      const text = await engine.exec(member, ['etcdctl', 'endpoint', 'status', '-w', 'json'])
      const [{ Status: status }] = JSON.parse(text) as [EtcdStatus]
      if (status.leader === status.header.member_id) found = member
    }
    return found !== undefined
  }, ETCD_MS_MAX)
  if (found === undefined) throw new Error(`the etcd of region ${a.name} has no leader`)
  return found
}

interface EtcdStatus {
  readonly Status: { readonly leader: number; readonly header: { readonly member_id: number } }
}

function count(number: number): string {
  return number.toLocaleString('en-US')
}
