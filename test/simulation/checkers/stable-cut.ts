/**
 * stable-cut.ts: what comes to a node has seen everything below the node's stable cut.
 *
 * That is all the cut promises, and what reclamation relies on: of two writes below it the loser may go,
 * because whatever comes from now on has seen both. Judged by the deps of what arrives, so that a cut that
 * ran ahead is found also where nothing had been reclaimed yet.
 */
import { type BatchSpan, openRecord } from '../../../crdt/codec/batch.ts'
import { OriginTable } from '../../../crdt/origin.ts'
import type { SimNode } from '../../harness/sim-node.ts'
import { type Checker, Finding, firstLacking } from '../checker.ts'

export class StableCut implements Checker {
  received(node: SimNode, record: Uint8Array, { origin, firstSeq }: BatchSpan): void {
    const { mesh, membership } = node.core!
    // It came too late to count: it is in the log and nowhere else.
    if (firstSeq > membership.limitOf(origin)) return
    const seen = new Map(openRecord(record, new OriginTable()).header.deps.toWire())
    seen.set(origin.id, firstSeq - 1)
    const lacking = firstLacking(seen, mesh.cut.cut.toWire())
    if (lacking === undefined) return
    throw new Finding(
      'stable cut',
      `${node.name} applies ${origin.id}:${firstSeq}, which has not seen what lies below the cut: ${lacking}`,
    )
  }
}
