/**
 * script-words.ts: the scripts and libraries of the workload, and what they run.
 *
 * All of them run the commands that their arguments hold, so that each of those can be judged by itself.
 */
import { createHash } from 'node:crypto'
import { PAYLOADS } from '../harness/redis-model/payloads.ts'
import type { Words } from '../harness/redis-model/plain-data.ts'

/** Runs the commands that ARGV holds one behind the other, each after the number of its words. */
const RUN_ALL = `local at, replies = 1, {}
while at <= #ARGV do
  local count = tonumber(ARGV[at])
  replies[#replies + 1] = redis.pcall(unpack(ARGV, at + 1, at + count))
  at = at + count + 1
end`
/** Behind it: what each of them replied, or an error when all is written. */
const THEN_REPLY = ' return replies'
const THEN_DIE = ` error('died')`

/** A library with one function, which does with its arguments what such a script does. */
function libraryOf(name: string, ending: string): string {
  return `#!lua name=${name}
redis.register_function('${name}_run', function(_, ARGV)
${RUN_ALL}${ending}
end)`
}

/** That of the function that FCALL names. */
export const CALLED_LIBRARY = 'first'

/** Those that FUNCTION LOAD is given, by name; the last one is also known as a dump. */
export const LIBRARY_TEXTS: readonly (readonly [name: string, text: string])[] = [
  [CALLED_LIBRARY, libraryOf(CALLED_LIBRARY, THEN_REPLY)],
  [CALLED_LIBRARY, libraryOf(CALLED_LIBRARY, THEN_DIE)],
  ['second', libraryOf('second', THEN_REPLY)],
  [PAYLOADS.library.name, PAYLOADS.library.text],
]

function argsOf(commands: readonly Words[]): string[] {
  return commands.flatMap((command) => [String(command.length), ...command])
}

/** An EVAL of these commands. */
export function evalOf(commands: readonly Words[], dies: boolean): Words {
  return ['EVAL', RUN_ALL + (dies ? THEN_DIE : THEN_REPLY), '0', ...argsOf(commands)]
}

/** The same by the name of a function, or by the digest of the script. */
export function call(name: 'FCALL' | 'EVALSHA', commands: readonly Words[]): Words {
  const script = RUN_ALL + THEN_REPLY
  const named = name === 'FCALL' ? `${CALLED_LIBRARY}_run` : createHash('sha1').update(script).digest('hex')
  return [name, named, '0', ...argsOf(commands)]
}

/** What a command runs that runs others. */
export interface ScriptParts {
  readonly commands: readonly Words[]
  /** It ends in an error when all are run. */
  readonly dies: boolean
}

/**
 * @param libraryText  of the library that FCALL names; undefined: there is none
 * @returns undefined where nothing is run
 */
export function partsOfScript(words: Words, libraryText: string | undefined): ScriptParts | undefined {
  const commands: Words[] = []
  const args = words.slice(3)
  for (let at = 0; at < args.length; at += Number(args[at]) + 1)
    commands.push(args.slice(at + 1, at + 1 + Number(args[at])))
  const text = words[0] === 'FCALL' ? libraryText : words[1]!
  return text === undefined ? undefined : { commands, dies: text.includes(THEN_DIE) }
}
