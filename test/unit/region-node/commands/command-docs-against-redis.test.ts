/**
 * command-docs-against-redis.test.ts: the arguments in COMMAND DOCS beside those of a redis-server: their types,
 * tokens, flags and nesting. Names are for people and are not compared.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { type Reply, ReplyParser } from '../../../../region-node/resp/parse-reply.ts'
import { RedisReference, redisIsInstalled } from '../../../harness/redis-reference.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

const SINCE_7_2 = 'Redis 7.2 takes other words than the 7.0 that is compared with'
const SIMPLER = 'the same words, with a block more or less around them'

/** Commands whose arguments are others, and why. */
const DIFFERENT: ReadonlyMap<string, string> = new Map([
  ['zrank', SINCE_7_2],
  ['zrevrank', SINCE_7_2],
  ['pfmerge', SINCE_7_2],
  ['geopos', SINCE_7_2],
  ['geohash', SINCE_7_2],
  ['bitop', SINCE_7_2],
  ['command|getkeys', SINCE_7_2],
  ['command|getkeysandflags', SINCE_7_2],
  ['client|kill', 'its filters are told as they are written'],
  ['client|list', SIMPLER],
  ['failover', SIMPLER],
  ['xtrim', SIMPLER],
  ['geosearch', SIMPLER],
  ['geosearchstore', SIMPLER],
  ['psubscribe', SIMPLER],
  ['config|get', SIMPLER],
  ['xinfo|stream', SIMPLER],
  ['debug', 'Redis does not tell them'],
])

type Fields = ReadonlyMap<Reply, Reply>

interface Shape {
  readonly type: Reply | undefined
  readonly token: Reply | undefined
  readonly flags: readonly Reply[]
  readonly parts: readonly Shape[]
}

function shapesOf(argumentsReply: Reply | undefined): Shape[] {
  return ((argumentsReply ?? []) as Reply[]).map((argument) => {
    const fields = argument as Fields
    return {
      type: fields.get('type'),
      token: fields.get('token'),
      flags: [...((fields.get('flags') ?? []) as Reply[])].sort(),
      parts: shapesOf(fields.get('arguments')),
    }
  })
}

/** Every command and subcommand of a reply of COMMAND DOCS. */
function docsOf(reply: Fields): Map<string, Fields> {
  const docs = new Map<string, Fields>()
  for (const [name, told] of reply) {
    const fields = told as Fields
    docs.set(name as string, fields)
    const subcommands = fields.get('subcommands') as Fields | undefined
    if (subcommands !== undefined) for (const [sub, its] of docsOf(subcommands)) docs.set(sub, its)
  }
  return docs
}

function argumentsOf(docs: Fields | undefined): Shape[] {
  return shapesOf(docs?.get('arguments'))
}

describe.skipIf(!redisIsInstalled)('COMMAND DOCS', () => {
  let ours = new Map<string, Fields>()
  let theirs = new Map<string, Fields>()

  beforeAll(async () => {
    const engine = new TestEngine()
    engine.run('hello', '3')
    ours = docsOf(engine.run('command', 'docs') as Fields)
    const redis = await RedisReference.start()
    const parser = new ReplyParser()
    await redis.exchange(['HELLO', '3'])
    parser.feed(await redis.exchange(['COMMAND', 'DOCS']))
    await redis.stop()
    theirs = docsOf(parser.next()!.value as Fields)
  })

  it('tells the same arguments of the commands that both have', () => {
    const both = [...theirs.keys()].filter((name) => ours.has(name) && !DIFFERENT.has(name))
    expect(both.filter((name) => theirs.get(name)!.has('arguments')).length).toBeGreaterThan(200)
    for (const name of both) expect(argumentsOf(ours.get(name)), name).toEqual(argumentsOf(theirs.get(name)))
  })

  it('has no difference in the list that is none any more', () => {
    for (const name of DIFFERENT.keys())
      expect(argumentsOf(ours.get(name)), name).not.toEqual(argumentsOf(theirs.get(name)))
  })
})
