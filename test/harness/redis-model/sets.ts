/**
 * sets.ts: the set commands of the workload, as Redis's documentation tells them.
 */
import { sameInAnyOrder } from './any-order.ts'
import { type Model, type Models, type PlainData, Unsaid } from './plain-data.ts'

function keepMembers(data: PlainData, key: string, members: ReadonlySet<string>): void {
  data.keep(key, { type: 'set', members })
}

/** Which members go is for the node to say. */
const spop: Model = ([, key, count], data, told) => {
  const members = data.set(key!)
  if (members.size === 0) return count === undefined ? null : []
  if (told === undefined) throw new Unsaid()
  const wanted = Math.min(Number(count ?? 1), members.size)
  const popped = new Set(count === undefined ? [told] : Array.isArray(told) ? told : [])
  const areMembers = [...popped].every((one) => typeof one === 'string' && members.has(one))
  if (popped.size !== wanted || !areMembers) return `${wanted} of ${[...members].join(' ')}`
  keepMembers(data, key!, new Set([...members].filter((member) => !popped.has(member))))
  return told
}

const smove: Model = (words, data) => {
  const [, from, to, member] = words
  if (data.at(from!) === undefined) return 0
  const source = data.set(from!)
  const target = data.set(to!)
  if (!source.has(member!)) return 0
  if (from === to) return 1
  keepMembers(data, from!, new Set([...source].filter((one) => one !== member)))
  keepMembers(data, to!, new Set([...target, member!]))
  return 1
}

/** `S…STORE destination key key` */
function store(
  combine: (first: ReadonlySet<string>, second: ReadonlySet<string>) => Iterable<string>,
): Model {
  return (words, data) => {
    const members = new Set(combine(data.set(words[2]!), data.set(words[3]!)))
    data.put(words[1]!, { type: 'set', members })
    return members.size
  }
}

export const SET_MODELS: Models = {
  SADD: (words, data) => {
    const before = data.set(words[1]!)
    const members = new Set([...before, ...words.slice(2)])
    keepMembers(data, words[1]!, members)
    return members.size - before.size
  },
  SREM: (words, data) => {
    const before = data.set(words[1]!)
    const members = new Set([...before].filter((member) => !words.slice(2).includes(member)))
    keepMembers(data, words[1]!, members)
    return before.size - members.size
  },
  SPOP: spop,
  SMOVE: smove,
  SMEMBERS: (words, data, told) =>
    sameInAnyOrder(
      [...data.set(words[1]!)].map((member) => [member]),
      told,
    ),
  SCARD: ([, key], data) => data.set(key!).size,
  SINTERSTORE: store((first, second) => [...first].filter((member) => second.has(member))),
  SUNIONSTORE: store((first, second) => [...first, ...second]),
  SDIFFSTORE: store((first, second) => [...first].filter((member) => !second.has(member))),
}
