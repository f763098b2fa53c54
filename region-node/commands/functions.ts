/**
 * functions.ts: FCALL, FCALL_RO and FUNCTION.
 *
 * Libraries are data of the database, in every region (`scripts/libraries.ts`); the code is run by each region
 * for itself, so what a library keeps in its own variables is this node's alone.
 */
import { LIBRARY_DB } from '../../crdt/effects/key-effects.ts'
import { errors } from '../errors.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import { dumpLibraries, readDump } from '../scripts/function-dump.ts'
import type { Library } from '../scripts/libraries.ts'
import { type CommandContext, type CommandDef, defineCommands, NO_KEYS } from './command.ts'
import { container, helpOf } from './container.ts'
import { globMatch } from './glob.ts'
import { argsOf, isFlushMode, keyCountOf, keysOfScript } from './scripts.ts'

function call(readOnly: boolean): CommandDef['run'] {
  return ({ scripts }, words) => {
    const name = words[1]!
    if (scripts.libraries.find(name) === undefined) throw errors.noFunction
    const keyCount = keyCountOf(words, errors.badKeyCount)
    scripts.runFunction(name, words.slice(3, 3 + keyCount), argsOf(words, keyCount), readOnly)
  }
}

function store({ write }: CommandContext, { name, text }: Library): void {
  write.set(name, text, Number.POSITIVE_INFINITY, LIBRARY_DB)
}

function load(ctx: CommandContext, words: readonly string[]): void {
  const { libraries } = ctx.scripts
  for (let i = 2; i < words.length - 1; i++) {
    if (words[i]!.toLowerCase() !== 'replace') throw errors.unknownLoadOption(words[i]!)
  }
  const library = libraries.prepare(words.at(-1)!, words.length > 3, NOTHING)
  store(ctx, library)
  ctx.out.bulk(library.name)
}

function list({ scripts, out }: CommandContext, words: readonly string[]): void {
  let pattern: string | undefined
  let withCode = false
  for (let i = 2; i < words.length; i++) {
    const word = words[i]!.toLowerCase()
    if (word === 'withcode' && !withCode) {
      withCode = true
    } else if (word === 'libraryname' && pattern === undefined) {
      pattern = words[++i]
      if (pattern === undefined) throw errors.libraryNameMissing
    } else {
      throw errors.unknownListArgument(words[i]!)
    }
  }
  const shown = [...scripts.libraries.all()].filter(
    ({ name }) => pattern === undefined || globMatch(pattern, name, true),
  )
  out.array(shown.length)
  for (const library of shown) writeLibrary(out, library, withCode)
}

function writeLibrary(out: ReplyWriter, library: Library, withCode: boolean): void {
  out.map(withCode ? 4 : 3)
  out.bulk('library_name')
  out.bulk(library.name)
  out.bulk('engine')
  out.bulk('LUA')
  out.bulk('functions')
  out.array(library.functions.length)
  for (const { name, description, flags } of library.functions) {
    out.map(3)
    out.bulk('name')
    out.bulk(name)
    out.bulk('description')
    out.bulkOrNil(description)
    out.bulk('flags')
    out.set(flags.length)
    for (const flag of flags) out.simple(flag)
  }
  if (!withCode) return
  out.bulk('library_code')
  out.bulk(library.text)
}

function flush({ scripts, write }: CommandContext): void {
  if (scripts.libraries.count > 0) write.flush(LIBRARY_DB)
}

function restore(ctx: CommandContext, words: readonly string[]): void {
  const { libraries } = ctx.scripts
  const policy = (words[3] ?? 'append').toLowerCase()
  if (words.length > 4 || !/^(append|replace|flush)$/.test(policy)) throw errors.restorePolicy
  // Everything is looked at before the first is stored: nothing is taken back.
  const prepared = new Map<string, Library>()
  const texts = readDump(words[2]!, ctx.services.latin1)
  for (const text of texts) {
    const library = libraries.prepare(text, policy === 'replace', prepared, policy === 'flush')
    prepared.set(library.name, library)
  }
  if (policy === 'flush') flush(ctx)
  for (const library of prepared.values()) store(ctx, library)
  ctx.out.ok()
}

const NOTHING: ReadonlyMap<string, Library> = new Map()

const calling = {
  arity: -3,
  keys: NO_KEYS,
  keysOf: keysOfScript,
  group: 'scripting',
  since: '7.0.0',
  complexity: 'Depends on the function that is executed.',
} as const

const subcommand = { keys: NO_KEYS, group: 'scripting', since: '7.0.0' } as const

