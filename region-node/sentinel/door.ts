/**
 * door.ts: the ports at which a node is a Redis Sentinel, plain and TLS: a listener like that of Redis clients, with
 * other commands behind it. Nothing is written there, so its replies wait for no log.
 */
import type { CommandSink, TurnPort } from '../server/connection.ts'
import { ClientListener, type Doors, type ListenerPorts } from '../server/listener.ts'

/** @param sink  see `sentinel.ts` */
export function sentinelDoor(
  doors: Doors,
  sink: CommandSink,
  ports: Omit<ListenerPorts, 'sink' | 'turn' | 'peers'>,
): ClientListener {
  const turn: TurnPort = { touch: (connection) => ports.env.defer(() => connection.flush()) }
  return new ClientListener(doors, { ...ports, sink, turn, peers: undefined })
}
