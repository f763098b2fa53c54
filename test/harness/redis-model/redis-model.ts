/**
 * redis-model.ts: what a single Redis answers to a command, by the models of all families.
 *
 * Written from Redis's documentation, and without a line of the commands that are judged by it. Where a
 * model does not say what a command does, the keys that it names are not known any more.
 */
import { type Reply, RespError } from '../../../region-node/resp/parse-reply.ts'
import { BIT_MODELS } from './bits.ts'
import { GEO_MODELS } from './geo.ts'
import { HASH_MODELS } from './hashes.ts'
import { HLL_MODELS } from './hlls.ts'
import { KEY_MODELS } from './keys.ts'
import { LIBRARY_MODELS } from './libraries.ts'
import { LIST_MODELS } from './lists.ts'
import { type Models, type PlainData, Refusal, Unsaid, type Words } from './plain-data.ts'
import { READER_MODELS } from './readers.ts'
import { SET_MODELS } from './sets.ts'
import { STREAM_MODELS } from './streams.ts'
import { STRING_MODELS } from './strings.ts'
import { ZSET_MODELS } from './zsets.ts'

const MODELS: Models = {
  ...STRING_MODELS,
  ...BIT_MODELS,
  ...HASH_MODELS,
  ...SET_MODELS,
  ...LIST_MODELS,
  ...ZSET_MODELS,
  ...GEO_MODELS,
  ...HLL_MODELS,
  ...STREAM_MODELS,
  ...READER_MODELS,
  ...KEY_MODELS,
  ...LIBRARY_MODELS,
}

const CONTAINERS: ReadonlySet<string> = new Set(['FUNCTION', 'XGROUP'])

/** What the command table calls the command, in capitals. */
export function commandName([name, subcommand]: Words): string {
  return CONTAINERS.has(name!) ? `${name}|${subcommand}` : name!
}

/** @param name  as `commandName` has it */
export function isModelled(name: string): boolean {
  return name in MODELS
}

/** What Redis does not run for a script. */
const NOT_FROM_SCRIPT: ReadonlySet<string> = new Set([
  'BLPOP',
  'BRPOP',
  'BLMOVE',
  'BRPOPLPUSH',
  'BZPOPMIN',
  'BZPOPMAX',
])

/**
 * Runs a command on the data.
 * @param told  what the client was told, where Redis leaves something open
 * @returns its reply, of an error only the code; undefined where the models do not say
 */
export function modelReply(
  words: Words,
  data: PlainData,
  told: Reply | undefined,
  isInScript = false,
): Reply | undefined {
  const name = commandName(words)
  if (isInScript && NOT_FROM_SCRIPT.has(name)) return new RespError('ERR')
  try {
    const model = MODELS[name]
    if (model === undefined) throw new Unsaid()
    return model(words, data, told)
  } catch (error) {
    if (error instanceof Refusal) return new RespError(error.code)
    if (!(error instanceof Unsaid)) throw error
    for (const word of words) data.forget(word)
    return undefined
  }
}
