/**
 * door.ts: the port at which a node is a Redis Sentinel: a listener like that of Redis clients, with other
 * commands behind it. Nothing is written there, so its replies wait for no log.
 */
import type { CommandSink, TurnPort } from '../server/connection.ts'
import { ClientListener, type ListenerPorts } from '../server/listener.ts'

/** @param sink  see `sentinel.ts` */
export function sentinelDoor(
  host: string,
  port: number,
  sink: CommandSink,
  ports: Omit<ListenerPorts, 'sink' | 'turn' | 'peers'>,
): ClientListener {
  const turn: TurnPort = { touch: (connection) => ports.env.defer(() => connection.flush()) }
  return new ClientListener({ host, port, tls: undefined }, { ...ports, sink, turn, peers: undefined })
}
