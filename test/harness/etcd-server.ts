/**
 * etcd-server.ts: an etcd for a test: on free ports, with its data in a folder of its own.
 *
 * Invariant: `stop` removes the folder.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EtcdMembers, type TlsFiles } from '../../compose/cluster/etcd-members.ts'
import { freePorts } from './free-ports.ts'

export { etcdIsInstalled } from '../../compose/cluster/etcd-members.ts'

export class EtcdServer extends EtcdMembers {
  static async start(size: 1 | 3, tls?: TlsFiles): Promise<EtcdServer> {
    const folder = mkdtempSync(join(tmpdir(), 'causeway-etcd-'))
    const server = new EtcdServer(folder, await freePorts(2 * size), tls)
    server.launchAll()
    // Over TLS nobody here knows the certificate; whoever asked for it waits for himself.
    if (tls === undefined) await server.serves()
    return server
  }

  async stop(): Promise<void> {
    await this.end()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
