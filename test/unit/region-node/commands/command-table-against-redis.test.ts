/**
 * command-table-against-redis.test.ts: the one table of commands beside that of a redis-server: what is there, and
 * what is said of it.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { categoriesOf } from '../../../../region-node/commands/categories.ts'
import type { CommandDef } from '../../../../region-node/commands/command.ts'
import { EXCEPTIONS } from '../../../../region-node/commands/exceptions.ts'
import { commandTable } from '../../../../region-node/commands/families.ts'
import { type Reply, ReplyParser } from '../../../../region-node/resp/parse-reply.ts'
import { RedisReference, redisIsInstalled } from '../../../harness/redis-reference.ts'

/** Commands that Redis 7.2 took other numbers of words for than the 7.0 that is compared with. */
const CHANGED_IN_7_2: ReadonlyMap<string, number> = new Map([
  ['zrank', -3],
  ['zrevrank', -3],
  ['command|getkeys', -3],
  ['command|getkeysandflags', -3],
])
/** Not in the 7.0 that is compared with. */
const NEW_IN_7_2: ReadonlySet<string> = new Set(['waitaof'])

interface Row {
  readonly name: string
  readonly arity: number
  readonly flags: ReadonlySet<string>
  readonly keys: readonly [first: number, last: number, step: number]
  readonly categories: ReadonlySet<string>
}

function ourRows(): Map<string, Row> {
  const rows = new Map<string, Row>()
  const add = (command: CommandDef): void => {
    const { name, arity, flags, keys } = command
    rows.set(name, {
      name,
      arity,
      flags: new Set(flags),
      keys: [keys.first, keys.last, keys.step],
      categories: new Set(categoriesOf(command)),
    })
  }
  for (const command of commandTable.commands) {
    add(command)
    for (const subcommand of command.subcommands ?? []) add(subcommand)
  }
  return rows
}

/** Rows of COMMAND, subcommands included. */
function theirRows(reply: readonly Reply[]): Row[] {
  return reply.flatMap((row) => {
    const [name, arity, flags, first, last, step, categories, , , subcommands] = row as unknown as [
      string,
      number,
      string[],
      number,
      number,
      number,
      string[],
      unknown,
      unknown,
      Reply[],
    ]
    const own: Row = {
      name,
      arity,
      flags: new Set(flags),
      keys: [first, last, step],
      categories: new Set(categories.map((category) => category.slice(1))),
    }
    return [own, ...theirRows(subcommands)]
  })
}

describe.skipIf(!redisIsInstalled)('the command table', () => {
  const ours = ourRows()
  let theirs: Row[] = []

  beforeAll(async () => {
    const redis = await RedisReference.start()
    const parser = new ReplyParser()
    parser.feed(await redis.exchange(['COMMAND']))
    await redis.stop()
    theirs = theirRows(parser.next()!.value as Reply[])
  })

  it('has every command that redis-server has, or says why not', () => {
    const excepted = new Set(EXCEPTIONS.flatMap(({ commands }) => commands))
    const missing = theirs.filter(({ name }) => !ours.has(name) && !excepted.has(name))
    expect(missing.map(({ name }) => name)).toEqual([])
    // An exception that is none any more, or never was, is to be taken out.
    const names = new Set(theirs.map(({ name }) => name))
    const isKnown = (name: string): boolean => names.has(name) || NEW_IN_7_2.has(name)
    expect([...excepted].filter((name) => ours.has(name) || !isKnown(name))).toEqual([])
  })

  it('says the same of those that both have', () => {
    const told = theirs.filter(({ name }) => ours.has(name))
    expect(told.length).toBeGreaterThan(300)
    for (const row of told) {
      const arity = CHANGED_IN_7_2.get(row.name) ?? row.arity
      expect(ours.get(row.name), row.name).toEqual({ ...row, arity })
    }
  })
})
