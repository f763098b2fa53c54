/**
 * join.ts: the replies of several partitions as the one that a single server would have given.
 *
 * The rule is the command's `response`, in Redis's words; without one the elements follow one another, those of keys
 * in the order in which the keys were named. One that is refused anywhere is refused: the client is told the first
 * error, and what the others have done is done.
 */
import type { CommandDef } from '../commands/command.ts'
import { elementsOf } from '../resp/reply-splitter.ts'

/** @param replies  whole, in the order of the questions @param random  a number in [0, 1) */
export type Join = (replies: readonly string[], random: () => number) => string

/** @param places  of what each partition was asked for, among the elements of the joined reply */
export function joinOf({ response }: CommandDef, places?: readonly (readonly number[])[]): Join {
  const rule = ruleOf(response, places)
  return (replies, random) => replies.find((reply) => reply[0] === '-') ?? rule(replies, random)
}

function ruleOf(response: CommandDef['response'], places: readonly (readonly number[])[] | undefined): Join {
  switch (response) {
    case 'all_succeeded':
      return ([first]) => first!
    case 'agg_sum':
      return numbers((a, b) => a + b)
    case 'agg_min':
    case 'agg_logical_and':
      return numbers(Math.min)
    case 'special':
      return anyOf
    default:
      return places === undefined ? concatenated : (replies) => interleaved(replies, places)
  }
}

/** Integers, or arrays of them, place by place. */
function numbers(combine: (a: number, b: number) => number): Join {
  return (replies) => {
    const lists = replies.map((reply) => (elementsOf(reply) ?? [reply]).map((line) => Number(line.slice(1))))
    const combined = lists.reduce((all, list) => all.map((number, i) => combine(number, list[i]!)))
    const lines = combined.map((number) => `:${number}\r\n`).join('')
    return replies[0]![0] === '*' ? `*${combined.length}\r\n${lines}` : lines
  }
}

/** RANDOMKEY: that of a partition that has one. Nearly as random as if they were one: slots share keys out evenly. */
function anyOf(replies: readonly string[], random: () => number): string {
  const found = replies.filter((reply) => !isNil(reply))
  return found[Math.floor(random() * found.length)] ?? replies[0]!
}

function isNil(reply: string): boolean {
  return reply === '$-1\r\n' || reply === '_\r\n'
}

function concatenated(replies: readonly string[]): string {
  let count = 0
  let body = ''
  for (const reply of replies) {
    const end = reply.indexOf('\r\n')
    count += Number(reply.slice(1, end))
    body += reply.slice(end + 2)
  }
  return `*${count}\r\n${body}`
}

function interleaved(replies: readonly string[], places: readonly (readonly number[])[]): string {
  const elements: string[] = []
  for (const [i, reply] of replies.entries()) {
    const own = elementsOf(reply) ?? []
    for (const [at, place] of places[i]!.entries()) elements[place] = own[at]!
  }
  return `*${elements.length}\r\n${elements.join('')}`
}
