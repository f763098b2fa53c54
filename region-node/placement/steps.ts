/**
 * steps.ts: what a controller has to do next, by the documents of this moment and how long things have been so.
 */
import type { Directory } from '../cluster/directory.ts'
import type { Change, Condition } from '../coordinator/port.ts'
import type { PlacingKeys } from './documents.ts'
import type { Patience } from './patience.ts'
import type { Placing } from './placing.ts'

/** Everything that steps follow from. */
export interface Scene {
  readonly placing: Placing
  readonly directory: Directory
  /** Has looked at both. */
  readonly patience: Patience
  /** For the cool-down, which outlasts a controller. */
  readonly wallMs: number
}

export interface NodePlace {
  readonly nodeId: string
  readonly host: string
  readonly port: number
}

interface OfPartition {
  readonly partition: number
  /** For people: what for. */
  readonly why: string
}

export type Step =
  /** The node of that machine is to be primary: CLUSTER FAILOVER to it. */
  | (OfPartition & { readonly kind: 'hand-over'; readonly machine: string; readonly node: NodePlace })
  /** A member that is there no more: CLUSTER FORGET to the primary. */
  | (OfPartition & { readonly kind: 'forget'; readonly nodeId: string; readonly primary: NodePlace })
  /** A machine that leaves is taken out of the placement. `nodeId` is released; undefined: it is away, and keeps what it has. */
  | (OfPartition & { readonly kind: 'let-go'; readonly machine: string; readonly nodeId: string | undefined })
  /** Another machine takes the place of one that is away. */
  | (OfPartition & { readonly kind: 'rebuild'; readonly lost: string; readonly on: string })
  /** A copy that nobody names is named again, to hand up what it has: the machine leaves. */
  | (OfPartition & { readonly kind: 'take-back'; readonly machine: string })

/** What carrying a step out is. */
export type Order =
  /** To be committed as it is; when it does not hold any more, nothing is lost: look again. */
  | {
      readonly do: 'commit'
      readonly conditions: readonly Condition[]
      readonly changes: readonly Change[]
    }
  /** To be said to a node, which answers OK or why not; the documents tell when it has happened. */
  | { readonly do: 'say'; readonly to: NodePlace; readonly words: readonly string[] }

/** One step at most for each partition; none: all is as it should be, or has to be waited for. */
export function stepsOf(scene: Scene): Step[] {
  throw new Error(`not written yet: ${scene.wallMs}`)
}

export function orderOf(step: Step, scene: Scene, keys: PlacingKeys): Order {
  throw new Error(`not written yet: ${step.kind} ${scene.wallMs} ${keys.prefix}`)
}