export const functionCommands = defineCommands([
  {
    ...calling,
    name: 'fcall',
    flags: ['noscript', 'stale', 'skip_monitor', 'no_mandatory_keys', 'movablekeys'],
    uses: ['RW'],
    summary: 'Invokes a function.',
    syntax: 'function numkeys [key ...] [arg ...]',
    run: call(false),
  },
  {
    ...calling,
    name: 'fcall_ro',
    flags: ['readonly', 'noscript', 'stale', 'skip_monitor', 'no_mandatory_keys', 'movablekeys'],
    summary: 'Invokes a read-only function.',
    syntax: 'function numkeys [key ...] [arg ...]',
    run: call(true),
  },
  container({
    name: 'function',
    group: 'scripting',
    since: '7.0.0',
    summary: 'A container for function commands.',
    subcommands: [
      {
        ...subcommand,
        name: 'function|load',
        arity: -3,
        flags: ['write', 'denyoom', 'noscript'],
        request: 'all_shards',
        response: 'all_succeeded',
        summary: 'Creates a library.',
        syntax: '[REPLACE] function-code',
        complexity: 'O(1) (considering compilation time is redundant)',
        run: load,
      },
      {
        ...subcommand,
        name: 'function|delete',
        arity: 3,
        flags: ['write', 'noscript'],
        request: 'all_shards',
        response: 'all_succeeded',
        summary: 'Deletes a library and its functions.',
        syntax: 'library-name',
        complexity: 'O(1)',
        run: ({ scripts, write, out }, words) => {
          if (scripts.libraries.get(words[2]!) === undefined) throw errors.noLibrary
          write.clear(words[2]!, LIBRARY_DB)
          out.ok()
        },
      },
      {
        ...subcommand,
        name: 'function|flush',
        arity: -2,
        flags: ['write', 'noscript'],
        request: 'all_shards',
        response: 'all_succeeded',
        summary: 'Deletes all libraries and functions.',
        syntax: '[ASYNC|SYNC]',
        complexity: 'O(N) where N is the number of functions deleted',
        run: (ctx, words) => {
          if (words.length > 3) throw errors.unknownSubcommandOrArity('function', 'flush')
          if (!isFlushMode(words)) throw errors.functionFlushMode
          flush(ctx)
          ctx.out.ok()
        },
      },
      {
        ...subcommand,
        name: 'function|list',
        arity: -2,
        flags: ['noscript'],
        summary: 'Returns information about all libraries.',
        syntax: '[LIBRARYNAME library-name-pattern] [WITHCODE]',
        complexity: 'O(N) where N is the number of functions',
        run: list,
      },
      {
        ...subcommand,
        name: 'function|dump',
        arity: 2,
        flags: ['noscript'],
        summary: 'Dumps all libraries into a serialized binary payload.',
        complexity: 'O(N) where N is the number of functions',
        run: ({ scripts, services, out }) => {
          const texts = Array.from(scripts.libraries.all(), ({ text }) => text)
          out.bulk(dumpLibraries(texts, services.latin1))
        },
      },
      {
        ...subcommand,
        name: 'function|restore',
        arity: -3,
        flags: ['write', 'denyoom', 'noscript'],
        request: 'all_shards',
        response: 'all_succeeded',
        summary: 'Restores all libraries from a payload.',
        syntax: 'serialized-value [FLUSH|APPEND|REPLACE]',
        complexity: 'O(N) where N is the number of functions on the payload',
        run: restore,
      },
      {
        ...subcommand,
        name: 'function|stats',
        arity: 2,
        flags: ['noscript', 'allow_busy'],
        summary: 'Returns information about a function during execution.',
        complexity: 'O(1)',
        run: ({ scripts, out }) => {
          out.map(2)
          out.bulk('running_script')
          // Who asks is served, so nothing runs.
          out.nil()
          out.bulk('engines')
          out.map(1)
          out.bulk('LUA')
          out.map(2)
          out.bulk('libraries_count')
          out.integer(scripts.libraries.count)
          out.bulk('functions_count')
          out.integer(scripts.libraries.functionCount)
        },
      },
      {
        ...subcommand,
        name: 'function|kill',
        arity: 2,
        flags: ['noscript', 'allow_busy'],
        summary: 'Terminates a function during execution.',
        complexity: 'O(1)',
        run: () => {
          throw errors.notBusy
        },
      },
      helpOf('function', 'scripting', '7.0.0', [
        'LOAD [REPLACE] <FUNCTION CODE>',
        '    Create a new library with the given library name and code.',
        'DELETE <LIBRARY NAME>',
        '    Delete the given library.',
        'LIST [LIBRARYNAME PATTERN] [WITHCODE]',
        '    Return general information on all the libraries:',
        '    * Library name',
        '    * The engine used to run the Library',
        '    * Library description',
        '    * Functions list',
        '    * Library code (if WITHCODE is given)',
        '    It also possible to get only function that matches a pattern using LIBRARYNAME argument.',
        'STATS',
        '    Return information about the current function running:',
        '    * Function name',
        '    * Command used to run the function',
        '    * Duration in MS that the function is running',
        '    If no function is running, return nil',
        '    In addition, returns a list of available engines.',
        'KILL',
        '    Kill the current running function.',
        'FLUSH [ASYNC|SYNC]',
        '    Delete all the libraries.',
        '    When called without the optional mode argument, the behavior is determined by the',
        '    lazyfree-lazy-user-flush configuration directive. Valid modes are:',
        '    * ASYNC: Asynchronously flush the libraries.',
        '    * SYNC: Synchronously flush the libraries.',
        'DUMP',
        '    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command',
        'RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]',
        '    Restore the libraries represented by the given payload, it is possible to give a restore policy to',
        '    control how to handle existing libraries (default APPEND):',
        '    * FLUSH: delete all existing libraries.',
        '    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.',
        '    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old',
        '      libraries with the new libraries (notice that even on this option there is a chance of failure',
        '      in case of functions name collision with another library).',
      ]),
    ],
  }),
])
