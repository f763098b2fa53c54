/**
 * sentinel.ts: a node as a Redis Sentinel: who is primary, for clients that ask a Sentinel before they connect.
 *
 * It runs the commands of the connections at its own port, over what the topology says, and tells those who
 * listen what happens (`+switch-master`). It watches nobody and decides nothing: that is the coordinator's.
 */
import type { AccessControl } from '../acl/access-control.ts'
import type { Topology } from '../cluster/topology.ts'
import type { Services } from '../commands/services.ts'
import type { Session } from '../commands/session.ts'
import { Channels } from '../engine/channels.ts'
import { CommandError, errors } from '../errors.ts'
import type { CommandSink } from '../server/connection.ts'
import { SENTINEL_COMMANDS, type SentinelCommand } from './commands.ts'
import { eventsOf, Masters } from './masters.ts'

export interface SentinelParts {
  readonly region: string
  /** 40 hexadecimal digits. */
  readonly id: string
  readonly access: AccessControl
  readonly services: Pick<Services, 'wallMs'>
}

export class Sentinel implements CommandSink {
  readonly #parts: SentinelParts
  readonly #masters: Masters
  /** Those who speak no TLS, and those who do: they are told of different ports. */
  readonly #listeners = { plain: new Channels(), tls: new Channels() }

  constructor(parts: SentinelParts) {
    this.#parts = parts
    this.#masters = new Masters(parts.region)
  }

  /** From now on that is how the cluster looks: those who listen hear the difference. */
  topologyChanged(topology: Topology): void {
    const changes = this.#masters.update(topology)
    for (const [channels, isTls] of [
      [this.#listeners.plain, false],
      [this.#listeners.tls, true],
    ] as const) {
      for (const change of changes)
        for (const { channel, message } of eventsOf(change, isTls)) channels.tell('channel', channel, message)
      channels.handOut()
    }
  }

  open(session: Session): void {
    session.user = this.#parts.access.first
  }

  close(session: Session): void {
    this.#channelsFor(session).leaveAll(session)
  }

  execute(session: Session, words: readonly string[]): void {
    const { access, services, id } = this.#parts
    const mark = session.out.mark()
    try {
      const command = find(words)
      if (session.user === undefined && !command.isForStrangers) throw errors.noAuth
      if (session.subscriptions > 0 && session.out.protocol === 2 && !command.isForListeners)
        throw errors.onlySubscriber(command.name)
      session.lastCommand = command.name
      const [channels, masters] = [this.#channelsFor(session), this.#masters]
      command.run({ session, out: session.out, channels, access, services, masters, id }, words)
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      session.out.rollback(mark)
      session.out.error(error.line)
    }
  }

  #channelsFor({ isTls }: Session): Channels {
    return isTls ? this.#listeners.tls : this.#listeners.plain
  }
}

const COMMANDS: ReadonlyMap<string, SentinelCommand> = new Map(
  SENTINEL_COMMANDS.map((command) => [command.name, command]),
)
const CONTAINERS: ReadonlySet<string> = new Set(
  SENTINEL_COMMANDS.filter(({ name }) => name.includes('|')).map(({ name }) => name.split('|')[0]!),
)

/** @throws CommandError in Redis's words when there is none, or it takes another number of words */
function find(words: readonly string[]): SentinelCommand {
  const name = words[0]!.toLowerCase()
  const isContainer = CONTAINERS.has(name)
  if (isContainer && words.length < 2) throw errors.wrongArity(name)
  const found = COMMANDS.get(isContainer ? `${name}|${words[1]!.toLowerCase()}` : name)
  if (found === undefined)
    throw isContainer ? errors.unknownSubcommand(name, words[1]!) : errors.unknownCommand(words)
  const { arity } = found
  if (arity > 0 ? words.length !== arity : words.length < -arity) throw errors.wrongArity(found.name)
  return found
}
