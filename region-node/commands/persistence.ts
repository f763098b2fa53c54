/**
 * persistence.ts: SAVE, BGSAVE and LASTSAVE.
 *
 * Both make the same snapshot, a slice at a time while everybody is served; they differ in when they answer.
 * A SAVE answers when the snapshot is durable. In Redis it stops the whole server until then; here it holds
 * up only the client that asked, and the snapshot is that of the moment of the call.
 */
import { commandError, errors } from '../errors.ts'
import { type CommandContext, type CommandDef, defineCommands, NO_KEYS } from './command.ts'

const saveInProgress = commandError('ERR Background save already in progress')

const BACKGROUND: CommandDef['flags'] = ['admin', 'noscript', 'no_async_loading']

function save({ session, services }: CommandContext): void {
  if (services.snapshots.isRunning) throw saveInProgress
  // Replies that the client switched off are taken back when the command ends, which is too early here.
  const isSilent = session.replyMode !== 'on'
  let isGone = false
  session.blocked = {
    cancel: () => {
      isGone = true
    },
  }
  services.snapshots.make((failure) => {
    if (isGone) return
    session.blocked = undefined
    if (!isSilent) {
      if (failure === undefined) session.out.ok()
      else session.out.error(`ERR the snapshot was not written: ${failure}`)
    }
    session.resume()
  })
}

function backgroundSave({ out, services, inTransaction }: CommandContext, words: readonly string[]): void {
  if (words.length > 2 || (words.length === 2 && words[1]!.toLowerCase() !== 'schedule')) throw errors.syntax
  if (services.snapshots.isRunning) throw saveInProgress
  services.snapshots.make()
  out.simple(inTransaction ? 'Background saving scheduled' : 'Background saving started')
}

/** What makes the log shorter here is a snapshot. */
function rewriteLog({ out, services }: CommandContext): void {
  if (services.snapshots.isRunning) throw saveInProgress
  services.snapshots.make()
  out.simple('Background append only file rewriting started')
}

export const persistenceCommands = defineCommands([
  {
    name: 'save',
    arity: 1,
    flags: [...BACKGROUND, 'no_multi'],
    keys: NO_KEYS,
    group: 'server',
    since: '1.0.0',
    summary: 'Synchronously saves the database(s) to disk.',
    complexity: 'O(N) where N is the total number of keys in all databases',
    run: save,
  },
  {
    name: 'bgsave',
    arity: -1,
    flags: BACKGROUND,
    keys: NO_KEYS,
    group: 'server',
    since: '1.0.0',
    summary: 'Asynchronously saves the database(s) to disk.',
    syntax: '[SCHEDULE]',
    complexity: 'O(1)',
    run: backgroundSave,
  },
  {
    name: 'bgrewriteaof',
    arity: 1,
    flags: BACKGROUND,
    keys: NO_KEYS,
    group: 'server',
    since: '1.0.0',
    summary: 'Makes a snapshot, so that the log before it may go.',
    complexity: 'O(1)',
    run: rewriteLog,
  },
  {
    name: 'lastsave',
    arity: 1,
    categories: ['admin', 'dangerous'],
    flags: ['loading', 'stale', 'fast'],
    keys: NO_KEYS,
    group: 'server',
    since: '1.0.0',
    summary: 'Returns the Unix timestamp of the last successful save to disk.',
    complexity: 'O(1)',
    run: ({ out, services }) => out.integer(services.snapshots.lastSaveSeconds),
  },
])
