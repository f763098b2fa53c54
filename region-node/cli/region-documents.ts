/**
 * region-documents.ts: the documents of a region, read from its coordinator by somebody who is no node of it.
 */
import { Directory } from '../cluster/directory.ts'
import { isName, Keys } from '../cluster/documents.ts'
import { Mirror } from '../cluster/mirror.ts'
import { coordinatorAddress } from '../config/kinds.ts'
import { folderOf } from '../coordinator/open.ts'
import type { Coordinator, Reading } from '../coordinator/port.ts'
import { DiskError } from '../env.ts'
import { PlacingKeys } from '../placement/documents.ts'
import { Placing } from '../placement/placing.ts'
import type { CliHost } from './host.ts'
import { UsageError, type Words } from './words.ts'

/** Options of every subcommand that reads the documents. */
export const DOCUMENT_OPTIONS = {
  coordinator: 'one',
  'coordinator-user': 'one',
  'coordinator-password': 'one',
  database: 'one',
  region: 'one',
} as const

const DEFAULT_DATABASE = 'causeway'
const ROOT = '/causeway/'

/** What the coordinator did not answer, or does not hold, for people. */
export class UnreadableError extends Error {}

/** Its nodes, and the machines that they are placed on where there are any. */
export interface RegionView {
  readonly directory: Directory
  readonly placing: Placing
}

/** Which region of which database, and where it agrees. */
export class RegionDocuments {
  readonly coordinator: Coordinator
  readonly database: string
  readonly region: string
  readonly keys: Keys
  readonly placingKeys: PlacingKeys
  readonly #host: CliHost

  /** Options, or what nodes themselves are given by the environment. @throws UsageError, UnreadableError */
  constructor(words: Words, host: CliHost) {
    const { environment } = host
    this.#host = host
    this.database = words.get('database') ?? environment.CAUSEWAY_DATABASE_NAME ?? DEFAULT_DATABASE
    this.region = needed('region', 'its name', words.get('region') ?? environment.CAUSEWAY_REGION)
    for (const name of [this.database, this.region])
      if (!isName(name)) throw new UsageError(`'${name}' is no name: it takes letters, digits and _ . : -`)
    this.keys = new Keys(this.database, this.region)
    this.placingKeys = new PlacingKeys(this.keys)
    const address = coordinatorAddress().parse(
      needed(
        'coordinator',
        'what its nodes are given: http://HOST:PORT of an etcd, or file:FOLDER',
        words.get('coordinator') ?? environment.CAUSEWAY_COORDINATOR,
      ),
      '',
    )
    if ('refusal' in address) throw new UsageError(`--coordinator: ${address.refusal}`)
    const user = words.get('coordinator-user') ?? environment.CAUSEWAY_COORDINATOR_USER
    const password = words.get('coordinator-password') ?? environment.CAUSEWAY_COORDINATOR_PASSWORD
    const settings = {
      coordinator: address.value,
      'coordinator-user': user ?? '',
      'coordinator-password': password ?? '',
    }
    const folder = folderOf(settings)
    // To open it would make it.
    if (folder !== undefined && !host.env.disk.exists(folder))
      throw new UnreadableError(`there is no folder ${folder}: name the one that the nodes are given`)
    try {
      this.coordinator = host.openCoordinator(settings)
    } catch (error) {
      throw error instanceof DiskError ? new UnreadableError(error.message) : error
    }
  }

  /** All of this moment. @throws UnreadableError also when nothing is known of the region */
  async directory(): Promise<Directory> {
    return (await this.view()).directory
  }

  /** Likewise. @throws UnreadableError */
  async view(): Promise<RegionView> {
    const reading = await this.read(this.keys.prefix)
    if (reading.entries.length === 0) throw new UnreadableError(await this.#nothing())
    const directory = new Directory(this.keys)
    const placing = new Placing(this.placingKeys)
    directory.replace(reading)
    placing.replace(reading)
    return { directory, placing }
  }

  /** @throws UnreadableError */
  read(prefix: string): Promise<Reading> {
    return new Promise((resolve, reject) => {
      this.coordinator.read(prefix, (answer) => {
        if (answer.ok) resolve(answer.result)
        else reject(new UnreadableError(this.#described(answer.failure.sentence)))
      })
    })
  }

  /**
   * Follows the documents until it is so.
   * @param limitMs  undefined: for as long as it takes
   * @returns false when it has not come to that by then
   */
  until(isSo: (view: RegionView) => boolean, limitMs?: number): Promise<boolean> {
    return new Promise((resolve) => {
      const directory = new Directory(this.keys)
      const placing = new Placing(this.placingKeys)
      const end = (isReached: boolean): void => {
        limit?.cancel()
        mirror.close()
        resolve(isReached)
      }
      const look = (): void => {
        if (isSo({ directory, placing })) end(true)
      }
      const limit = limitMs === undefined ? undefined : this.#host.env.after(limitMs, () => end(false))
      const mirror = new Mirror(this.coordinator, this.#host.env, this.keys.prefix, {
        known: () => directory.revision,
        replaced: (reading) => {
          directory.replace(reading)
          placing.replace(reading)
          look()
        },
        changed: (events) => {
          directory.apply(events)
          placing.apply(events)
          look()
        },
        // Read again by the mirror itself.
        lost: () => {},
      })
      mirror.read()
    })
  }

  close(): void {
    this.coordinator.close()
  }

  #described(sentence: string): string {
    const { description } = this.coordinator
    return sentence.includes(description) ? sentence : `${description}: ${sentence}`
  }

  async #nothing(): Promise<string> {
    const { entries } = await this.read(ROOT)
    const places = new Set(entries.map(({ key }) => key.slice(ROOT.length).split('/').slice(0, 2).join('/')))
    const known = [...places].sort().map((place) => {
      const [database, region] = place.split('/')
      return `--database ${database} --region ${region}`
    })
    const choice = known.length === 0 ? 'no node has ever registered there' : `it has ${known.join(', ')}`
    return this.#described(
      `nothing is known of region ${this.region} of database ${this.database}: ${choice}`,
    )
  }
}

function needed(option: string, what: string, value: string | undefined): string {
  if (value === undefined || value === '') throw new UsageError(`--${option} is missing: ${what}`)
  return value
}
