/**
 * digests.ts: CRDT.DIGEST, made while the node serves.
 *
 * A digest looks at every key, which takes seconds where there are millions. So it walks as a snapshot does
 * (`engine/walk.ts`): a slice at a time, each key as it stood when the walk began. What it answers is exact
 * at the vector of that moment, whatever is written meanwhile. A database that one slice is enough for is
 * answered at once.
 *
 * One walk goes on at a time, and a snapshot goes first: others may wait for that, and a client that asks
 * for one digest after another must not hold it up. Who asks while a digest is being made shares the next
 * one, because the present one says nothing of what was written since it began.
 *
 * Invariants: (1) a digest never stands for a moment before it was asked for. (2) A key is looked at whole, in
 * one step: a collection of millions is a long one, here as in a SMEMBERS.
 */
import { Fingerprint } from '../crdt/digest.ts'
import { fingerprintKey, type KeyEntry } from '../crdt/key.ts'
import { runSlice } from '../sync/pace.ts'
import type { Keyspace } from './engine/keyspace.ts'
import type { Walk, WalkVisitor } from './engine/walk.ts'
import type { Env } from './env.ts'

/** Entries between two looks at the clock. */
const STEP_ENTRIES = 8
/** Between two looks at whether another walk is over. */
const LOOK_MS = 10

export interface DigestPorts {
  readonly env: Pick<Env, 'after' | 'monoMs'>
  readonly keyspace: Keyspace
  /** A snapshot is being made, or about to be begun. */
  readonly isSaving: () => boolean
}

type Done = (digest: string) => void

/** Adds up what reads can answer of every key that is shown to it. */
class KeyPrints implements WalkVisitor {
  readonly #whole = new Fingerprint()

  get hex(): string {
    return this.#whole.hex()
  }

  reached(db: number, key: string, entry: KeyEntry): boolean {
    const print = fingerprintKey(db, key, entry)
    if (print !== undefined) this.#whole.sum(print)
    return true
  }

  changing(db: number, key: string, entry: KeyEntry): boolean {
    return this.reached(db, key, entry)
  }
}

/** A digest that is being made. */
interface Making {
  readonly walk: Walk
  readonly prints: KeyPrints
  /** Who asked before it began, and has not gone. */
  readonly askers: Set<Done>
}

export class Digests {
  readonly #ports: DigestPorts
  #making: Making | undefined = undefined
  /** Who asked since. */
  #waiting = new Set<Done>()
  #isLooking = false

  constructor(ports: DigestPorts) {
    this.#ports = ports
  }

  /**
   * A digest of this moment or a later one.
   * @param done  called once, with 32 hex digits: before this returns where little is stored
   * @returns a function that forgets about it
   */
  take(done: Done): () => void {
    this.#waiting.add(done)
    this.#begin()
    return () => {
      this.#waiting.delete(done)
      const making = this.#making
      if (making?.askers.delete(done) !== true || making.askers.size > 0) return
      this.#making = undefined
      making.walk.abandon()
      this.#begin()
    }
  }

  #begin(): void {
    if (this.#making !== undefined || this.#waiting.size === 0) return
    const { keyspace, isSaving } = this.#ports
    if (keyspace.isWalked || isSaving()) {
      this.#lookLater()
      return
    }
    const prints = new KeyPrints()
    const making = { walk: keyspace.walk(prints), prints, askers: this.#waiting }
    this.#making = making
    this.#waiting = new Set()
    this.#goOn(making)
  }

  #lookLater(): void {
    if (this.#isLooking) return
    this.#isLooking = true
    this.#ports.env.after(LOOK_MS, () => {
      this.#isLooking = false
      this.#begin()
    })
  }

  /** One slice. */
  #goOn(making: Making): void {
    if (this.#making !== making) return
    const { env } = this.#ports
    const { walk, prints, askers } = making
    const { isOver, restMs } = runSlice(env, () => walk.step(STEP_ENTRIES))
    if (!isOver) {
      env.after(restMs, () => this.#goOn(making))
      return
    }
    this.#making = undefined
    if (walk.isAbandoned) {
      // The keyspace has become another, by a snapshot of a peer: what was seen of the old one is of no use.
      for (const done of askers) this.#waiting.add(done)
    } else {
      const digest = prints.hex
      for (const done of askers) done(digest)
    }
    this.#begin()
  }
}
