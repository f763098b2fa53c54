/**
 * replies.ts: a client is told what a single Redis would have told it, had it held what its node held at that
 * moment, and the keys hold afterwards what they would hold there: for lone commands, for each command of a
 * transaction and of a script, and for what a wait for a key gave.
 *
 * What the node held is the oracle's answer for the ops that it had applied, without what was due by its clock. The
 * models of `redis-model/` run on that. Where they say nothing (the last digit of a score, names in sorted sets of
 * several scores) `zset-scores.ts` does.
 */
import { LIBRARY_DB } from '../../../crdt/effects/key-effects.ts'
import { type Reply, RespError } from '../../../region-node/resp/parse-reply.ts'
import { PlainData, type Words } from '../../harness/redis-model/plain-data.ts'
import { commandName, modelReply } from '../../harness/redis-model/redis-model.ts'
import type { Ran, SentCommand } from '../../harness/sim-client.ts'
import type { SimNode } from '../../harness/sim-node.ts'
import { type Checker, Finding, type World } from '../checker.ts'
import { CALLED_LIBRARY, partsOfScript } from '../script-words.ts'

/** A node that may not write, or has no room to, says so in place of running a command. */
const REFUSALS: ReadonlySet<string> = new Set(['BEHIND', 'MISCONF', 'LOADING', 'EXECABORT'])

/** What runs the commands that its arguments hold. */
const RUNNERS: ReadonlySet<string> = new Set(['EVAL', 'EVALSHA', 'FCALL'])

export class Replies implements Checker {
  readonly #world: World
  /** Nodes that know of their readers what a snapshot or an old disk has left them. */
  readonly #strayed = new Set<string>()

  constructor(world: World) {
    this.#world = world
  }

  adopted({ name }: SimNode): void {
    this.#strayed.add(name)
  }

  lostDisk({ name }: SimNode): void {
    this.#strayed.add(name)
  }

  answered(command: SentCommand): void {
    const { words, reply, ran, waited } = command
    if (ran === undefined || reply === undefined || isRefusal(reply)) return
    if (words[0] === 'EXEC') this.#judgeTransaction(command, ran, reply)
    // Between MULTI and EXEC everything is only queued.
    else if (ran.queue !== undefined) return
    else if (RUNNERS.has(words[0]!)) this.#judgeScript(command, ran, reply)
    else if (waited !== undefined) this.#judgeWait(command, ran, waited, reply)
    else this.#judge(command, [words], [reply], ran)
  }

