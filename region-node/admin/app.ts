/**
 * app.ts: the admin API as an application without a port, so that tests call it with `inject`.
 *
 *   GET /health     200 while the process answers at all: restart the node when it does not
 *   GET /ready      200 when clients are served, 503 with the reason while they are not
 *   GET /metrics    for Prometheus
 *   GET /v1/status  everything the node tells about itself, as JSON
 *
 * All of it reads; nothing changes the node.
 */
import { type FastifyInstance, fastify } from 'fastify'
import { Metrics } from './metrics.ts'
import type { AdminPorts } from './status.ts'

export type AdminApp = FastifyInstance

export function buildAdmin(ports: AdminPorts): AdminApp {
  // Whoever keeps a connection open for the next scrape does not hold up the end of the node.
  const app = fastify({ logger: false, forceCloseConnections: true })
  const metrics = new Metrics()

  app.get('/health', () => ({ status: 'alive' }))

  app.get('/ready', (_request, reply) => {
    const { ready, reason } = ports.ready()
    return reply.code(ready ? 200 : 503).send(ready ? { status: 'ready' } : { status: 'not ready', reason })
  })

  app.get('/metrics', async (_request, reply) => {
    const page = await metrics.page(ports.status())
    return reply.type(metrics.contentType).send(page)
  })

  app.get('/v1/status', () => ports.status())

  return app
}
