/**
 * pubsub.ts: the commands of publish and subscribe.
 *
 * A message goes to those who listen at this node at once, to the other nodes of the region, and to the regions that
 * are connected, where it is not told before everything its publisher had seen is there (semantics.md, PUBLISH;
 * sync/publications.ts). The number that PUBLISH answers is that of this node: nobody waits for the others.
 */
import type { ChannelKind } from '../../sync/ports.ts'
import type { ListenKind } from '../engine/channels.ts'
import { commandError } from '../errors.ts'
import { type CommandContext, type CommandDef, type CommandFlag, defineCommands, NO_KEYS } from './command.ts'
import { container, helpOf } from './container.ts'
import { globMatch } from './glob.ts'

const LISTEN_FLAGS: readonly CommandFlag[] = ['pubsub', 'noscript', 'loading', 'stale']
const LOOK_FLAGS: readonly CommandFlag[] = ['pubsub', 'loading', 'stale']

/** What listening concerns: at the port of the sentinel too. */
type ListenContext = Pick<CommandContext, 'session' | 'out' | 'channels'>
type Listen = (ctx: ListenContext, words: readonly string[]) => void

/** How many names of the command's own family the client listens to: shard channels are counted apart. */
function countFor({ session, channels }: ListenContext, kind: ListenKind): number {
  if (kind === 'shard') return channels.countOf(session, 'shard')
  return channels.countOf(session, 'channel') + channels.countOf(session, 'pattern')
}

function answer(ctx: ListenContext, what: string, kind: ListenKind, name: string | undefined): void {
  ctx.out.push(3)
  ctx.out.bulk(what)
  ctx.out.bulkOrNil(name)
  ctx.out.integer(countFor(ctx, kind))
}

export function listen(what: string, kind: ListenKind): Listen {
  return (ctx, words) => {
    for (const name of words.slice(1)) {
      ctx.channels.listen(ctx.session, kind, name)
      answer(ctx, what, kind, name)
    }
  }
}

/** Without a name: all of that kind. */
export function leave(what: string, kind: ListenKind): Listen {
  return (ctx, words) => {
    const names = words.length > 1 ? words.slice(1) : ctx.channels.namesOf(ctx.session, kind)
    for (const name of names) {
      ctx.channels.leave(ctx.session, kind, name)
      answer(ctx, what, kind, name)
    }
    if (names.length === 0) answer(ctx, what, kind, undefined)
  }
}

function publish(kind: ChannelKind): CommandDef['run'] {
  return ({ channels, services, out }, words) => {
    const [, channel, message] = words
    services.publish(kind, channel!, message!)
    out.integer(channels.tell(kind, channel!, message!))
  }
}

function channelNames(kind: ChannelKind): CommandDef['run'] {
  return ({ channels, out }, words) => {
    if (words.length > 3) {
      throw commandError(
        `ERR unknown subcommand or wrong number of arguments for '${words[1]}'. Try PUBSUB HELP.`,
      )
    }
    const pattern = words[2]
    out.words([...channels.names(kind)].filter((name) => pattern === undefined || globMatch(pattern, name)))
  }
}

function listenerCounts(kind: ChannelKind): CommandDef['run'] {
  return ({ channels, out }, words) => {
    out.map(words.length - 2)
    for (const name of words.slice(2)) {
      out.bulk(name)
      out.integer(channels.listenerCount(kind, name))
    }
  }
}

const pubsubCommand = container({
  name: 'pubsub',
  group: 'pubsub',
  since: '2.8.0',
  summary: 'A container for Pub/Sub commands.',
  subcommands: [
    {
      name: 'pubsub|channels',
      arity: -2,
      flags: LOOK_FLAGS,
      keys: NO_KEYS,
      group: 'pubsub',
      since: '2.8.0',
      summary: 'Returns the active channels.',
      syntax: '[pattern]',
      complexity: 'O(N) where N is the number of active channels.',
      run: channelNames('channel'),
    },
    {
      name: 'pubsub|numpat',
      arity: 2,
      flags: LOOK_FLAGS,
      keys: NO_KEYS,
      group: 'pubsub',
      since: '2.8.0',
      summary: 'Returns the number of patterns that clients listen to.',
      complexity: 'O(1)',
      run: ({ channels, out }) => out.integer(channels.nameCount('pattern')),
    },
    {
      name: 'pubsub|numsub',
      arity: -2,
      flags: LOOK_FLAGS,
      keys: NO_KEYS,
      group: 'pubsub',
      since: '2.8.0',
      summary: 'Returns the number of subscribers of channels.',
      syntax: '[channel ...]',
      complexity: 'O(N) where N is the number of requested channels.',
      run: listenerCounts('channel'),
    },
    {
      name: 'pubsub|shardchannels',
      arity: -2,
      flags: LOOK_FLAGS,
      keys: NO_KEYS,
      group: 'pubsub',
      since: '7.0.0',
      summary: 'Returns the active shard channels.',
      syntax: '[pattern]',
      complexity: 'O(N) where N is the number of active shard channels.',
      run: channelNames('shard'),
    },
    {
      name: 'pubsub|shardnumsub',
      arity: -2,
      flags: LOOK_FLAGS,
      keys: NO_KEYS,
      group: 'pubsub',
      since: '7.0.0',
      summary: 'Returns the number of subscribers of shard channels.',
      syntax: '[shardchannel ...]',
      complexity: 'O(N) where N is the number of requested shard channels.',
      run: listenerCounts('shard'),
    },
    helpOf(
      'pubsub',
      'pubsub',
      '6.2.0',
      [
        'CHANNELS [<pattern>]',
        "    Return the currently active channels matching a <pattern> (default: '*').",
        'NUMPAT',
        '    Return number of subscriptions to patterns.',
        'NUMSUB [<channel> ...]',
        '    Return the number of subscribers for the specified channels, excluding',
        '    pattern subscriptions(default: no channels).',
        'SHARDCHANNELS [<pattern>]',
        "    Return the currently active shard level channels matching a <pattern> (default: '*').",
        'SHARDNUMSUB [<shardchannel> ...]',
        '    Return the number of subscribers for the specified shard level channel(s)',
      ],
      [],
    ),
  ],
})

