/**
 * three-regions.ts: regions A, B and C as real processes, each a peer of the others.
 *
 * Links are cut and healed as an operator does, by CRDT.LINK. Behind that every link leads through a gate
 * of the harness (link-gate.ts), so that the network itself can be cut as well, and counted. A node that
 * starts knows of no CRDT.LINK: while it starts its gates are shut, and they open when it has been told.
 *
 * Invariant: what is cut, in either way, stays cut over `restart`.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Reply } from '../../region-node/resp/parse-reply.ts'
import { freePorts } from './free-ports.ts'
import { LinkGate } from './link-gate.ts'
import { freeRegionPorts, type PeerOption, RegionProcess } from './region-process.ts'
import type { RespClient } from './resp-client.ts'

export type RegionName = 'A' | 'B' | 'C'
export const REGION_NAMES: readonly RegionName[] = ['A', 'B', 'C']
const REGION_IDS: Readonly<Record<RegionName, number>> = { A: 1, B: 2, C: 3 }

/** The first looks at the vectors follow each other this closely, later ones less so. */
const VECTOR_POLL_MS_MIN = 2
const VECTOR_POLL_MS_MAX = 50

export interface RegionsOptions {
  readonly names?: readonly RegionName[]
  readonly settings?: Readonly<Record<string, string>>
}

/** How a region comes to its end before it starts again. */
export type Ending = 'stop' | 'kill'

interface Member {
  readonly process: RegionProcess
  /** The connection of the harness, for CRDT commands. */
  control: RespClient
}

export class Regions {
  readonly names: readonly RegionName[]
  readonly #members: ReadonlyMap<RegionName, Member>
  readonly #gates: ReadonlyMap<string, LinkGate>
  /** Links that are cut, as `AB` with the names in order. */
  readonly #cut = new Set<string>()
  /** Links whose network is cut. */
  readonly #severed = new Set<string>()

  private constructor(members: ReadonlyMap<RegionName, Member>, gates: ReadonlyMap<string, LinkGate>) {
    this.names = [...members.keys()]
    this.#members = members
    this.#gates = gates
  }

  /** Starts all of them; links are up. */
  static async start({ names = REGION_NAMES, settings = {} }: RegionsOptions = {}): Promise<Regions> {
    const ports = new Map(
      await Promise.all(names.map(async (name) => [name, await freeRegionPorts()] as const)),
    )
    const gates = new Map<string, LinkGate>()
    const processes: RegionProcess[] = []
    try {
      for (const name of names) {
        const peers: PeerOption[] = []
        for (const other of names) {
          if (other === name) continue
          const [port] = await freePorts(1)
          const gate = await LinkGate.listen(port!, ports.get(other)!.syncPort)
          gates.set(name + other, gate)
          peers.push({ name: other, url: gate.url })
        }
        const options = { name, id: REGION_IDS[name], peers, settings, ports: ports.get(name)! }
        processes.push(await RegionProcess.prepare(options))
      }
      await Promise.all(processes.map((region) => region.start()))
      await Promise.all(processes.map((region) => region.takesWrites()))
      const members = new Map<RegionName, Member>()
      for (const [i, name] of names.entries()) {
        const process = processes[i]!
        members.set(name, { process, control: await process.connect() })
      }
      return new Regions(members, gates)
    } catch (error) {
      await Promise.all([
        ...processes.map((region) => region.dispose()),
        ...[...gates.values()].map((gate) => gate.close()),
      ])
      throw error
    }
  }

  process(name: RegionName): RegionProcess {
    return this.#member(name).process
  }

  /** A connection of its own for whoever asks. */
  connect(name: RegionName): Promise<RespClient> {
    return this.process(name).connect()
  }

  /** The way by which `from` dials `to`: the ops of `to` come back over it. */
  gate(from: RegionName, to: RegionName): LinkGate {
    return this.#gates.get(from + to)!
  }

  /** Sends a command over the connection of the harness. @throws when the reply is an error */
  ask(name: RegionName, ...words: string[]): Promise<Reply> {
    return this.#member(name).control.ask(...words)
  }

