/**
 * outlook.ts: the documents of the region as one machine knows them: which copies are to run where, and what their nodes
 * have agreed on.
 */
import { Directory } from '../cluster/directory.ts'
import type { Keys, NodeDocument } from '../cluster/documents.ts'
import { Mirror } from '../cluster/mirror.ts'
import type { Coordinator } from '../coordinator/port.ts'
import type { Env } from '../env.ts'
import { type MachineDocument, nodeOfCopy, PlacingKeys } from '../placement/documents.ts'
import { Placing } from '../placement/placing.ts'

export interface OutlookEvents {
  /** Something is known that was not. */
  changed(): void
  /** For the log. */
  noted(sentence: string): void
}

export class Outlook {
  readonly keys: PlacingKeys
  readonly placing: Placing
  readonly directory: Directory
  readonly #mirror: Mirror
  readonly #env: Pick<Env, 'monoMs'>

  constructor(
    coordinator: Coordinator,
    env: Pick<Env, 'monoMs' | 'after' | 'random'>,
    keys: Keys,
    { changed, noted }: OutlookEvents,
  ) {
    this.#env = env
    this.keys = new PlacingKeys(keys)
    this.placing = new Placing(this.keys)
    this.directory = new Directory(keys)
    this.#mirror = new Mirror(coordinator, env, keys.prefix, {
      known: () => this.directory.revision,
      replaced: (reading, isPutBack) => {
        if (isPutBack) noted('the coordinator has gone back: it was put back from a backup')
        this.placing.replace(reading, isPutBack)
        this.directory.replace(reading, isPutBack)
        changed()
      },
      changed: (events) => {
        this.placing.apply(events)
        this.directory.apply(events)
        changed()
      },
      lost: (sentence) => noted(`news of the region do not arrive: ${sentence}`),
    })
  }

  /** Reads all, once more where that was done before, and follows it from there. */
  read(): void {
    this.#mirror.read()
  }

  close(): void {
    this.#mirror.close()
  }

  /** There was a first reading. */
  get hasRead(): boolean {
    return this.placing.hasRead
  }

  /** What is known is so now. */
  get isCurrent(): boolean {
    return this.#mirror.isCurrent
  }

  /** For how long every change was heard as it happened, milliseconds; 0: not now. */
  get unbrokenMs(): number {
    const { isCurrent, unbrokenMs } = this.#mirror
    return isCurrent && unbrokenMs !== undefined ? this.#env.monoMs() - unbrokenMs : 0
  }

  /** The node of a machine's copy; undefined while it is not registered. */
  nodeOf(machine: Pick<MachineDocument, 'host' | 'firstPort'>, partition: number): NodeDocument | undefined {
    return nodeOfCopy(machine, partition, this.directory.nodes.values())
  }
}
