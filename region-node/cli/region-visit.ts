/**
 * region-visit.ts: says something to a region: at the primary of each of its partitions, one after the other.
 *
 * One node is named; it says who the others are (CLUSTER SHARDS). A node without a coordinator speaks for itself. Each
 * place is asked first what it knows, so what is so already is not said again. A place that refuses, or does not
 * answer, keeps nobody from the next one: what is missing is told at the end.
 */
import { slotsOf } from '../cluster/topology.ts'
import { wordToText } from '../config/kinds.ts'
import { SLOT_COUNT } from '../engine/slot.ts'
import { type Reply, RespError } from '../resp/parse-reply.ts'
import type { CliHost } from './host.ts'
import type { NodeAccess } from './node-access.ts'
import { AskError, type NodeAddress } from './node-client.ts'
import { converse, doorOf, sentenceOf } from './node-talk.ts'
import { fieldsOf, type RegionList, type RegionRow, rowsOf } from './region-list.ts'
import { addressText } from './words.ts'

/** What is to become so at each place. */
export interface Change {
  /** Behind CRDT.REGION. */
  readonly words: readonly string[]
  /** It is so, by what the node there knows. */
  isDone(rows: readonly RegionRow[]): boolean
  /** For a place where that is so, or which only answers OK. */
  readonly done: string
  /** What follows from it when it is so everywhere; '' for nothing. */
  readonly end: string
}

/** Where it is said. */
interface Place {
  /** Undefined: the node has no coordinator, and there is nothing but it. */
  readonly partition: number | undefined
  /** Undefined: nobody can be asked, `why` says so. */
  readonly address: NodeAddress | undefined
  readonly why: string
}

type Outcome = { readonly isSo: boolean; readonly sentence: string }

const CLUSTER_OFF = /cluster support disabled/

export class RegionVisit {
  readonly #host: CliHost
  readonly #access: NodeAccess
  readonly #places: readonly Place[]

  private constructor(host: CliHost, access: NodeAccess, places: readonly Place[]) {
    this.#host = host
    this.#access = access
    this.#places = places
  }

  /** @param to  any node of the region @throws AskError */
  static async at(to: NodeAddress, access: NodeAccess, host: CliHost): Promise<RegionVisit> {
    const [reply] = await converse(host, to, access, [['CLUSTER', 'SHARDS']])
    if (!(reply instanceof RespError))
      return new RegionVisit(host, access, placesOf(reply as Reply[], access))
    if (!CLUSTER_OFF.test(reply.line)) throw new AskError(`${addressText(to)}: ${sentenceOf(reply)}`)
    return new RegionVisit(host, access, [{ partition: undefined, address: to, why: '' }])
  }

  /** @returns the exit code */
  async show(text: (lists: readonly RegionList[]) => string): Promise<number> {
    const lists: RegionList[] = []
    const missing: string[] = []
    for (const place of this.#places) {
      try {
        lists.push({ partition: place.partition, rows: await this.#rowsAt(place) })
      } catch (error) {
        missing.push(`${nameOf(place)}${this.#whyNot(error)}`)
      }
    }
    if (lists.length > 0) this.#host.print(text(lists))
    for (const one of missing) this.#host.complain(`causeway: ${one}\n`)
    return missing.length === 0 ? 0 : 1
  }

  /** @returns the exit code */
  async change(change: Change, isDryRun: boolean): Promise<number> {
    let failed = 0
    for (const place of this.#places) {
      const { isSo, sentence } = await this.#changeAt(place, change, isDryRun)
      if (isSo) this.#host.print(`${nameOf(place)}${sentence}\n`)
      else this.#host.complain(`causeway: ${nameOf(place)}${sentence}\n`)
      if (!isSo) failed++
    }
    const count = this.#places.length
    if (failed > 0 && count > 1) {
      this.#host.complain(
        `causeway: it is not so at ${failed} of ${count} partitions: mend that and say it again; what is done is ` +
          'left as it is\n',
      )
    }
    if (failed === 0 && !isDryRun && change.end !== '') this.#host.print(`${change.end.trim()}\n`)
    return failed === 0 ? 0 : 1
  }

  async #changeAt(place: Place, change: Change, isDryRun: boolean): Promise<Outcome> {
    try {
      const rows = await this.#rowsAt(place)
      if (change.isDone(rows)) return { isSo: true, sentence: `${change.done} already` }
      const command = ['CRDT.REGION', ...change.words]
      if (isDryRun) return { isSo: true, sentence: `would say ${wordToText(command.join(' '))}` }
      const reply = await this.#say(place.address!, command)
      return { isSo: true, sentence: reply === 'OK' ? change.done : wordToText(String(reply)) }
    } catch (error) {
      return { isSo: false, sentence: this.#whyNot(error) }
    }
  }

  async #rowsAt({ address, why }: Place): Promise<RegionRow[]> {
    if (address === undefined) throw new AskError(why)
    return rowsOf(await this.#say(address, ['CRDT.REGION', 'LIST']))
  }

  /** @throws AskError with the node's own sentence, and what to do where that cannot be in it */
  async #say(address: NodeAddress, command: readonly string[]): Promise<Reply> {
    const [reply] = await converse(this.#host, address, this.#access, [command])
    if (!(reply instanceof RespError)) return reply!
    const isReplica = reply.line.startsWith("READONLY You can't write")
    throw new AskError(`${sentenceOf(reply)}${isReplica ? ' Say it at the primary of the region' : ''}`)
  }

  /** Only what a node says, or that it says nothing: anything else is a mistake of this program. */
  #whyNot(error: unknown): string {
    if (error instanceof AskError) return error.message
    throw error
  }
}

function nameOf({ partition, address }: Place): string {
  if (partition === undefined) return ''
  return `partition ${partition}${address === undefined ? '' : ` at ${addressText(address)}`}: `
}

/** @throws AskError when nobody is primary of anything */
function placesOf(shards: readonly Reply[], access: NodeAccess): Place[] {
  const read = shards.map((shard) => fieldsOf(shard as Reply[]))
  const runs = read.map((shard) => shard.get('slots') as number[])
  const [first, last] = runs.find(({ length }) => length > 0) ?? []
  if (first === undefined || last === undefined)
    throw new AskError("nobody is primary of any partition: see 'causeway cluster status'")
  const count = SLOT_COUNT / (last - first + 1)
  return Array.from({ length: count }, (_, partition) => {
    const at = runs.findIndex(([begin]) => begin === slotsOf(partition, count)[0])
    return { partition, ...primaryOf(read[at], access) }
  })
}

function primaryOf(
  shard: ReadonlyMap<Reply, Reply> | undefined,
  access: NodeAccess,
): Omit<Place, 'partition'> {
  const nodes = ((shard?.get('nodes') ?? []) as Reply[][]).map(fieldsOf)
  const primary = nodes.find((node) => node.get('role') === 'master')
  if (primary === undefined) return { address: undefined, why: 'it has no primary now' }
  const [host, port, tlsPort] = [
    String(primary.get('endpoint')),
    primary.get('port'),
    primary.get('tls-port'),
  ]
  try {
    return {
      address: doorOf({ host, port: Number(port ?? 0), tlsPort: Number(tlsPort ?? 0) }, access),
      why: '',
    }
  } catch (error) {
    if (!(error instanceof AskError)) throw error
    return { address: undefined, why: error.message }
  }
}
