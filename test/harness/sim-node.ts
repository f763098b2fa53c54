/**
 * sim-node.ts: one node of the simulation: a machine, and on it now and then a process.
 *
 * The process is the real `NodeCore` with the real log, recovery and mesh. The machine is a disk and a wall
 * clock that outlive it. What the log takes in is shown to an observer before anybody else sees it.
 */
import { createHash, createHmac } from 'node:crypto'
import type { BatchSpan } from '../../crdt/codec/batch.ts'
import type { SettingValues } from '../../region-node/config.ts'
import { settingsOf } from '../../region-node/config.ts'
import { NodeCore } from '../../region-node/core.ts'
import { DiskError } from '../../region-node/env.ts'
import { nodeLatin1 } from '../../region-node/latin1-node.ts'
import { type Front, NodeServices } from '../../region-node/node-services.ts'
import { recoverAtOnce } from '../../region-node/persistence/recovery.ts'
import type { MemoryNetwork } from './memory-transport.ts'
import type { Prng } from './prng.ts'
import type { SimClock } from './sim-clock.ts'
import type { SimDisk } from './sim-disk.ts'
import { SimEnv, SimMemory, type SimWallClock } from './sim-env.ts'
import { SimTransport } from './sim-network.ts'

/** Few, so that what is written and received meets snapshots in the middle. */
const SNAPSHOT_SLICE_ENTRIES = 3
/** From how many members on a region packs a set or a hash: regions that do and some that do not must agree. */
const PACKED_FROM = [2, 5, 512]

/** `kill` leaves what was written; `power` only what was synced, and some of the rest. */
export type Ending = 'stop' | 'kill' | 'power'

export interface SimNodeObserver {
  /** Recovery is over; nothing has been minted yet. */
  recovered(node: SimNode): void
  minted(node: SimNode, record: Uint8Array, span: BatchSpan): void
  received(node: SimNode, record: Uint8Array, span: BatchSpan): void
  /** It has switched to a snapshot from another region. */
  adopted(node: SimNode): void
  /** It serves no clients any more: an orderly end has begun. */
  stopping(node: SimNode): void
  /** The process has just ended. */
  ended(node: SimNode, how: Ending, core: NodeCore): void
  /** The machine lost its power when no process ran. */
  lostPower(node: SimNode): void
  /** It ended by an error that no simulated fault explains. */
  broke(node: SimNode, error: Error): void
}

/** Watches nothing; what breaks inside a node ends the test. */
export const quietObserver: SimNodeObserver = {
  recovered() {},
  minted() {},
  received() {},
  adopted() {},
  stopping() {},
  ended() {},
  lostPower() {},
  broke(_node, error) {
    throw error
  },
}

export interface SimMachine {
  readonly clock: SimClock
  readonly network: MemoryNetwork
  readonly disk: SimDisk
  readonly wall: SimWallClock
  readonly prng: Prng
}

/** Nothing that commands of the simulation ask of clients and operators. */
const front: Front = {
  sessions: [],
  facts() {
    throw new Error('a simulated node has no host')
  },
  resetStatistics() {},
  shutdown() {},
  stall() {},
}

export class SimNode {
  readonly name: string
  readonly machine: SimMachine
  readonly memory = new SimMemory()
  #settings: Partial<SettingValues>
  readonly #observer: SimNodeObserver
  /** The process, while there is one. */
  #running: { readonly core: NodeCore; readonly env: SimEnv; readonly transport: SimTransport } | undefined
  #isStopping = false

  /** @param name  its address in the network */
  constructor(
    settings: Partial<SettingValues> & { region: string },
    machine: SimMachine,
    observer: SimNodeObserver,
    name = settings.region,
  ) {
    this.name = name
    this.machine = machine
    this.#settings = settings
    this.#observer = observer
  }

  get regionId(): number {
    return this.#settings['region-id']!
  }

  /** Settings for its next start. */
  configure(settings: Partial<SettingValues>): void {
    this.#settings = { ...this.#settings, ...settings }
  }

