/**
 * run-terms.ts: the terms under which a run of the node goes on: `origin.json`, while it changes.
 *
 * Invariant: an origin is durable in the folder before it is handed out, so before its first dot.
 */
import type { Origin, OriginTable } from '../../crdt/origin.ts'
import { DiskError, type Env } from '../env.ts'
import { claimOrigin, renewOrigin, type Terms, writeOrigin } from './identity.ts'

export class RunTerms {
  readonly #env: Env
  readonly #folder: string
  readonly #regionId: number
  readonly #origins: OriginTable
  readonly #warn: (sentence: string) => void
  #terms: Terms = { origin: '', lacking: false, former: [] }
  /** The file says so. */
  #isNoted = false

  constructor(
    env: Env,
    folder: string,
    regionId: number,
    origins: OriginTable,
    warn: (sentence: string) => void,
  ) {
    this.#env = env
    this.#folder = folder
    this.#regionId = regionId
    this.#origins = origins
    this.#warn = warn
  }

  /** The node may lack what its region has acknowledged. */
  get lacking(): boolean {
    return this.#terms.lacking
  }

  /** Origins of earlier runs that were not ended when this one began. */
  get former(): readonly Origin[] {
    return this.#terms.former.map((id) => this.#origins.intern(id))
  }

  /** The origin of this run: see `claimOrigin`. @throws DiskError, StartError */
  claim(logEnd: number, hasPeers: boolean, isEnded: (origin: Origin) => boolean): Origin {
    const isOver = (id: string): boolean => isEnded(this.#origins.intern(id))
    this.#terms = claimOrigin(this.#env, this.#folder, this.#regionId, logEnd, hasPeers, isOver)
    this.#isNoted = true
    return this.#origins.intern(this.#terms.origin)
  }

  /** A new origin: the last one was ended by the others. @throws DiskError */
  renew(): Origin {
    this.#terms = renewOrigin(this.#env, this.#folder, this.#regionId, this.#terms)
    this.#isNoted = true
    return this.#origins.intern(this.#terms.origin)
  }

  /** @param endedAt  the node stops in order, and its log ends there */
  note(lacking: boolean, endedAt?: number): void {
    // Who becomes primary waits for the disk here, and clients with it.
    if (this.#isNoted && this.#terms.lacking === lacking && endedAt === undefined) return
    this.#terms = { ...this.#terms, lacking }
    this.#isNoted = false
    try {
      writeOrigin(this.#env, this.#folder, this.#terms, endedAt)
      this.#isNoted = endedAt === undefined
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      // Nothing is lost by it: the next start takes a new origin, or asks the peers, as after a crash.
      this.#warn(`the terms of this run were not noted in ${this.#folder}: ${error.message}`)
    }
  }
}
