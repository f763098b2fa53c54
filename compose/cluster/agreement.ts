/**
 * agreement.ts: waits until nodes have applied the same ops, and says what they make of them.
 */
import { eventually } from './eventually.ts'
import type { Witness } from './writer.ts'

/**
 * One that does not answer has not applied the same ops.
 * @returns digests, by node @throws Error after `timeoutMs`
 */
export async function agreementOf(
  nodes: readonly Witness[],
  what: string,
  timeoutMs: number,
  pollMs: number,
): Promise<ReadonlyMap<string, string>> {
  await eventually(
    `${what} have applied the same ops`,
    timeoutMs,
    async () => {
      const vectors = await Promise.all(nodes.map((node) => node.ask('CRDT.VECTOR').catch(() => undefined)))
      const texts = new Set(vectors.map((vector) => JSON.stringify(vector)))
      return texts.size === 1 && vectors[0] !== undefined ? true : undefined
    },
    pollMs,
  )
  const digests = await Promise.all(nodes.map((node) => node.ask('CRDT.DIGEST')))
  return new Map(nodes.map(({ name }, at) => [name, String(digests[at])]))
}
