/**
 * resume-run.ts: what a cut costs once it is healed: the bytes that go over the wire, against the bytes
 * that were written to the log meanwhile.
 *
 * The bytes are counted by the gate between the two regions, not by the nodes.
 */
import { type RegionName, Regions } from '../harness/three-regions.ts'

export interface ResumeOptions {
  /** Keys in both regions before the cut. */
  readonly keysBefore: number
  /** SETs of other keys while the link is cut. */
  readonly writes: number
  /** Speed of the network between the regions; unlimited when absent. */
  readonly bytesPerSecond?: number
}

export interface ResumeReport extends ResumeOptions {
  /** The log of the writing region, before the cut and by how much it grew during it, bytes. */
  readonly logBytesBefore: number
  readonly writtenBytes: number
  /** Sent to the other region after the heal, until it had everything, bytes. */
  readonly sentBytes: number
  readonly catchUpMs: number
}

const PIPELINE = 1000
const VALUE = 'v'.repeat(32)
const CATCH_UP_MS_MAX = 120_000

export async function measureResume(options: ResumeOptions): Promise<ResumeReport> {
  const { keysBefore, writes, bytesPerSecond = Number.POSITIVE_INFINITY } = options
  const regions = await Regions.start({ names: ['A', 'B'] })
  try {
    await write(regions, 'A', 'before', keysBefore)
    await regions.awaitEqualVectors(['A', 'B'], CATCH_UP_MS_MAX)
    await regions.cutAll()
    const logBytesBefore = await logBytes(regions, 'A')
    await write(regions, 'A', 'meanwhile', writes)
    const writtenBytes = (await logBytes(regions, 'A')) - logBytesBefore
    const gate = regions.gate('B', 'A')
    gate.returnedPerSecondMax = bytesPerSecond
    const returnedBefore = gate.returned
    const startMs = performance.now()
    await regions.heal()
    await regions.awaitEqualVectors(['A', 'B'], CATCH_UP_MS_MAX)
    const catchUpMs = Math.round(performance.now() - startMs)
    return {
      keysBefore,
      writes,
      logBytesBefore,
      writtenBytes,
      sentBytes: gate.returned - returnedBefore,
      catchUpMs,
    }
  } finally {
    await regions.dispose()
  }
}

async function write(regions: Regions, name: RegionName, prefix: string, count: number): Promise<void> {
  const client = await regions.connect(name)
  for (let from = 0; from < count; from += PIPELINE) {
    const commands = Array.from({ length: Math.min(PIPELINE, count - from) }, (_, i) => [
      'SET',
      `${prefix}:${from + i}`,
      VALUE,
    ])
    const replies = await client.pipeline(commands)
    if (replies.some((reply) => reply !== 'OK')) throw new Error(`region ${name} refused a SET`)
  }
  await client.close()
}

async function logBytes(regions: Regions, name: RegionName): Promise<number> {
  const status = JSON.parse(await regions.process(name).page('/v1/status')) as { log: { bytes: number } }
  return status.log.bytes
}
