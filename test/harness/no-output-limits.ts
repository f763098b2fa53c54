/**
 * no-output-limits.ts: output limits for tests of connections that are about something else.
 */
import type { ClientLimits } from '../../region-node/server/connection.ts'

const noLimit = { hardBytes: 0, softBytes: 0, softSeconds: 0 }

export const NO_OUTPUT_LIMITS: ClientLimits['output'] = { normal: noLimit, pubsub: noLimit }
