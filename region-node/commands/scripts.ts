/**
 * scripts.ts: EVAL, EVALSHA, their read-only forms, and SCRIPT.
 *
 * How a script runs is told in `scripts/runner.ts`. SCRIPT KILL answers what it answers in Redis when nothing
 * runs: commands are run by one thread, so while a script runs nobody is heard.
 */
import { errors } from '../errors.ts'
import type { Script } from '../scripts/port.ts'
import { type CommandContext, type CommandDef, defineCommands, NO_KEYS } from './command.ts'
import { container, helpOf } from './container.ts'
import { parseInt64 } from './parse.ts'

const FIRST_KEY = 3
const SHA_LENGTH = 40

/** How many of the words behind `numkeys` are keys. @throws CommandError */
export function keyCountOf(words: readonly string[], otherwise = errors.notInteger): number {
  const count = parseInt64(words[2]!, otherwise)
  if (count > words.length - FIRST_KEY) throw errors.tooManyKeys
  if (count < 0) throw errors.negativeKeys
  return Number(count)
}

/** For COMMAND GETKEYS and access control. */
export function keysOfScript(words: readonly string[]): string[] {
  return words.slice(FIRST_KEY, FIRST_KEY + keyCountOf(words))
}

/** The arguments of a script are the words behind its keys. */
export function argsOf(words: readonly string[], keyCount: number): readonly string[] {
  return words.slice(FIRST_KEY + keyCount)
}

function run(ctx: CommandContext, words: readonly string[], find: () => Script, readOnly: boolean): void {
  const keyCount = keyCountOf(words)
  const script = find()
  ctx.scripts.run(script, words.slice(FIRST_KEY, FIRST_KEY + keyCount), argsOf(words, keyCount), readOnly)
}

function evaluate(readOnly: boolean): CommandDef['run'] {
  return (ctx, words) => run(ctx, words, () => ctx.scripts.take(words[1]!), readOnly)
}

function evaluateSha(readOnly: boolean): CommandDef['run'] {
  return (ctx, words) => {
    const sha = words[1]!
    if (sha.length !== SHA_LENGTH) throw errors.noScript
    run(
      ctx,
      words,
      () => {
        const script = ctx.scripts.cache.get(sha.toLowerCase())
        if (script === undefined) throw errors.noScript
        return script
      },
      readOnly,
    )
  }
}

/** SYNC and ASYNC are the same here. @returns whether the words behind the subcommand are right */
export function isFlushMode(words: readonly string[]): boolean {
  return words.length === 2 || (words.length === 3 && /^a?sync$/i.test(words[2]!))
}

const scripting = {
  arity: -3,
  keys: NO_KEYS,
  keysOf: keysOfScript,
  group: 'scripting',
  complexity: 'Depends on the script that is executed.',
} as const

const subcommand = { keys: NO_KEYS, group: 'scripting', since: '2.6.0' } as const

