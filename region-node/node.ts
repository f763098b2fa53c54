/**
 * node.ts: builds a node that serves: the core, the RESP listener, the WebSocket transport, the admin
 * server.
 *
 * Order of a start: folder locked, admin server, listener; then the data folder is read, while commands get
 * LOADING, /health answers and /ready says how far it is; then peers, then everything is served. Order of a
 * stop: no new clients, no peers, all that was written made durable, folder released.
 */
import { createHash, createHmac } from 'node:crypto'
import type { Logger } from 'pino'
import { LIBRARY_DB } from '../crdt/effects/key-effects.ts'
import type { LinkStatus } from '../sync/link-status.ts'
import { isRefusal } from '../sync/reason.ts'
import { type LinkTls, WsTransport } from '../sync/transport-ws.ts'
import type { AdminServer } from './admin/server.ts'
import type { NodeStatus, PeerStatus, RegionStatus } from './admin/status.ts'
import type { RunningNode } from './cli/host.ts'
import { ClusterView } from './cluster/cluster-view.ts'
import { Configuration } from './cluster/configuration.ts'
import { NodeAgent } from './cluster/node-agent.ts'
import { commandTable } from './commands/families.ts'
import type { RegionState } from './commands/services.ts'
import type { Session } from './commands/session.ts'
import type { Settings } from './config.ts'
import { NodeCore } from './core.ts'
import type { Env } from './env.ts'
import { stallThread } from './env-node.ts'
import { errors } from './errors.ts'
import type { HostFacts } from './info.ts'
import { nodeLatin1 } from './latin1-node.ts'
import { Loading } from './loading.ts'
import { type Front, NodeServices } from './node-services.ts'
import { processFacts } from './process-facts.ts'
import { dialler } from './proxy/dial.ts'
import { homeAt } from './proxy/home.ts'
import { proxyDoor, RegionProxy } from './proxy/proxy.ts'
import { horizonOf, regionsOf } from './regions.ts'
import { sentinelDoor } from './sentinel/door.ts'
import { Sentinel } from './sentinel/sentinel.ts'
import { ClientListener, type Doors, isLoopback, type ListenerLimits } from './server/listener.ts'
import { liveLimits } from './server/live-limits.ts'
import { linkTls, TLS_SETTINGS, TlsError, tlsOptions } from './server/tls.ts'
import { StartError } from './start-error.ts'

const RATE_INTERVAL_MS = 1000
/** How long a stop waits for another node to take over, at most. */
const AGENT_STOP_MS_MAX = 5000

/** Starts a node. Resolves when its ports are open; what is wrong with its data comes by `stopped`. @throws StartError */
export async function startNode(settings: Settings, env: Env, logger: Logger): Promise<RunningNode> {
  const node = new Node(settings, env, logger)
  await node.start()
  return node
}

class Node implements RunningNode, Front {
  readonly stopped: Promise<{ exitCode: number }>
  readonly #settings: Settings
  readonly #env: Env
  readonly #logger: Logger
  readonly #transport: WsTransport
  /** With `tls-replication`: what nodes show each other. */
  #linkTls: LinkTls | undefined
  readonly #core: NodeCore
  readonly #limits: ListenerLimits
  readonly #listener: ClientListener
  readonly #loading: Loading
  /** Empty where nobody watches a coordinator. */
  readonly #cluster = new ClusterView()
  readonly #sentinel: ClientListener | undefined
  readonly #proxy: ClientListener | undefined
  /** With a coordinator: decides what this node is. */
  readonly #agent: NodeAgent | undefined
  #admin: AdminServer | undefined = undefined
  #ready = false
  #exit: (result: { exitCode: number }) => void = () => {}
  /** The start turned out to be impossible. */
  #refuse: (error: unknown) => void = () => {}
  #stopping: Promise<void> | undefined = undefined
  readonly #startedMs: number
  #rate = { commands: 0, perSecond: 0 }

