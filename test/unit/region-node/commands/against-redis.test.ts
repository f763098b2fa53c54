/**
 * against-redis.test.ts: the same commands to Causeway and to redis-server must be answered with the
 * same bytes, in RESP2 and RESP3; and the rows of the command table must say what Redis's say.
 *
 * Each dialogue begins with an empty database. What depends on version, clock, address or build is left
 * to the tests of its family.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CommandDef } from '../../../../region-node/commands/command.ts'
import { commandTable } from '../../../../region-node/commands/families.ts'
import { hashExpiryCommands } from '../../../../region-node/commands/hash-expiry.ts'
import type { Session } from '../../../../region-node/commands/session.ts'
import { CommandWatch, type WatchSettings } from '../../../../region-node/engine/command-watch.ts'
import { ReplyParser } from '../../../../region-node/resp/parse-reply.ts'
import { RedisReference, redisIsInstalled } from '../../../harness/redis-reference.ts'
import { TestEngine } from '../../../harness/test-engine.ts'
import { MORE_DIALOGUES } from './dialogues.ts'
import { DUMP_DIALOGUES } from './dump-dialogues.ts'
import { HLL_DIALOGUES } from './hll-dialogues.ts'
import { LIST_DIALOGUES } from './list-dialogues.ts'
import { STREAM_DIALOGUES } from './stream-dialogues.ts'
import { ZSET_DIALOGUES } from './zset-dialogues.ts'

const INT64_MAX = '9223372036854775807'
const INT64_MIN = '-9223372036854775808'

/** Words are separated by one space; `""` is the empty word, and \xNN a byte. */
const DIALOGUES: Readonly<Record<string, readonly string[]>> = {
  'GET and SET': [
    'get k',
    'set k v',
    'get k',
    'set k v nx',
    'set k v2 xx',
    'set k v3 XX GET',
    'set k v4 nx get',
    'set other v nx get',
    'get other',
    'set none v xx',
    'set none v xx get',
    'set k v ex 100 ex 200',
    'set k v keepttl',
    'persist k',
    'set k v px 100000',
    'set k v',
    'persist k',
    'set k v exat 4102444800',
    'expiretime k',
    'set k v pxat 4102444800001 get',
    'pexpiretime k',
    'set k v exat 1',
    'get k',
    'exists k',
    'dbsize',
    'set k',
    'get',
    'get k k',
    'set \x00\xff \xfe\r\n',
    'get \x00\xff',
    'set "" ""',
    'get ""',
  ],
  'SET is refused in the same words': [
    'set k v nx xx',
    'set k v xx nx',
    'set k v nx nx',
    'set k v foo',
    'set k v ex',
    'set k v ex 10 px 10',
    'set k v ex 10 keepttl',
    'set k v keepttl ex 10',
    'set k v persist',
    'set k v ex abc',
    'set k v ex 0',
    'set k v ex -1',
    'set k v ex 1.5',
    'set k v pxat 0',
    `set k v ex ${INT64_MAX}`,
    `set k v px ${INT64_MAX}`,
    `set k v exat ${INT64_MAX}`,
    'set k v ex 9223372036854775808',
    'hset h f v',
    'set h v get',
    'set h v nx',
    'set h v keepttl',
    'get h',
  ],
  'SETNX, SETEX, PSETEX, GETSET, GETDEL': [
    'setnx k v',
    'setnx k w',
    'getset k x',
    'getset new x',
    'getdel k',
    'getdel k',
    'setex k 100 v',
    'setex k 0 v',
    'setex k abc v',
    'setex k -5 v',
    'psetex k 100000 v',
    'psetex k 0 v',
    'persist k',
    'sadd s m',
    'getset s v',
    'getdel s',
    'setnx s v',
    'setex s 100 v',
    'get s',
  ],
  GETEX: [
    'getex none',
    'getex none ex 0',
    'getex none foo',
    'set k v',
    'getex k',
    'getex k ex 100',
    'persist k',
    'getex k persist',
    'getex k exat 4102444800',
    'getex k persist',
    'ttl k',
    'getex k px 100000',
    'getex k ex 10 persist',
    'getex k persist ex 10',
    'getex k persist persist',
    'getex k keepttl',
    'getex k nx',
    'getex k ex 0',
    'getex k ex abc',
    'getex k pxat 1',
    'get k',
    'sadd s m',
    'getex s ex 0',
  ],
  'MGET, MSET, MSETNX': [
    'mset a 1 b 2 a 3',
    'mget a b c',
    'msetnx c 1 a 2',
    'mget a b c',
    'msetnx c 1 d 2 c 5',
    'mget c d',
    'mset a',
    'mset a 1 b',
    'msetnx a 1 b',
    'sadd s m',
    'mget s a',
    'mset s v',
    'mget s',
    'mget',
  ],
  'APPEND, STRLEN, SETRANGE, GETRANGE': [
    'append k abc',
    'append k def',
    'append k ""',
    'strlen k',
    'strlen none',
    'append empty ""',
    'exists empty',
    'getrange k 0 -1',
    'getrange k 1 2',
    'getrange k -3 -2',
    'getrange k -100 -100',
    'getrange k -1 -3',
    'getrange k 4 2',
    'getrange k 5 100',
    'getrange k 6 100',
    'getrange none 0 -1',
    'getrange k a 1',
    'getrange k 1 b',
    `getrange k ${INT64_MIN} ${INT64_MAX}`,
    `getrange k -9223372036854775807 ${INT64_MIN}`,
    'substr k 1 1',
    'setrange k 2 XX',
    'setrange k 8 !',
    'get k',
    'setrange none 0 ""',
    'exists none',
    'setrange k 100 ""',
    'setrange none 3 abc',
    'get none',
    'setrange k -1 a',
    'setrange k abc a',
    'setrange k -1 ""',
    'setrange k 536870912 a',
    `setrange k ${INT64_MAX} a`,
    'setex t 100 v',
    'append t w',
    'setrange t 0 x',
    'persist t',
    'sadd s m',
    'append s x',
    'setrange s 0 x',
    'setrange s 0 ""',
    'setrange s -1 ""',
    'getrange s 0 1',
    'strlen s',
  ],
  INCR: [
    'incr n',
    'incrby n 41',
    'decr n',
    'decrby n 50',
    'get n',
    'incrby n 0',
    'decrby n 0',
    'decrby m 0',
    'get m',
    'incrby n abc',
    'incrby n +5',
    'incrby n " 5"',
    'incrby n 05',
    'incrby n 1.5',
    'incrby n -0',
    'incrby n ""',
    'incrby n 9223372036854775808',
    `decrby n ${INT64_MIN}`,
    `set n ${INT64_MAX}`,
    'incr n',
    'decr n',
    'decr n',
    'incrby n 2',
    'incr n',
    `set n ${INT64_MIN}`,
    'decr n',
    'incr n',
    `incrby n ${INT64_MAX}`,
    'get n',
    'set n 9007199254740991',
    'incr n',
    'incr n',
    'decrby n 2',
    'incrby big 9007199254740993',
    'incrby big 9007199254740993',
    'decrby big 18014398509481985',
    'set text abc',
    'incr text',
    'set text 1.5',
    'incr text',
    'set text ""',
    'incr text',
    'set text 012',
    'incr text',
    'set text -0',
    'incr text',
    'setex t 100 5',
    'incr t',
    'persist t',
    'sadd s m',
    'incr s',
    'incrby s abc',
    'append n 1',
    'incr n',
  ],
  INCRBYFLOAT: [
    'incrbyfloat f 0.1',
    'incrbyfloat f 0.2',
    'incrbyfloat f -0.3',
    'get f',
    'set f 3.0e3',
    'incrbyfloat f 200',
    'incr f',
    'incrbyfloat f 1.5',
    'incr f',
    'incrbyfloat f .5',
    'incrbyfloat f 1.',
    'incrbyfloat f +1',
    'incrbyfloat f abc',
    'incrbyfloat f ""',
    'incrbyfloat f " 1"',
    'incrbyfloat f 1x',
    'incrbyfloat f inf',
    'incrbyfloat f -Infinity',
    'incrbyfloat f nan',
    'set f inf',
    'incrbyfloat f 1',
    'set f abc',
    'incrbyfloat f 1',
    'set f 1e-5',
    'incrbyfloat f 0',
    'sadd s m',
    'incrbyfloat s 1',
    'incrbyfloat s abc',
  ],
  transactions: [
    'exec',
    'discard',
    'multi',
    'set k v',
    'multi',
    'watch k',
    'get k',
    'exec',
    'multi',
    'exec',
    'multi',
    'get',
    'get k',
    'exec',
    'multi',
    'nosuch a b',
    'exec',
    'multi',
    'incr k',
    'set k 1',
    'incr k',
    'exec',
    'multi',
    'set k 5',
    'discard',
    'get k',
    'watch k none',
    'set k 9',
    'multi',
    'get k',
    'exec',
    'watch k',
    'set k 10',
    'unwatch',
    'multi',
    'get k',
    'exec',
    'watch k',
    'multi',
    'get k',
    'unwatch',
    'exec',
    'watch none',
    'del none',
    'multi',
    'exec',
    'watch k',
    'flushall',
    'multi',
    'exec',
    'watch',
    'multi a',
    'multi',
    'select 3',
    'set k three',
    'select 0',
    'get k',
    'exec',
    'select 3',
    'get k',
    'select 0',
    'multi',
    'shutdown',
    'exec',
    'multi',
    'wait 1 0',
    'ping',
    'exec',
    'multi',
    'set k v',
    'reset',
    'exec',
  ],
  'the connection': [
    'ping',
    'ping hello',
    'ping a b',
    'echo hello',
    'echo',
    'echo a b',
    'select 1',
    'set k v',
    'select 0',
    'get k',
    'select 16',
    'select -1',
    'select abc',
    'select 99999999999',
    'select 1.0',
    'hello 4',
    'hello 1',
    'hello abc',
    'hello 2 foo',
    'hello 3 auth default',
    'hello 3 auth foo bar',
    'hello 3 setname',
    'hello 3 setname "a b"',
    'auth pass',
    'auth default anything',
    'auth foo bar',
    'auth a b c',
    'auth',
    'reset a',
    'client',
    'client nosuch',
    'client getname',
    'client setname me',
    'client getname',
    'client setname ""',
    'client getname',
    'client setname',
    'client setname a\nb',
    'client setname \xe9',
    'client id a',
    'client list foo',
    'client list type foo',
    'client list type master',
    'client list id abc',
    'client list id 4242',
    'client list id',
    'client reply on',
    'client reply foo',
    'client no-evict on',
    'client no-evict off',
    'client no-evict foo',
  ],
  'the server': [
    'dbsize',
    'mset a 1 b 2',
    'dbsize',
    'flushdb foo',
    'flushdb async sync',
    'flushdb async',
    'dbsize',
    'set a 1',
    'flushall sync',
    'get a',
    'flushall foo',
    'dbsize a',
    'time a',
    'wait',
    'wait a b',
    'wait 0 b',
    'wait 0 -1',
    'wait 0 0',
    'wait -1 0',
    'wait 1 0.5',
    'wait 1 1',
    'shutdown foo',
    'shutdown abort',
    'shutdown save nosave',
    'shutdown abort now',
    'config',
    'config nosuch',
    'config get',
    'config set a',
    'config set a b c',
    'config set maxclients',
    'info nosuch',
    'config resetstat a',
  ],
  COMMAND: [
    'command info get',
    'command info exec',
    'command info nosuch config|nosuch',
    'command info config|get CONFIG|GET',
    'command docs nosuch',
    'command list filterby module x',
    'command list filterby pattern setr*',
    'command list filterby pattern CONFIG|G*',
    'command list filterby foo bar',
    'command list filterby pattern',
    'command list foo',
    'command getkeys get a',
    'command getkeys mset a b c d',
    'command getkeys mget a b c',
    'command getkeys ping x',
    'command getkeys nosuch x',
    'command getkeys get a b',
    'command getkeys config get',
    'command getkeys config nosuch',
    'command nosuch',
    'command count x',
  ],
  ...MORE_DIALOGUES,
  ...LIST_DIALOGUES,
  ...ZSET_DIALOGUES,
  ...STREAM_DIALOGUES,
  ...HLL_DIALOGUES,
  ...DUMP_DIALOGUES,
}

