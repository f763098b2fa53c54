/**
 * server.ts: gives the admin application its port. One of the few places that open sockets.
 */
import type { AddressInfo } from 'node:net'
import { buildAdmin } from './app.ts'
import type { AdminPorts } from './status.ts'

export interface AdminServer {
  /** The port it listens on; the one asked for, or a free one for 0. */
  readonly port: number
  close(): Promise<void>
}

/** @throws the system's error (EADDRINUSE, ...) when it cannot listen */
export async function listenAdmin(ports: AdminPorts, host: string, port: number): Promise<AdminServer> {
  const app = buildAdmin(ports)
  await app.listen({ host, port })
  const bound = app.server.address() as AddressInfo
  return { port: bound.port, close: () => app.close() }
}