export const pubsubCommands = defineCommands([
  {
    name: 'subscribe',
    arity: -2,
    flags: LISTEN_FLAGS,
    keys: NO_KEYS,
    channels: 'names',
    group: 'pubsub',
    since: '2.0.0',
    summary: 'Listens for messages published to channels.',
    syntax: 'channel [channel ...]',
    complexity: 'O(N) where N is the number of channels to subscribe to.',
    run: listen('subscribe', 'channel'),
  },
  {
    name: 'unsubscribe',
    arity: -1,
    flags: LISTEN_FLAGS,
    keys: NO_KEYS,
    group: 'pubsub',
    since: '2.0.0',
    summary: 'Stops listening to messages posted to channels.',
    syntax: '[channel ...]',
    complexity: 'O(N) where N is the number of channels to unsubscribe.',
    run: leave('unsubscribe', 'channel'),
  },
  {
    name: 'psubscribe',
    arity: -2,
    flags: LISTEN_FLAGS,
    keys: NO_KEYS,
    channels: 'patterns',
    group: 'pubsub',
    since: '2.0.0',
    summary: 'Listens for messages published to channels that match one or more patterns.',
    syntax: 'pattern [pattern ...]',
    complexity: 'O(N) where N is the number of patterns to subscribe to.',
    run: listen('psubscribe', 'pattern'),
  },
  {
    name: 'punsubscribe',
    arity: -1,
    flags: LISTEN_FLAGS,
    keys: NO_KEYS,
    group: 'pubsub',
    since: '2.0.0',
    summary: 'Stops listening to messages published to channels that match one or more patterns.',
    syntax: '[pattern ...]',
    complexity: 'O(N) where N is the number of patterns to unsubscribe.',
    run: leave('punsubscribe', 'pattern'),
  },
  {
    name: 'ssubscribe',
    arity: -2,
    flags: LISTEN_FLAGS,
    keys: { first: 1, last: -1, step: 1 },
    channels: 'names',
    group: 'pubsub',
    since: '7.0.0',
    summary: 'Listens for messages published to shard channels.',
    syntax: 'shardchannel [shardchannel ...]',
    complexity: 'O(N) where N is the number of shard channels to subscribe to.',
    run: listen('ssubscribe', 'shard'),
  },
  {
    name: 'sunsubscribe',
    arity: -1,
    flags: LISTEN_FLAGS,
    keys: { first: 1, last: -1, step: 1 },
    group: 'pubsub',
    since: '7.0.0',
    summary: 'Stops listening to messages posted to shard channels.',
    syntax: '[shardchannel ...]',
    complexity: 'O(N) where N is the number of shard channels to unsubscribe.',
    run: leave('sunsubscribe', 'shard'),
  },
  {
    name: 'publish',
    arity: 3,
    flags: ['pubsub', 'loading', 'stale', 'fast'],
    keys: NO_KEYS,
    channels: 'first',
    group: 'pubsub',
    since: '2.0.0',
    summary: 'Posts a message to a channel, in every region that is connected.',
    syntax: 'channel message',
    complexity: 'O(N+M) where N is the number of clients subscribed to the channel and M of all patterns.',
    run: publish('channel'),
  },
  {
    name: 'spublish',
    arity: 3,
    flags: ['pubsub', 'loading', 'stale', 'fast'],
    keys: { first: 1, last: 1, step: 1 },
    channels: 'first',
    group: 'pubsub',
    since: '7.0.0',
    summary: 'Posts a message to a shard channel, in every region that is connected.',
    syntax: 'shardchannel message',
    complexity: 'O(N) where N is the number of clients subscribed to the shard channel.',
    run: publish('shard'),
  },
  pubsubCommand,
])