  constructor(settings: Settings, env: Env, logger: Logger) {
    this.#settings = settings
    this.#env = env
    this.#logger = logger
    this.#startedMs = env.monoMs()
    this.stopped = new Promise((resolve, reject) => {
      this.#exit = resolve
      this.#refuse = reject
    })
    const { values } = settings
    const log = {
      info: (sentence: string) => logger.info(sentence),
      warn: (sentence: string) => logger.warn(sentence),
      error: (sentence: string) => logger.error(sentence),
    }
    this.#loading = new Loading({ env, report: log.info })
    const isLinkTls = values['tls-replication']
    this.#linkTls = isLinkTls ? usable(() => linkTls(values, env.disk)) : undefined
    const transport = new WsTransport({
      host: values.bind,
      port: values['sync-port'] === 0 ? undefined : values['sync-port'],
      frameBytesMax: values['sync-frame-bytes-max'],
      env,
      tls: this.#linkTls,
    })
    this.#transport = transport
    this.#core = new NodeCore(settings, {
      env,
      latin1: nodeLatin1,
      transport,
      sha256: (word) => createHash('sha256').update(word, 'latin1').digest('hex'),
      hmac: (secret, message) => createHmac('sha256', secret).update(message, 'utf8').digest('hex'),
      log,
      services: (core) => new NodeServices(core, env, this, this.#cluster),
      clientPort: () => (isLinkTls ? this.#listener.tlsPort : this.#listener.port),
      failed: (error) => this.#crash(error),
    })
    this.#limits = liveLimits(settings, this.#core.access)
    this.#listener = new ClientListener(doorsOf(settings, env, values.port, values['tls-port']), {
      env,
      sink: this.#core,
      turn: this.#core,
      limits: this.#limits,
      log,
      // Whoever reaches the port from another machine has to prove the secret.
      peers:
        values['sync-secret'] === '' && !isLoopback(values.bind)
          ? undefined
          : (socket, first, isTls) => {
              if (isLinkTls && !isTls) socket.destroy()
              else transport.take(socket, first)
            },
    })
    this.#cluster.onChange((topology) => this.#core.engine.commands.topologyChanged(topology))
    this.#sentinel = this.#sentinelDoor(log)
    this.#proxy = this.#proxyDoor(log)
    this.#agent = values.coordinator === '' ? undefined : this.#makeAgent(log)
    settings.onChange((name) => {
      if (TLS_SETTINGS.some((one) => one === name)) this.#renewTls(log)
    })
  }

  /** Undefined without `sentinel-port` and `sentinel-tls-port`. */
  #sentinelDoor(log: { warn(sentence: string): void }): ClientListener | undefined {
    const { 'sentinel-port': port, 'sentinel-tls-port': tlsPort } = this.#settings.values
    if (port === 0 && tlsPort === 0) return undefined
    const { identity, access, services } = this.#core
    const id = identity.nodeId.padEnd(40, '0')
    const sentinel = new Sentinel({ region: identity.region, id, access, services })
    this.#cluster.onChange((topology) => sentinel.topologyChanged(topology))
    const doors = doorsOf(this.#settings, this.#env, port, tlsPort)
    return sentinelDoor(doors, sentinel, { env: this.#env, limits: this.#limits, log })
  }

  /** Undefined without `proxy-port` and `proxy-tls-port`. */
  #proxyDoor(log: { warn(sentence: string): void }): ClientListener | undefined {
    const { values } = this.#settings
    const { 'proxy-port': port, 'proxy-tls-port': tlsPort, partitions } = values
    if (port === 0 && tlsPort === 0) return undefined
    const env = this.#env
    const proxy = new RegionProxy({
      table: commandTable,
      cluster: this.#cluster,
      partitions,
      env,
      dial: dialler(env, () => this.#linkTls),
      home: (session, events) => homeAt(this.#listener, env, session, events),
    })
    this.#cluster.onChange(() => proxy.topologyChanged())
    this.#core.mesh.neighbours.silent = (nodeId) => proxy.nodeSilent(nodeId)
    const doors = doorsOf(this.#settings, env, port, tlsPort)
    return proxyDoor(doors, proxy, { env, limits: this.#limits, log })
  }

  /** @throws StartError */
  #makeAgent({ info, warn }: Record<'info' | 'warn', (sentence: string) => void>): NodeAgent {
    const { replication, log, watch } = this.#core
    const agent = new NodeAgent({
      values: this.#settings.values,
      env: this.#env,
      member: replication,
      configuration: new Configuration(this.#settings, { applied: () => watch.configure(), warned: warn }),
      ports: () => ({ port: this.#listener.port, tlsPort: this.#listener.tlsPort }),
      syncingMs: () => log.syncingMs,
      isDiskFull: () => log.isFull,
      topologyChanged: (topology) => {
        this.#cluster.become(topology)
        this.#core.mesh.neighbours.meet(agent.neighbours)
        if (topology.self.role !== 'primary' && !topology.isOpen) replication.primaryKnown()
      },
      info,
    })
    replication.handOverByAgent = (nodeId, timeoutMs) => agent.handOver(nodeId, timeoutMs)
    replication.places = agent
    this.#cluster.failover = (kind) => {
      if (kind !== 'agreed') return errors.failoverByForce
      return replication.wish() ? undefined : errors.failoverOfDead
    }
    this.#cluster.forget = (nodeId) => {
      const refusal = agent.forget(nodeId)
      return refusal === undefined ? undefined : errors.notForgotten(refusal)
    }
    return agent
  }

  #renewTls(log: { warn(sentence: string): void }): void {
    const { values } = this.#settings
    const { disk } = this.#env
    try {
      for (const [listener, port] of [
        [this.#listener, values['tls-port']],
        [this.#sentinel, values['sentinel-tls-port']],
        [this.#proxy, values['proxy-tls-port']],
      ] as const)
        if (port !== 0) listener?.renewTls(tlsOptions(values, disk))
      if (!values['tls-replication']) return
      this.#linkTls = linkTls(values, disk)
      this.#transport.renewTls(this.#linkTls)
    } catch (error) {
      log.warn(`the certificates of before stay in use: ${(error as Error).message}`)
    }
  }

  /** Opens its doors; resolves before the data folder is read. */
  async start(): Promise<void> {
    const { values } = this.#settings
    if (values['admin-port'] !== 0) {
      const ports = { status: () => this.#status(), ready: () => this.#readiness() }
      // Loaded only when it is needed: a start without it took 330 ms here, with it 480.
      const { listenAdmin } = await import('./admin/server.ts')
      this.#admin = await listenAdmin(ports, values.bind, values['admin-port'])
    }
    try {
      await this.#listener.listen()
      await this.#sentinel?.listen()
      await this.#proxy?.listen()
    } catch (error) {
      await this.#close('the start failed')
      throw error
    }
    void this.#load()
  }

  /** Reads the data folder, then serves. */
  async #load(): Promise<void> {
    try {
      const isWhole = await this.#loading.run(this.#core.recovery())
      if (!isWhole) return
      await this.#core.start()
      this.#agent?.start()
    } catch (error) {
      await this.#close('the start failed')
      this.#refuse(error)
      return
    }
    this.#ready = true
    this.#measureRate()
    const { values } = this.#settings
    this.#logger.info(
      `region ${values.region} serves clients on ${values.bind}:${this.#listener.port}, ` +
        `${values['sync-port'] === 0 ? 'no peers' : `peers on port ${values['sync-port']}`}, ` +
        `appendfsync ${values.appendfsync}`,
    )
  }

  #measureRate(): void {
    this.#env.after(RATE_INTERVAL_MS, () => {
      const { commandCount } = this.#core.engine.commands
      this.#rate = { commands: commandCount, perSecond: Math.max(0, commandCount - this.#rate.commands) }
      this.#measureRate()
    })
  }

  #readiness(): { ready: boolean; reason?: string } {
    if (this.#stopping !== undefined) return { ready: false, reason: 'the node is stopping' }
    return this.#ready ? { ready: true } : { ready: false, reason: `loading: ${this.#loading.sentence}` }
  }

  stop(reason: string): Promise<void> {
    this.#logger.info(`stopping: ${reason}`)
    this.#loading.cancel()
    this.#stopping ??= this.#close(reason).then(() => this.#exit({ exitCode: 0 }))
    return this.#stopping
  }

  async #close(reason: string): Promise<void> {
    await this.#agent?.stop(AGENT_STOP_MS_MAX)
    await this.#proxy?.close()
    await this.#listener.close()
    await this.#sentinel?.close()
    await this.#core.stop(reason)
    await this.#admin?.close()
  }

  /** Nothing more leaves the node; what was acknowledged is in the log. */
  #crash(error: Error): void {
    this.#logger.fatal({ err: error }, `the node stops: ${error.message}`)
    this.#exit({ exitCode: 1 })
  }

  get sessions(): Iterable<Session> {
    return Array.from(this.#listener.connections, ({ session }) => session)
  }

  shutdown(): void {
    void this.stop('SHUTDOWN')
  }

  stall(ms: number): void {
    stallThread(ms)
  }

  resetStatistics(): void {
    this.#listener.totalConnectionsReceived = 0
    this.#listener.rejectedConnections = 0
    this.#listener.traffic.inputBytes = 0
    this.#listener.traffic.outputBytes = 0
  }

  facts(): HostFacts {
    const listener = this.#listener
    return {
      process: processFacts(),
      port: listener.port,
      uptimeMs: this.#env.monoMs() - this.#startedMs,
      clients: {
        connected: listener.connectedClients,
        blocked: this.#blockedCount(),
        max: this.#settings.values.maxclients,
        received: listener.totalConnectionsReceived,
        rejected: listener.rejectedConnections,
        inputBytes: listener.traffic.inputBytes,
        outputBytes: listener.traffic.outputBytes,
        bufferedBytes: this.#bufferedBytes(),
      },
      commandsPerSecond: this.#rate.perSecond,
      loading: this.#ready ? undefined : this.#loading,
      agent: this.#agent?.status,
    }
  }

  #bufferedBytes(): number {
    let bytes = 0
    for (const { inputBytes, outputBytes } of this.#listener.connections) bytes += inputBytes + outputBytes
    return bytes
  }

  #blockedCount(): number {
    let blocked = 0
    for (const { blocked: one } of this.sessions) if (one !== undefined) blocked++
    return blocked
  }

  #status(): NodeStatus {
    const core = this.#core
    const listener = this.#listener
    let keys = 0
    for (const { index, size } of core.engine.keyspace.databases()) if (index !== LIBRARY_DB) keys += size
    return {
      region: core.identity.region,
      regionId: core.identity.regionId,
      version: core.identity.version,
      origin: core.engine.origin.id,
      uptimeMs: this.#env.monoMs() - this.#startedMs,
      role: core.replication.role,
      vector: Object.fromEntries(core.applied.toWire()),
      durableVector: Object.fromEntries(core.durable.toWire()),
      keys,
      log: {
        bytes: core.log.bytes,
        segments: core.log.segments.length,
        ...(core.log.isFull ? { error: 'the disk is full' } : {}),
      },
      clients: {
        connected: listener.connectedClients,
        blocked: this.#blockedCount(),
        accepted: listener.totalConnectionsReceived,
        refused: listener.rejectedConnections,
      },
      ops: {
        commands: core.engine.commands.commandCount,
        minted: core.engine.mintedCount,
        applied: core.engine.receivedCount,
        waiting: core.mesh.waiting.batches,
      },
      conflicts: core.conflicts.counts,
      horizon: horizonOf(core),
      regions: regionsOf(core).map(regionStatus),
      peers: core.mesh.links().map(peerStatus),
    }
  }
}

