/**
 * engine.bench.ts: nanoseconds per command in the engine alone: words in, reply text out, ops encoded into
 * a log that forgets them. No sockets, no disk, no peers.
 *
 * Run it built: `npm run build && node dist/test/bench/micro/engine.bench.js [KEYS]`. The number of keys
 * matters: a thousand fit into the processor's caches, a million do not.
 */
import { BatchWriter } from '../../../crdt/codec/batch.ts'
import { OriginTable, originId } from '../../../crdt/origin.ts'
import { commandTable } from '../../../region-node/commands/families.ts'
import type { Services } from '../../../region-node/commands/services.ts'
import { Session } from '../../../region-node/commands/session.ts'
import { ConflictLog } from '../../../region-node/engine/conflict-log.ts'
import { Engine } from '../../../region-node/engine/engine.ts'
import type { Journal } from '../../../region-node/engine/journal.ts'
import { nodeLatin1 } from '../../../region-node/latin1-node.ts'
import { wordAt } from '../../../region-node/resp/word.ts'
import { NO_EVICTION, openAccess } from '../../harness/plain-node.ts'
import { measure } from './measure.ts'

const ACCESS = openAccess()

const COMMANDS_PER_ROUND = 16_000
/** Commands of one event-loop turn: 50 clients with a pipeline of 16. */
const COMMANDS_PER_TURN = 800
const KEY_BYTES = 16
const numberOfKeys = Number(process.argv[2] ?? 100_000)

class ForgetfulJournal implements Journal {
  readonly writer = new BatchWriter(nodeLatin1, 1024 * 1024)

  minted(): void {
    this.writer.at = 0
  }

  received(): void {}
}

const origins = new OriginTable()
const services: Partial<Services> = { databaseCount: 16, stringBytesMax: 2 ** 29, latin1: nodeLatin1 }
const engine = new Engine({
  origins,
  origin: origins.intern(originId(1, new Uint8Array(6))),
  table: commandTable,
  journal: new ForgetfulJournal(),
  services: services as Services,
  conflicts: new ConflictLog(() => 128),
  wallMs: Date.now,
  random: Math.random,
  driftMaxMs: () => 60_000,
  trackedKeysMax: () => 0,
  access: ACCESS,
  eviction: NO_EVICTION,
})
const session = new Session(1, '', '', 0, ACCESS.first)

/** All keys one after another, as bytes: words are made of them, as the decoder does, so their hash is not known. */
const keyBytes = Buffer.from(
  Array.from({ length: numberOfKeys }, (_, i) => `key:${String(i).padStart(12, '0')}`).join(''),
  'latin1',
)
let seed = 1

function someKey(): string {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff
  return wordAt(keyBytes, (seed % numberOfKeys) * KEY_BYTES, KEY_BYTES)
}

function running(name: string, command: () => string[]): void {
  measure(`${name}, ${numberOfKeys} keys`, COMMANDS_PER_ROUND, () => {
    let characters = 0
    for (let i = 1; i <= COMMANDS_PER_ROUND; i++) {
      engine.execute(session, command())
      if (i % COMMANDS_PER_TURN !== 0) continue
      engine.endBatch()
      characters += session.out.take().length
    }
    return characters
  })
}

measure('(making the key alone)', COMMANDS_PER_ROUND, () => {
  let characters = 0
  for (let i = 0; i < COMMANDS_PER_ROUND; i++) characters += someKey().length
  return characters
})
for (let i = 0; i < numberOfKeys; i++) {
  engine.execute(session, ['SET', wordAt(keyBytes, i * KEY_BYTES, KEY_BYTES), 'xxx'])
  if (i % COMMANDS_PER_TURN !== 0) continue
  engine.endBatch()
  session.out.take()
}
running('GET', () => ['GET', someKey()])
running('SET', () => ['SET', someKey(), 'xxx'])
running('INCR', () => ['INCR', `c${someKey()}`])
running('SADD', () => ['SADD', 'myset', someKey()])
running('HSET', () => ['HSET', 'myhash', someKey(), 'xxx'])