  get core(): NodeCore | undefined {
    return this.#running?.core
  }

  /** Clients may connect. */
  get isServing(): boolean {
    return this.#running !== undefined && !this.#isStopping
  }

  get unsentBytes(): number {
    return this.#running?.transport.unsentBytes ?? 0
  }

  /** The environment of the process, for its clients. */
  get env(): SimEnv | undefined {
    return this.#running?.env
  }

  /** What the process has applied, by origin id. */
  get vector(): ReadonlyMap<string, number> {
    return new Map(this.#running?.core.applied.toWire())
  }

  /** @throws StartError */
  async start(): Promise<void> {
    const { clock, network, disk, wall, prng } = this.machine
    const env = new SimEnv(clock, wall, prng.fork('process'), disk.mount(), this.memory)
    disk.deliver = (task) => env.enter(task)
    const transport = new SimTransport(network, this.name, env)
    const core = new NodeCore(settingsOf(this.#settings), {
      env,
      latin1: nodeLatin1,
      transport,
      sha256: (word) => createHash('sha256').update(word, 'latin1').digest('hex'),
      hmac: (secret, message) => createHmac('sha256', secret).update(message, 'utf8').digest('hex'),
      log: { info() {}, warn() {}, error() {} },
      services: (made) => new NodeServices(made, env, front),
      failed: (error) => this.#failed(error),
      snapshotSliceEntries: SNAPSHOT_SLICE_ENTRIES,
      packedFrom: PACKED_FROM[this.regionId % PACKED_FROM.length]!,
    })
    this.#watch(core, () => {
      this.#running = { core, env, transport }
      this.#observer.recovered(this)
    })
    recoverAtOnce(core.recovery())
    // What it minted at once may have found no room.
    if (env.alive) await core.start()
  }

  /** @param recovered  called when the files are read: right behind it a late tail may be minted */
  #watch({ log, engine }: NodeCore, recovered: () => void): void {
    const open = log.open.bind(log)
    log.open = (found) => {
      open(found)
      recovered()
    }
    const adopt = engine.adopt.bind(engine)
    engine.adopt = (aside) => {
      adopt(aside)
      this.#observer.adopted(this)
    }
    const minted = log.minted.bind(log)
    const received = log.received.bind(log)
    log.minted = (record, span) => {
      this.#observer.minted(this, record, span)
      minted(record, span)
    }
    log.received = (record, span) => {
      this.#observer.received(this, record, span)
      received(record, span)
    }
  }

  #failed(error: Error): void {
    if (!(error instanceof DiskError)) this.#observer.broke(this, error)
    this.crash('kill')
  }

  /** The process ends from one moment to the next; one that does not run may still lose power. */
  crash(how: 'kill' | 'power'): void {
    if (how === 'power' && this.#running === undefined) this.#observer.lostPower(this)
    if (how === 'power') this.machine.disk.losePower()
    else this.machine.disk.kill()
    this.#end(how)
  }

  #end(how: Ending): void {
    const running = this.#running
    if (running === undefined) return
    running.env.alive = false
    this.#running = undefined
    this.#isStopping = false
    this.machine.network.crash(this.name)
    this.#observer.ended(this, how, running.core)
  }

  /** The process does not run, as after SIGSTOP; its machine goes on. */
  freeze(): void {
    this.#running?.env.freeze()
  }

  /** After `freeze`. */
  thaw(first: 'timers' | 'input'): void {
    this.#running?.env.thaw(first)
  }

  /** An orderly end. Time has to pass for it; `passTime` lets it. */
  async stop(passTime: () => void): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    this.#isStopping = true
    this.#observer.stopping(this)
    let isOver = false
    const stopping = running.core.stop('the simulation stops it').finally(() => {
      isOver = true
    })
    // Awaited below; until then a refusal must not count as unhandled.
    stopping.catch(() => {})
    while (!isOver && running.env.alive) {
      passTime()
      await Promise.resolve()
    }
    if (!running.env.alive) return
    await stopping
    this.#end('stop')
  }
}