function regionStatus({ name, regionId, status, epoch, mode, heardMsAgo }: RegionState): RegionStatus {
  return {
    name,
    ...(regionId === undefined ? {} : { regionId }),
    status,
    epoch,
    mode,
    ...(heardMsAgo === undefined ? {} : { heardMsAgo: Math.round(heardMsAgo) }),
  }
}

function peerStatus(link: LinkStatus): PeerStatus {
  return {
    region: link.region,
    ...(link.regionId === undefined ? {} : { regionId: link.regionId }),
    url: link.url,
    state: peerState(link),
    lagOps: link.lagOps ?? 0,
    lagMs: link.lagMs,
    ...(link.skewMs === undefined ? {} : { clockSkewMs: link.skewMs }),
    bytesSent: link.bytesOut,
    bytesReceived: link.bytesIn,
    ...(link.lastError === undefined
      ? {}
      : { lastError: `${link.lastError.code}: ${link.lastError.sentence}` }),
    ...(link.snapshotIn === undefined ? {} : { snapshotIn: link.snapshotIn }),
    ...(link.snapshotOut === undefined ? {} : { snapshotOut: link.snapshotOut }),
  }
}

function peerState({ pull, behindOps, lastError }: LinkStatus): PeerStatus['state'] {
  if (pull === 'streaming') return behindOps > 0 ? 'catching-up' : 'streaming'
  if (lastError !== undefined && isRefusal(lastError)) return 'refused'
  return pull === 'dialing' || pull === 'greeting' ? 'connecting' : 'disconnected'
}

/** @throws StartError when the files of the TLS door cannot be used */
function doorsOf({ values }: Settings, env: Env, port: number, tlsPort: number): Doors {
  const host = values.bind
  if (tlsPort === 0) return { host, port, tls: undefined }
  const options = usable(() => tlsOptions(values, env.disk))
  return { host, port: port === 0 ? undefined : port, tls: { port: tlsPort, options } }
}

/** @throws StartError when files or settings of TLS cannot be used */
function usable<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof TlsError) throw new StartError(`${error.message}.`)
    throw error
  }
}
