/**
 * app.test.ts: the admin API, called without a port.
 */
import { afterEach, describe, expect, it } from 'vitest'
import { type AdminApp, buildAdmin } from '../../../../region-node/admin/app.ts'
import { listenAdmin } from '../../../../region-node/admin/server.ts'
import type { AdminPorts, NodeStatus, PeerStatus } from '../../../../region-node/admin/status.ts'

const PEER: PeerStatus = {
  region: 'B',
  regionId: 2,
  url: 'ws://127.0.0.1:7202',
  state: 'streaming',
  lagOps: 3,
  lagMs: 250,
  clockSkewMs: -40,
  bytesSent: 1000,
  bytesReceived: 2000,
}

const STATUS: NodeStatus = {
  region: 'A',
  regionId: 1,
  version: '0.1.0',
  origin: '1-9f3c2a71b04e',
  uptimeMs: 90_000,
  role: 'primary',
  vector: { '1-9f3c2a71b04e': 12 },
  durableVector: { '1-9f3c2a71b04e': 10 },
  keys: 5,
  log: { bytes: 4096, segments: 1 },
  clients: { connected: 2, blocked: 1, accepted: 7, refused: 0 },
  ops: { commands: 100, minted: 12, applied: 30, waiting: 0 },
  conflicts: { 'register-concurrent': 4 },
  horizon: {
    cutOps: 17,
    cutLagMs: 10_800_000,
    cutState: 'waits for region B, last heard 3 h ago',
    reclaimPending: 6,
    lacking: false,
    fences: 1,
    seals: 2,
    suspended: ['C'],
  },
  regions: [
    { name: 'A', regionId: 1, status: 'self', epoch: 0, mode: 'passive' },
    { name: 'B', regionId: 2, status: 'member', epoch: 0, mode: 'active', heardMsAgo: 10_800_000 },
    { name: 'C', regionId: 3, status: 'suspended', epoch: 1, mode: 'active' },
    { name: 'D', regionId: 4, status: 'left', epoch: 2, mode: 'passive', heardMsAgo: 5 },
  ],
  peers: [PEER],
}

let app: AdminApp | undefined

function build(ports: Partial<AdminPorts> = {}): AdminApp {
  app = buildAdmin({ status: () => STATUS, ready: () => ({ ready: true }), ...ports })
  return app
}

afterEach(async () => {
  await app?.close()
  app = undefined
})

describe('the admin API', () => {
  it('is healthy while it answers, and ready when the node says so', async () => {
    expect((await build().inject('/health')).json()).toEqual({ status: 'alive' })
    expect((await app!.inject('/ready')).statusCode).toBe(200)
  })

  it('answers 503 with the reason before the node serves', async () => {
    const answer = await build({ ready: () => ({ ready: false, reason: 'reading the log' }) }).inject(
      '/ready',
    )
    expect(answer.statusCode).toBe(503)
    expect(answer.json()).toEqual({ status: 'not ready', reason: 'reading the log' })
  })

  it('shows the whole status as JSON', async () => {
    expect((await build().inject('/v1/status')).json()).toEqual(STATUS)
  })

  it('gives Prometheus the numbers of the status', async () => {
    const answer = await build().inject('/metrics')
    expect(answer.headers['content-type']).toContain('text/plain')
    for (const line of [
      'causeway_info{region="A",region_id="1",version="0.1.0",role="primary"} 1',
      'causeway_uptime_seconds 90',
      'causeway_commands_total 100',
      'causeway_conflicts_total{rule="register-concurrent"} 4',
      'causeway_peer_state{peer="B",state="streaming"} 1',
      'causeway_peer_state{peer="B",state="refused"} 0',
      'causeway_peer_lag_seconds{peer="B"} 0.25',
      'causeway_peer_clock_skew_seconds{peer="B"} -0.04',
      'causeway_peer_sent_bytes_total{peer="B"} 1000',
      '# TYPE causeway_commands_total counter',
      'causeway_cut_ops 17',
      'causeway_cut_lag_seconds 10800',
      'causeway_reclaim_pending 6',
      'causeway_lacking 0',
      'causeway_fences 1',
      'causeway_seals 2',
      'causeway_region_suspended{region="B"} 0',
      'causeway_region_passive{region="A"} 1',
      'causeway_region_passive{region="B"} 0',
      'causeway_region_suspended{region="C"} 1',
      'causeway_region_silence_seconds{region="B"} 10800',
    ]) {
      expect(answer.body).toContain(`${line}\n`)
    }
    expect(answer.body).toContain('process_cpu_seconds_total')
    expect(answer.body).not.toContain('causeway_region_silence_seconds{region="C"}')
    expect(answer.body).not.toContain('region="D"')
  })

  it('forgets a peer that is gone, and adds nothing up from scrape to scrape', async () => {
    let status = STATUS
    build({ status: () => status })
    await app!.inject('/metrics')
    status = { ...STATUS, peers: [] }
    const { body } = await app!.inject('/metrics')
    expect(body).not.toContain('peer="B"')
    expect(body).toContain('causeway_commands_total 100\n')
  })

  it('changes nothing: there is nothing to write to', async () => {
    expect((await build().inject({ method: 'POST', url: '/v1/status' })).statusCode).toBe(404)
  })

  it('listens on a port when it is given one', async () => {
    const ports = { status: () => STATUS, ready: () => ({ ready: true }) }
    const server = await listenAdmin(ports, '127.0.0.1', 0)
    try {
      const answer = await fetch(`http://127.0.0.1:${server.port}/health`)
      expect(answer.status).toBe(200)
      await expect(listenAdmin(ports, '127.0.0.1', server.port)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    } finally {
      await server.close()
    }
  })
})
