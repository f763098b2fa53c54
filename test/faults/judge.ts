/**
 * judge.ts: whether a region kept what all regions promised to their clients.
 */
import type { RespClient } from '../harness/resp-client.ts'
import { COUNTER_KEYS, HASH_KEYS, PAIR_KEYS, type Pledges, SET_KEYS } from './load.ts'

/** What is wrong, one sentence each; empty when nothing is. */
export async function findings(client: RespClient, all: readonly Pledges[]): Promise<string[]> {
  const found: string[] = []
  for (const key of [...COUNTER_KEYS, ...PAIR_KEYS]) {
    const value = Number((await client.ask('GET', key)) ?? 0)
    const least = sum(all.map(({ acknowledged }) => acknowledged.get(key) ?? 0))
    const most = least + sum(all.map(({ unanswered }) => unanswered.get(key) ?? 0))
    if (value < least || value > most) {
      found.push(
        `${key} is ${value}; acknowledged increments make ${least}, with the unanswered ones ${most}`,
      )
    }
  }
  const [left, right] = await Promise.all(PAIR_KEYS.map((key) => client.ask('GET', key)))
  if (left !== right)
    found.push(`${PAIR_KEYS.join(' and ')}, only written together, are ${left} and ${right}`)
  for (const key of SET_KEYS) {
    compareElements(found, key, new Set((await client.ask('SMEMBERS', key)) as string[]), all)
  }
  for (const key of HASH_KEYS) {
    const pairs = (await client.ask('HGETALL', key)) as string[]
    const fields = pairs.filter((_, i) => i % 2 === 0)
    for (const [i, field] of fields.entries()) {
      if (pairs[2 * i + 1] !== field) found.push(`${key} has the value of another field in ${field}`)
    }
    compareElements(found, key, new Set(fields), all)
  }
  return found
}

function compareElements(found: string[], key: string, present: Set<string>, all: readonly Pledges[]): void {
  let lost = 0
  for (const { elements } of all) {
    for (const [name, acknowledged] of elements.get(key) ?? []) {
      if (!present.delete(name) && acknowledged) lost++
    }
  }
  if (lost > 0) found.push(`${key} lacks ${lost} acknowledged elements`)
  if (present.size > 0) found.push(`${key} has ${present.size} elements that nobody added`)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
