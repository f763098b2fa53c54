/**
 * process-facts.ts: what the operating system and V8 say about this process, for INFO and metrics.
 */
import { getHeapStatistics } from 'node:v8'

export interface ProcessFacts {
  readonly pid: number
  readonly platform: string
  readonly runtime: string
  readonly rss: number
  readonly rssPeak: number
  readonly heapUsed: number
  /** Array buffers and the like, beside the heap. */
  readonly buffers: number
  readonly heapLimit: number
  /** Seconds of processor time since the start. */
  readonly cpuSystem: number
  readonly cpuUser: number
}

export function processFacts(): ProcessFacts {
  const memory = process.memoryUsage()
  const usage = process.resourceUsage()
  return {
    pid: process.pid,
    platform: `${process.platform} ${process.arch}`,
    runtime: `Node.js ${process.versions.node}`,
    rss: memory.rss,
    // The system counts in kilobytes.
    rssPeak: usage.maxRSS * 1024,
    heapUsed: memory.heapUsed,
    buffers: memory.external,
    heapLimit: getHeapStatistics().heap_size_limit,
    cpuSystem: usage.systemCPUTime / 1e6,
    cpuUser: usage.userCPUTime / 1e6,
  }
}