  #judgeTransaction(command: SentCommand, ran: Ran, reply: Reply): void {
    if (reply === null && ran.isWatching) return
    this.#judge(command, ran.queue ?? [], partsOf(reply), ran)
  }

  #judgeScript(command: SentCommand, ran: Ran, reply: Reply): void {
    // A node that started again knows no scripts by their digests.
    if (reply instanceof RespError && codeOf(reply) === 'NOSCRIPT') return
    const parts = partsOfScript(
      command.words,
      this.#dataAt(command.node, ran).in(LIBRARY_DB).text(CALLED_LIBRARY),
    )
    if (parts === undefined) {
      if (!(reply instanceof RespError))
        throw differing(command, command.words, reply, 'that there is no function')
      return
    }
    const { commands, dies } = parts
    if (!dies) {
      this.#judge(command, commands, partsOf(reply), ran)
      return
    }
    if (!(reply instanceof RespError && reply.line.includes('died')))
      throw differing(command, command.words, reply, 'that the script died')
    // What it has written stays. Whether its commands were refused it does not tell.
    const unheard = commands.map(() => undefined)
    if (!ran.isShut) this.#judge(command, commands, unheard, ran)
  }

  /** There was nothing to take when it began to wait, and when its time was over: or it was served in between. */
  #judgeWait(command: SentCommand, ran: Ran, waited: Ran, reply: Reply): void {
    const { words } = command
    this.#judgeReplies(command, [words], [null], this.#dataAt(command.node, ran))
    if (reply === null) {
      // Whoever waits at a node that takes no writes is served when it does.
      if (waited.isShut) return
      const late = modelReply(words, this.#dataAt(command.node, waited), reply)
      // Who waits is not told that a key has come to be of another type.
      if (late !== null && late !== undefined && !(late instanceof RespError))
        throw differing(command, words, reply, shown(late))
      return
    }
    // What it took, if it was not refused, was the last thing that its node did.
    const { origin, applied } = waited
    const taken = reply instanceof RespError ? 0 : 1
    const before = new Map(applied).set(origin, (applied.get(origin) ?? 0) - taken)
    const data = this.#dataAt(command.node, { ...waited, applied: before })
    this.#judgeReplies(command, [words], [reply], data)
    this.#judgeKeys(command, data, this.#dataAt(command.node, waited))
  }

  /** @param told  a reply for each command; undefined where it is not known */
  #judge(
    command: SentCommand,
    commands: readonly Words[],
    told: readonly (Reply | undefined)[],
    ran: Ran,
  ): void {
    const data = this.#dataAt(command.node, ran)
    this.#judgeReplies(command, commands, told, data)
    const { dot } = command
    const applied = dot === undefined ? ran.applied : new Map(ran.applied).set(dot.origin, dot.seq)
    this.#judgeKeys(command, data, this.#dataAt(command.node, { ...ran, applied }))
  }

  /** Runs the models one after the other. */
  #judgeReplies(
    command: SentCommand,
    commands: readonly Words[],
    told: readonly (Reply | undefined)[],
    data: PlainData,
  ): void {
    if (told.length !== commands.length)
      throw differing(command, command.words, command.reply!, `${commands.length} replies`)
    const isInScript = RUNNERS.has(command.words[0]!)
    commands.forEach((words, i) => {
      const reply = told[i]
      if (reply !== undefined && isRefusal(reply)) return
      const expected = modelReply(words, data, reply, isInScript)
      // Lua's numbers are doubles.
      if (expected === undefined || (isInScript && isBeyondLua(expected))) return
      if (reply !== undefined) this.#world.ledger.judged.add(commandName(words))
      if (reply !== undefined && shown(reply) !== shown(expected))
        throw differing(command, words, reply, shown(expected))
    })
  }

  /** @param data  on which the models have run @param after  what the node held when the command was over */
  #judgeKeys({ node, words }: SentCommand, data: PlainData, after: PlainData): void {
    for (const [db, { written }] of data.databases) {
      for (const key of written) {
        const [expected, is] = [data.in(db).line(key), after.in(db).line(key)]
        if (is === undefined || is === expected) continue
        throw new Finding(
          'effects',
          `after '${words.join(' ')}' ${node} has ${key} ${is}, a single Redis ${expected}`,
        )
      }
    }
  }

  #dataAt(name: string, { db, applied, nowMs }: Ran): PlainData {
    const { ledger } = this.#world
    const region = Number(name.slice(1))
    return new PlainData(nowMs, db, {
      region,
      reading: (of, key) => ledger.reading(`${of}:${key}`, applied),
      readers: (of, key) =>
        this.#strayed.has(name) ? undefined : ledger.readers(`${of}:${key}`, region, applied),
      highestId: (of, key) => ledger.highestId(`${of}:${key}`, applied),
    })
  }
}

/** What a transaction or a script that came to its end replies is never anything but an array. */
function partsOf(reply: Reply): readonly Reply[] {
  return Array.isArray(reply) ? reply : []
}

function isRefusal(reply: Reply): boolean {
  return reply instanceof RespError && REFUSALS.has(codeOf(reply))
}

/** It holds an integer that is no double. */
function isBeyondLua(reply: Reply): boolean {
  return typeof reply === 'bigint' || (Array.isArray(reply) && reply.some(isBeyondLua))
}

function codeOf({ line }: RespError): string {
  return line.split(' ')[0]!
}

function differing({ node, words }: SentCommand, part: Words, told: Reply, expected: string): Finding {
  const where = part === words ? '' : ` inside '${words[0]}'`
  return new Finding(
    'replies',
    `${node} answered '${part.join(' ')}'${where} with ${shown(told)}, a single Redis answers ${expected}`,
  )
}

/** Of an error only the code. */
function shown(reply: Reply): string {
  return JSON.stringify(reply, (_name, value: unknown) => {
    if (value instanceof RespError) return { error: codeOf(value) }
    return typeof value === 'bigint' ? { integer: String(value) } : value
  })
}