function wordsOf(line: string): string[] {
  return line
    .split(/ (?=(?:[^"]*"[^"]*")*[^"]*$)/)
    .map((word) => (/^".*"$/.test(word) ? word.slice(1, -1) : word))
}

const pending: (() => void)[] = []

const UNWATCHED: WatchSettings = {
  slowMicros: -1,
  slowLogLength: 0,
  latencyMs: 0,
  tracksLatency: false,
  isSecret: () => false,
}

/** An engine of which any wait is over as soon as it has begun. */
function newEngine(): TestEngine {
  const sessions: Session[] = []
  const engine = new TestEngine(1, {
    after: (_delayMs, task) => {
      pending.push(task)
      return { cancel() {} }
    },
    sessions,
    infoSections: [],
    links: () => [],
    debugCommand: 'no',
    streamIdMode: 'liberal',
    watch: new CommandWatch(
      { wallMs: () => 0, monoMs: () => 0 },
      () => UNWATCHED,
      () => {},
    ),
  })
  sessions.push(engine.session())
  return engine
}

function answer(engine: TestEngine, words: readonly string[]): string {
  const session = engine.session()
  engine.engine.execute(session, words)
  for (const task of pending.splice(0)) task()
  return session.out.take()
}

describe.skipIf(!redisIsInstalled)('against redis-server (skipped where it is not installed)', () => {
  let redis: RedisReference
  beforeAll(async () => {
    redis = await RedisReference.start()
  })
  afterAll(() => redis.stop())

  for (const protocol of [2, 3] as const) {
    for (const [name, lines] of Object.entries(DIALOGUES)) {
      it(`answers ${name} with the same bytes in RESP${protocol}`, async () => {
        const engine = newEngine()
        await redis.exchange(['RESET'])
        await redis.exchange(['FLUSHALL'])
        await redis.exchange(['HELLO', String(protocol)])
        answer(engine, ['HELLO', String(protocol)])
        const ours: string[] = []
        const theirs: string[] = []
        for (const line of lines) {
          const words = wordsOf(line)
          ours.push(`${line} → ${JSON.stringify(answer(engine, words))}`)
          theirs.push(`${line} → ${JSON.stringify(await redis.exchange(words))}`)
        }
        expect(ours).toEqual(theirs)
      })
    }
  }

  describe('rows of the command table', () => {
    /** Flags that our rows do not carry: they are about features there are none of here. */
    const NOT_MODELLED: ReadonlySet<string> = new Set(['allow_busy', 'no_async_loading', 'module', 'pubsub'])
    /** Newer than the server compared with. */
    const NEWER: ReadonlySet<string> = new Set([
      'client|setinfo',
      'client|no-touch',
      ...hashExpiryCommands.map(({ name }) => name),
    ])
    /** Where Redis changed its mind after 7.0. */
    const CHANGED: Readonly<Record<string, Partial<CommandDef>>> = {
      'command|getkeys': { arity: -4 },
      zrank: { arity: 3 },
      zrevrank: { arity: 3 },
    }

    const rows = commandTable.commands
      .flatMap((command): CommandDef[] => [command, ...(command.subcommands ?? [])])
      .filter(({ group, name }) => group !== 'causeway' && !NEWER.has(name))

    for (const row of rows) {
      it(`${row.name} has Redis's arity, flags and key positions`, async () => {
        await redis.exchange(['RESET'])
        const parser = new ReplyParser()
        parser.feed(await redis.exchange(['COMMAND', 'INFO', row.name]))
        const [info] = parser.next()!.value as [[string, number, string[], number, number, number]]
        const [, arity, flags, first, last, step] = info
        const { keys } = row
        expect({ flags: [...row.flags].sort(), keys }).toEqual({
          flags: flags.filter((flag) => !NOT_MODELLED.has(flag)).sort(),
          keys: { first, last, step },
        })
        expect(CHANGED[row.name]?.arity ?? row.arity).toBe(arity)
      })
    }
  })
})
