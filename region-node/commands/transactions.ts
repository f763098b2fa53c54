/**
 * transactions.ts: MULTI, EXEC, DISCARD, WATCH, UNWATCH.
 *
 * Queueing is the engine's: it keeps every command but these few back while `session.queue` is defined.
 * An EXEC is one op, so all of it becomes visible together in every region, or none of it.
 */
import { errors } from '../errors.ts'
import { type CommandContext, defineCommands, NO_KEYS } from './command.ts'

function watch(ctx: CommandContext, words: readonly string[]): void {
  const { session, db } = ctx
  if (session.queue !== undefined) throw errors.watchInsideMulti
  // Once a watched key has changed the next EXEC fails whatever else happens.
  for (let i = 1; i < words.length && !session.watchDirty; i++) {
    const key = words[i]!
    // Watched already: what counts is what has happened since the first WATCH.
    if (session.watched.some((one) => one.key === key && one.db === db)) continue
    ctx.transaction.watch(session, db, key)
  }
  ctx.out.ok()
}

export const transactionCommands = defineCommands([
  {
    name: 'multi',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
    keys: NO_KEYS,
    group: 'transactions',
    since: '1.2.0',
    summary: 'Starts a transaction.',
    complexity: 'O(1)',
    run: ({ session, out }) => {
      if (session.queue !== undefined) throw errors.nestedMulti
      session.queue = []
      session.queueBroken = false
      out.ok()
    },
  },
  {
    name: 'exec',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'skip_slowlog'],
    keys: NO_KEYS,
    group: 'transactions',
    since: '1.2.0',
    summary: 'Executes all commands in a transaction.',
    complexity: 'Depends on commands in the transaction',
    run: ({ session, transaction }) => {
      if (session.queue === undefined) throw errors.execWithoutMulti
      transaction.exec(session)
    },
  },
  {
    name: 'discard',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
    keys: NO_KEYS,
    group: 'transactions',
    since: '2.0.0',
    summary: 'Discards a transaction.',
    complexity: 'O(N), when N is the number of queued commands',
    run: ({ session, transaction, out }) => {
      if (session.queue === undefined) throw errors.discardWithoutMulti
      session.queue = undefined
      session.queueBroken = false
      transaction.unwatch(session)
      out.ok()
    },
  },
  {
    name: 'watch',
    arity: -2,
    flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
    keys: { first: 1, last: -1, step: 1 },
    uses: [''],
    group: 'transactions',
    since: '2.2.0',
    summary: 'Monitors changes to keys to determine the execution of a transaction.',
    syntax: 'key [key ...]',
    complexity: 'O(1) for every key.',
    run: watch,
  },
  {
    name: 'unwatch',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
    keys: NO_KEYS,
    group: 'transactions',
    since: '2.2.0',
    summary: 'Forgets about watched keys of a transaction.',
    complexity: 'O(1)',
    run: ({ session, transaction, out }) => {
      transaction.unwatch(session)
      out.ok()
    },
  },
])
