/**
 * conflicts.ts: what a region tells about a conflict: CRDT.CONFLICTS and CRDT.INSPECT, read back.
 */
import type { Region } from '../region.ts'

export interface ConflictSide {
  readonly region: string
  readonly atMs: number
  readonly what: string
}

export interface Conflict {
  readonly rule: string
  readonly key: string
  readonly winner: ConflictSide
  readonly hidden: ConflictSide
}

/** Conflicts a region has seen, the latest first. */
export async function conflictsSeenBy(region: Region): Promise<Conflict[]> {
  const reply = fields(await region.run('CRDT.CONFLICTS'))
  return (reply.get('latest') as unknown[]).map((event) => {
    const named = fields(event)
    return {
      rule: String(named.get('rule')),
      key: String(named.get('key')),
      winner: side(named.get('winner')),
      hidden: side(named.get('hidden')),
    }
  })
}

/** All values of a string that wait under a key, the visible one among them. */
export async function valuesUnder(region: Region, key: string): Promise<string[]> {
  const text = String(await region.run('CRDT.INSPECT', key))
  const { state } = JSON.parse(text) as { state: { registers: { value: string }[] } }
  return state.registers.map(({ value }) => value).sort()
}

function side(reply: unknown): ConflictSide {
  const named = fields(reply)
  return {
    region: String(named.get('region')),
    atMs: Number(named.get('at-ms')),
    what: String(named.get('what')),
  }
}

/** Names and values in turn, as RESP2 shows a map. */
function fields(reply: unknown): Map<unknown, unknown> {
  const list = reply as unknown[]
  return new Map(list.flatMap((name, index) => (index % 2 === 0 ? [[name, list[index + 1]] as const] : [])))
}