export const scriptCommands = defineCommands([
  {
    ...scripting,
    name: 'eval',
    flags: ['noscript', 'stale', 'skip_monitor', 'no_mandatory_keys', 'movablekeys'],
    uses: ['RW'],
    since: '2.6.0',
    summary: 'Executes a server-side Lua script.',
    syntax: 'script numkeys [key ...] [arg ...]',
    run: evaluate(false),
  },
  {
    ...scripting,
    name: 'evalsha',
    flags: ['noscript', 'stale', 'skip_monitor', 'no_mandatory_keys', 'movablekeys'],
    uses: ['RW'],
    since: '2.6.0',
    summary: 'Executes a server-side Lua script by SHA1 digest.',
    syntax: 'sha1 numkeys [key ...] [arg ...]',
    run: evaluateSha(false),
  },
  {
    ...scripting,
    name: 'eval_ro',
    flags: ['readonly', 'noscript', 'stale', 'skip_monitor', 'no_mandatory_keys', 'movablekeys'],
    since: '7.0.0',
    summary: 'Executes a read-only server-side Lua script.',
    syntax: 'script numkeys [key ...] [arg ...]',
    run: evaluate(true),
  },
  {
    ...scripting,
    name: 'evalsha_ro',
    flags: ['readonly', 'noscript', 'stale', 'skip_monitor', 'no_mandatory_keys', 'movablekeys'],
    since: '7.0.0',
    summary: 'Executes a read-only server-side Lua script by SHA1 digest.',
    syntax: 'sha1 numkeys [key ...] [arg ...]',
    run: evaluateSha(true),
  },
  container({
    name: 'script',
    group: 'scripting',
    since: '2.6.0',
    summary: 'A container for Lua scripts management commands.',
    subcommands: [
      {
        ...subcommand,
        name: 'script|load',
        arity: 3,
        flags: ['noscript', 'stale'],
        request: 'all_nodes',
        response: 'all_succeeded',
        summary: 'Loads a server-side Lua script to the script cache.',
        syntax: 'script',
        complexity: 'O(N) with N being the length in bytes of the script body.',
        run: ({ scripts, out }, words) => out.bulk(scripts.take(words[2]!).sha),
      },
      {
        ...subcommand,
        name: 'script|exists',
        arity: -3,
        flags: ['noscript'],
        request: 'all_shards',
        response: 'agg_logical_and',
        summary: 'Determines whether server-side Lua scripts exist in the script cache.',
        syntax: 'sha1 [sha1 ...]',
        complexity:
          'O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).',
        run: ({ scripts, out }, words) => {
          out.array(words.length - 2)
          for (let i = 2; i < words.length; i++) {
            out.integer(scripts.cache.get(words[i]!.toLowerCase()) === undefined ? 0 : 1)
          }
        },
      },
      {
        ...subcommand,
        name: 'script|flush',
        arity: -2,
        flags: ['noscript'],
        request: 'all_nodes',
        response: 'all_succeeded',
        summary: 'Removes all server-side Lua scripts from the script cache.',
        syntax: '[ASYNC|SYNC]',
        complexity: 'O(N) with N being the number of scripts in cache',
        run: ({ scripts, out }, words) => {
          if (!isFlushMode(words)) throw errors.scriptFlushMode
          scripts.flush()
          out.ok()
        },
      },
      {
        ...subcommand,
        name: 'script|kill',
        arity: 2,
        flags: ['noscript', 'allow_busy'],
        summary: 'Terminates a server-side Lua script during execution.',
        complexity: 'O(1)',
        run: () => {
          throw errors.notBusy
        },
      },
      {
        ...subcommand,
        name: 'script|debug',
        arity: 3,
        flags: ['noscript'],
        since: '3.2.0',
        summary: 'Sets the debug mode of server-side Lua scripts.',
        syntax: '<YES|SYNC|NO>',
        complexity: 'O(1)',
        run: ({ out }, words) => {
          const mode = words[2]!.toLowerCase()
          if (mode === 'yes' || mode === 'sync') throw errors.scriptDebugger
          if (mode !== 'no') throw errors.scriptDebugMode
          out.ok()
        },
      },
      helpOf('script', 'scripting', '5.0.0', [
        'DEBUG (YES|SYNC|NO)',
        '    Set the debug mode for subsequent scripts executed.',
        'EXISTS <sha1> [<sha1> ...]',
        '    Return information about the existence of the scripts in the script cache.',
        'FLUSH [ASYNC|SYNC]',
        '    Flush the Lua scripts cache. Very dangerous on replicas.',
        '    When called without the optional mode argument, the behavior is determined by the',
        '    lazyfree-lazy-user-flush configuration directive. Valid modes are:',
        '    * ASYNC: Asynchronously flush the scripts cache.',
        '    * SYNC: Synchronously flush the scripts cache.',
        'KILL',
        '    Kill the currently executing Lua script.',
        'LOAD <script>',
        '    Load a script into the scripts cache without executing it.',
      ]),
    ],
  }),
])
