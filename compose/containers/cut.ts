/**
 * cut.ts: the two ways in which a region in a container is cut off from the others.
 *
 * By command both sides know at once. By taking its network away nobody is told: each side only hears
 * nothing, and has to notice.
 */
import type { RegionClient } from '../region.ts'
import type { ContainerEngine } from './engine.ts'

interface Way {
  /** One word, for the names of keys. */
  readonly name: string
  /** What is done and undone, for people. */
  readonly done: string
  readonly undone: string
  cut(): Promise<unknown>
  mend(): Promise<unknown>
}

/**
 * A cut that is made once and mended once. Whoever has to leave may ask for the mending at any moment, more
 * than once, and before the cut: there is none after it.
 */
export class Cut {
  readonly name: string
  readonly done: string
  readonly undone: string
  readonly #way: Way
  #cutting: Promise<unknown> | undefined = undefined
  #mending: Promise<unknown> | undefined = undefined

  constructor(way: Way) {
    this.name = way.name
    this.done = way.done
    this.undone = way.undone
    this.#way = way
  }

  /** @throws Error when it was mended already */
  async cut(): Promise<void> {
    if (this.#mending !== undefined) throw new Error(`the cut by ${this.name} is over`)
    this.#cutting ??= this.#way.cut()
    await this.#cutting
  }

  async mend(): Promise<void> {
    this.#mending ??= this.#mendAfterCut()
    await this.#mending
  }

  async #mendAfterCut(): Promise<void> {
    if (this.#cutting === undefined) return
    // One that failed may have been made all the same.
    await Promise.allSettled([this.#cutting])
    await this.#way.mend()
  }
}

export function byCommand(region: RegionClient): Cut {
  return new Cut({
    name: 'command',
    done: `CRDT.LINK ALL DOWN was sent to ${region.name}.`,
    undone: `CRDT.LINK ALL UP was sent to ${region.name}.`,
    cut: () => region.run('CRDT.LINK', 'ALL', 'DOWN'),
    mend: () => region.run('CRDT.LINK', 'ALL', 'UP'),
  })
}

export function byNetwork(engine: ContainerEngine, network: string, container: string): Cut {
  return new Cut({
    name: 'network',
    done: `${engine.name} network disconnect ${network} ${container}`,
    undone: `${engine.name} network connect ${network} ${container}`,
    cut: () => engine.disconnect(network, container),
    mend: () => engine.connect(network, container),
  })
}
