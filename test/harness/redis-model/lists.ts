/**
 * lists.ts: the list commands of the workload, as Redis's documentation tells them. Those that wait answer nil
 * here where there is nothing to take.
 */
import { manyPopOf } from './many-pop.ts'
import { type Model, type Models, type PlainData, Refusal, type Words } from './plain-data.ts'

function keepElements(data: PlainData, key: string, elements: readonly string[]): void {
  data.keep(key, { type: 'list', elements })
}

function push(atLeft: boolean, mustExist: boolean): Model {
  return ([, key, ...values], data) => {
    const before = data.list(key!)
    if (mustExist && before.length === 0) return 0
    keepElements(data, key!, atLeft ? [...values.reverse(), ...before] : [...before, ...values])
    return before.length + values.length
  }
}

/** @returns what was taken off an end, the outermost first */
function take(data: PlainData, key: string, count: number, atLeft: boolean): string[] {
  const elements = data.list(key)
  const outermost = atLeft ? elements : [...elements].reverse()
  const rest = outermost.slice(count)
  keepElements(data, key, atLeft ? rest : rest.reverse())
  return outermost.slice(0, count)
}

function pop(atLeft: boolean): Model {
  return ([, key, count], data) => {
    if (data.list(key!).length === 0) return null
    return count === undefined ? take(data, key!, 1, atLeft)[0]! : take(data, key!, Number(count), atLeft)
  }
}

/** Keys are looked at in their order, up to the first that is there. */
function firstOf(data: PlainData, keys: Words): string | undefined {
  return keys.find((key) => data.list(key).length > 0)
}

/** `BLPOP key key timeout` */
function popFirst(atLeft: boolean): Model {
  return (words, data) => {
    const key = firstOf(data, words.slice(1, -1))
    return key === undefined ? null : [key, ...take(data, key, 1, atLeft)]
  }
}

/** `LMPOP numkeys key key LEFT|RIGHT [COUNT count]`. @param at  where the number of keys stands */
function popMany(at: number): Model {
  return (words, data) => {
    const { keys, end, count } = manyPopOf(words, at)
    const key = firstOf(data, keys)
    return key === undefined ? null : [key, take(data, key, count, end === 'LEFT')]
  }
}

function moved(data: PlainData, from: string, to: string, fromLeft: boolean, toLeft: boolean) {
  const source = data.list(from)
  if (source.length === 0) return null
  const element = source.at(fromLeft ? 0 : -1)!
  const rest = fromLeft ? source.slice(1) : source.slice(0, -1)
  // A list that is turned round does not cease to be there, though it had only this element.
  const target = from === to ? rest : data.list(to)
  if (from !== to) keepElements(data, from, rest)
  keepElements(data, to, toLeft ? [element, ...target] : [...target, element])
  return element
}

const move: Model = (words, data) =>
  moved(data, words[1]!, words[2]!, words[3] === 'LEFT', words[4] === 'LEFT')
const popPush: Model = (words, data) => moved(data, words[1]!, words[2]!, false, true)

const insert: Model = ([, key, where, pivot, value], data) => {
  const before = data.list(key!)
  if (before.length === 0) return 0
  const found = before.indexOf(pivot!)
  if (found < 0) return -1
  const at = where === 'BEFORE' ? found : found + 1
  keepElements(data, key!, [...before.slice(0, at), value!, ...before.slice(at)])
  return before.length + 1
}

const setAt: Model = ([, key, index, value], data) => {
  const before = data.list(key!)
  const at = Number(index) < 0 ? before.length + Number(index) : Number(index)
  if (at < 0 || at >= before.length) throw new Refusal('ERR')
  keepElements(data, key!, [...before.slice(0, at), value!, ...before.slice(at + 1)])
  return 'OK'
}

/** A negative count begins at the right end; 0 means all. */
const removeEqual: Model = ([, key, count, value], data) => {
  const before = data.list(key!)
  const isFromRight = Number(count) < 0
  let left = Number(count) === 0 ? before.length : Math.abs(Number(count))
  const inOrder = isFromRight ? [...before].reverse() : before
  const kept = inOrder.filter((element) => element !== value || left-- <= 0)
  keepElements(data, key!, isFromRight ? kept.reverse() : kept)
  return before.length - kept.length
}

/** Both ends belong to the range; a negative index counts from the right end. */
function range(elements: readonly string[], first: string, last: string): readonly string[] {
  const from = Number(first) < 0 ? Math.max(0, elements.length + Number(first)) : Number(first)
  const to = Number(last) < 0 ? elements.length + Number(last) : Number(last)
  return elements.slice(from, Math.max(from, to + 1))
}

/** @throws Refusal  where one of them is no number */
function numbersOf(elements: readonly string[]): Map<string, number> {
  const numbers = new Map(elements.map((element) => [element, Number(element)] as const))
  if ([...numbers].some(([text, number]) => text === '' || Number.isNaN(number))) throw new Refusal('ERR')
  return numbers
}

/** `SORT key [LIMIT offset count] [DESC] [ALPHA] STORE destination`. Equal numbers are in the order of their text. */
const sortInto: Model = (words, data) => {
  const key = words[1]!
  const type = data.at(key)?.value.type
  const elements = type === 'set' ? data.set(key) : type === 'zset' ? data.zset(key).keys() : data.list(key)
  const byText = [...elements].sort()
  const numbers = words.includes('ALPHA') ? undefined : numbersOf(byText)
  if (numbers !== undefined) byText.sort((a, b) => numbers.get(a)! - numbers.get(b)!)
  const inOrder = words.includes('DESC') ? byText.reverse() : byText
  const limitAt = words.indexOf('LIMIT')
  const [first, count] =
    limitAt < 0 ? [0, inOrder.length] : [Number(words[limitAt + 1]), Number(words[limitAt + 2])]
  const stored = inOrder.slice(first, first + count)
  data.put(words.at(-1)!, { type: 'list', elements: stored })
  return stored.length
}

export const LIST_MODELS: Models = {
  LPUSH: push(true, false),
  RPUSH: push(false, false),
  LPUSHX: push(true, true),
  RPUSHX: push(false, true),
  LPOP: pop(true),
  RPOP: pop(false),
  BLPOP: popFirst(true),
  BRPOP: popFirst(false),
  LMPOP: popMany(1),
  BLMPOP: popMany(2),
  LMOVE: move,
  BLMOVE: move,
  RPOPLPUSH: popPush,
  BRPOPLPUSH: popPush,
  LINSERT: insert,
  LSET: setAt,
  LREM: removeEqual,
  LTRIM: ([, key, first, last], data) => {
    keepElements(data, key!, range(data.list(key!), first!, last!))
    return 'OK'
  },
  LLEN: ([, key], data) => data.list(key!).length,
  LRANGE: ([, key, first, last], data) => [...range(data.list(key!), first!, last!)],
  SORT: sortInto,
}