  #member(name: RegionName): Member {
    const member = this.#members.get(name)
    if (member === undefined) throw new Error(`region ${name} is not part of this test`)
    return member
  }

  /** Cuts every link. */
  cutAll(): Promise<void> {
    return this.#setLinks(this.names, 'DOWN')
  }

  /** Heals the links among `names`. */
  heal(names: readonly RegionName[] = this.names): Promise<void> {
    return this.#setLinks(names, 'UP')
  }

  /** Cuts or heals one link, at both ends. */
  setLink(a: RegionName, b: RegionName, state: 'UP' | 'DOWN'): Promise<void> {
    return this.#setLinks([a, b], state)
  }

  async #setLinks(names: readonly RegionName[], state: 'UP' | 'DOWN'): Promise<void> {
    const asked: Promise<Reply>[] = []
    for (const name of names) {
      for (const other of names) {
        if (other === name) continue
        if (state === 'DOWN') this.#cut.add(linkName(name, other))
        else this.#cut.delete(linkName(name, other))
        asked.push(this.ask(name, 'CRDT.LINK', other, state))
      }
    }
    await Promise.all(asked)
  }

  /** Cuts or heals the network under a link. The nodes are not told, and find out by themselves. */
  setNetwork(a: RegionName, b: RegionName, state: 'UP' | 'DOWN'): void {
    if (state === 'DOWN') this.#severed.add(linkName(a, b))
    else this.#severed.delete(linkName(a, b))
    for (const gate of [this.gate(a, b), this.gate(b, a)]) {
      if (state === 'UP') gate.open()
      else gate.shut()
    }
  }

  /** Origins and the ops applied of each, the same text for the same vector. */
  async vector(name: RegionName): Promise<string> {
    return JSON.stringify(await this.ask(name, 'CRDT.VECTOR'))
  }

  /** Waits until the regions have applied the same ops. @throws with the vectors and links when they do not */
  async awaitEqualVectors(names: readonly RegionName[] = this.names, timeoutMs = 10_000): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs
    for (let waitMs = VECTOR_POLL_MS_MIN; ; waitMs = Math.min(2 * waitMs, VECTOR_POLL_MS_MAX)) {
      const vectors = await Promise.all(names.map((name) => this.vector(name)))
      if (vectors.every((vector) => vector === vectors[0])) return
      if (performance.now() > deadlineMs) {
        const links = await Promise.all(names.map((name) => this.ask(name, 'CRDT.LINK', 'ALL', 'STATUS')))
        const lines = names.map((name, i) => `${name}: ${vectors[i]} ${JSON.stringify(links[i])}`)
        throw new Error(`the vectors still differ after ${timeoutMs} ms:\n${lines.join('\n')}`)
      }
      await delay(waitMs)
    }
  }

  /**
   * Waits for equal vectors and takes the digest of each region's data at that vector. Keys that fall due
   * are removed by ops of their own at any time, so the vectors are compared again afterwards.
   */
  async digests(timeoutMs = 10_000): Promise<Reply[]> {
    const deadlineMs = performance.now() + timeoutMs
    for (;;) {
      await this.awaitEqualVectors(this.names, timeoutMs)
      const before = await this.vector(this.names[0]!)
      const digests = await Promise.all(this.names.map((name) => this.ask(name, 'CRDT.DIGEST')))
      const after = await Promise.all(this.names.map((name) => this.vector(name)))
      if (after.every((vector) => vector === before)) return digests
      if (performance.now() > deadlineMs)
        throw new Error(`the vectors did not come to rest within ${timeoutMs} ms`)
    }
  }

  /** Ends regions and starts them again from their folders, all at the same time. */
  async restart(ending: Ending, names: readonly RegionName[] = this.names): Promise<void> {
    for (const name of names) this.#shutGatesOf(name)
    await Promise.all(names.map((name) => this.#restartOne(name, ending)))
    for (const [link, gate] of this.#gates) {
      if (!this.#severed.has(linkName(link[0]!, link[1]!))) gate.open()
    }
  }

  #shutGatesOf(name: RegionName): void {
    for (const [link, gate] of this.#gates) if (link.includes(name)) gate.shut()
  }

  async #restartOne(name: RegionName, ending: Ending): Promise<void> {
    const member = this.#member(name)
    await member.control.close()
    if (ending === 'kill') await member.process.kill()
    else await member.process.stop()
    await member.process.start()
    member.control = await member.process.connect()
    for (const other of this.names) {
      if (this.#cut.has(linkName(name, other))) await this.ask(name, 'CRDT.LINK', other, 'DOWN')
    }
  }

  /** Ends every process and removes every folder. */
  async dispose(): Promise<void> {
    await Promise.all([...this.#members.values()].map(({ control }) => control.close()))
    await Promise.all([...this.#members.values()].map(({ process }) => process.dispose()))
    await Promise.all([...this.#gates.values()].map((gate) => gate.close()))
  }
}

function linkName(a: string, b: string): string {
  return a < b ? a + b : b + a
}
