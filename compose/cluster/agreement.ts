/**
 * agreement.ts: waits until nodes have applied the same ops, and says what they make of them.
 */
import { eventually } from './eventually.ts'
import type { Witness } from './writer.ts'

/**
 * One that does not answer has not applied the same ops. Digests count when the vectors are the same after them too: what
 * a former primary brings back is minted again some time after it has caught up.
 * @returns digests, by node @throws Error after `timeoutMs`
 */
export async function agreementOf(
  nodes: readonly Witness[],
  what: string,
  timeoutMs: number,
  pollMs: number,
): Promise<ReadonlyMap<string, string>> {
  return eventually(
    `${what} have applied the same ops`,
    timeoutMs,
    async () => {
      const before = await vectorOf(nodes)
      if (before === undefined) return undefined
      // Who is not primary any more drops those that wait for a reply, and a digest takes a while.
      const digests = await Promise.all(nodes.map((node) => node.ask('CRDT.DIGEST').catch(() => undefined)))
      if (digests.includes(undefined) || (await vectorOf(nodes)) !== before) return undefined
      return new Map(nodes.map(({ name }, at) => [name, String(digests[at])]))
    },
    pollMs,
  )
}

/** What all of them have applied; undefined as long as that is not the same. */
async function vectorOf(nodes: readonly Witness[]): Promise<string | undefined> {
  const vectors = await Promise.all(nodes.map((node) => node.ask('CRDT.VECTOR').catch(() => undefined)))
  const texts = new Set(vectors.map((vector) => JSON.stringify(vector)))
  return vectors[0] !== undefined && texts.size === 1 ? [...texts][0] : undefined
}
