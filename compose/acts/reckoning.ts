/**
 * reckoning.ts: at the end of a demonstration: is everything there that was acknowledged, on every node, and do all
 * nodes hold the same?
 */
import type { Stage } from '../stage.ts'
import type { Company } from './failovers.ts'

export async function reckon({ stage, cluster, writers }: Company): Promise<void> {
  stage.act('Stop writing, and count')
  await Promise.all([...writers.values()].map((writer) => writer.stop()))
  await cluster.settle()
  const digests = await cluster.agree()
  const rows: { name: string; found: number; missing: number; miscounts: string[] }[] = []
  const acknowledged = [...writers.values()].reduce((sum, writer) => sum + writer.acknowledged.length, 0)
  for (const node of cluster.nodes) {
    let missing = 0
    const miscounts: string[] = []
    for (const writer of writers.values()) {
      missing += (await writer.missingAt(node)).length
      const miscount = await writer.miscountAt(node)
      if (miscount !== undefined) miscounts.push(miscount)
    }
    rows.push({ name: node.name, found: acknowledged - missing, missing, miscounts })
  }
  stage.table(
    ['read at', 'acknowledged', 'found', 'missing'],
    rows.map(({ name, found, missing }) => [name, ...[acknowledged, found, missing].map(count)]),
  )
  stage.check(
    rows.every(({ missing }) => missing === 0),
    'no acknowledged write is missing, on any node of any region',
  )
  checkCounters(
    stage,
    rows.flatMap(({ miscounts }) => miscounts),
  )
  const [digest] = digests.values()
  stage.check(new Set(digests.values()).size === 1, `the digests of all nodes are equal: ${digest}`)
}

function checkCounters(stage: Stage, miscounts: readonly string[]): void {
  for (const miscount of miscounts) stage.say(miscount)
  stage.check(
    miscounts.length === 0,
    'each counter is the sum of what was acknowledged, and of what was never answered at most',
  )
}

function count(number: number): string {
  return number.toLocaleString('en-US')
}
