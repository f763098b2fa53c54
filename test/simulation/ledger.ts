/**
 * ledger.ts: everything that was minted and everything that was asked, over all regions of a run.
 */
import { TAG } from '../../crdt/effects/effect.ts'
import { isKeyEffect } from '../../crdt/registry.ts'
import { oracleOps } from '../harness/observe.ts'
import { answerOf, type KeyAnswer, type OracleOp } from '../harness/oracle.ts'
import { type AllReaders, ReadersHistory } from '../harness/readers.ts'
import type { SentCommand } from '../harness/sim-client.ts'
import { compareIdTexts, idTextOf } from '../harness/stream-reading.ts'

export class Ledger {
  readonly commands: SentCommand[] = []
  readonly ops = new Map<string, OracleOp>()
  /** Answered commands that a power loss may have taken, by the promise of the fsync policy. */
  readonly forgivable = new Set<SentCommand>()
  /** Commands of which a reply was compared with what the models say. */
  readonly judged = new Set<string>()
  /** Ops that say something of a key, by `db:key`. */
  readonly #ofKey = new Map<string, Set<OracleOp>>()
  readonly #flushes: OracleOp[] = []
  /** Regions of which ops were minted again: those stood elsewhere in their history. */
  readonly #reminted = new Set<number>()
  /** Answers that were worked out once, by the key and what was applied. */
  readonly #readings = new Map<string, KeyAnswer | undefined>()
  /** By region and key. */
  readonly #readers = new Map<string, ReadersHistory>()

  static nameOf(origin: string, seq: number): string {
    return `${origin}:${seq}`
  }

  add(record: Uint8Array): void {
    for (const op of oracleOps(record)) {
      this.ops.set(Ledger.nameOf(op.origin, op.seq), op)
      this.#index(op)
      if (op.effects[0]?.tag === TAG.WAS) this.#reminted.add(op.region)
    }
  }

  #index(op: OracleOp): void {
    for (const effect of op.effects) {
      if (effect.tag === TAG.FLUSH) this.#flushes.push(op)
      if (!isKeyEffect(effect)) continue
      const name = `${effect.db}:${effect.key}`
      const ops = this.#ofKey.get(name) ?? new Set()
      this.#ofKey.set(name, ops.add(op))
    }
  }

  /** What a read of one key answers where exactly the ops are applied that a vector covers. @param name  `db:key` */
  reading(name: string, vector: ReadonlyMap<string, number>): KeyAnswer | undefined {
    const covered = [...this.#opsOf(name)].filter(({ origin, seq }) => seq <= (vector.get(origin) ?? 0))
    // Mostly it is what the last command on the key has left.
    const last = new Map<string, number>()
    for (const { origin, seq } of covered) last.set(origin, Math.max(seq, last.get(origin) ?? 0))
    const place = `${name} ${covered.length} ${[...last].join()}`
    if (!this.#readings.has(place)) this.#readings.set(place, answerOf(covered, name).get(name))
    return this.#readings.get(place)
  }

  /** Who reads a stream in a region that has applied what a vector covers; undefined where nothing can be said. */
  readers(name: string, region: number, vector: ReadonlyMap<string, number>): AllReaders | undefined {
    if (this.#reminted.has(region)) return undefined
    const place = `${region} ${name}`
    const history = this.#readers.get(place) ?? new ReadersHistory(name, region)
    this.#readers.set(place, history)
    const ops = [...this.#opsOf(name)]
    return history.at(vector, { ops, reading: (at) => this.reading(name, at) })
  }

  /** No id that was given in a stream, within a vector, is above this one. */
  highestId(name: string, vector: ReadonlyMap<string, number>): string {
    const ids = ['0-0']
    for (const { origin, seq, effects } of this.#ofKey.get(name) ?? []) {
      if (seq > (vector.get(origin) ?? 0)) continue
      for (const effect of effects) {
        if (!isKeyEffect(effect) || `${effect.db}:${effect.key}` !== name) continue
        if (effect.tag === TAG.STREAM_ADD) ids.push(idTextOf(effect.id))
        if (effect.tag === TAG.STREAM_HINTS) ids.push(idTextOf(effect.lastId))
      }
    }
    return ids.reduce((a, b) => (compareIdTexts(a, b) >= 0 ? a : b))
  }

  #opsOf(name: string): Set<OracleOp> {
    return new Set([...(this.#ofKey.get(name) ?? []), ...this.#flushes])
  }

  /** Where origins end, by what a vector covers: of several ends the lowest holds. */
  endsWithin(vector: ReadonlyMap<string, number>): Map<string, number> {
    const ends = new Map<string, number>()
    for (const { effects } of this.within(vector)) {
      for (const effect of effects) {
        if (effect.tag !== TAG.SEAL) continue
        const { id } = effect.origin
        ends.set(id, Math.min(effect.end, ends.get(id) ?? Number.POSITIVE_INFINITY))
      }
    }
    return ends
  }

  /** Ops that a vector covers. */
  within(vector: ReadonlyMap<string, number>): OracleOp[] {
    const found: OracleOp[] = []
    for (const op of this.ops.values()) if (op.seq <= (vector.get(op.origin) ?? 0)) found.push(op)
    return found
  }
}

/** What an op had seen, as a vector. @param own  how much of its own origin; all before it, where nothing is said */
export function seenBy({ deps, origin, seq }: OracleOp, own = seq - 1): Map<string, number> {
  return new Map([...deps, [origin, own]])
}
