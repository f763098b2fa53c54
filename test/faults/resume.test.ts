/**
 * resume.test.ts: a healed link carries what was written during the cut, and not the data set.
 */
import { describe, expect, it } from 'vitest'
import { measureResume, type ResumeReport } from './resume-run.ts'

const WRITES = 20_000
/** Frames, status messages and the handshake, over the bytes of the log itself. */
const OVERHEAD_SHARE_MAX = 0.02
const OVERHEAD_BYTES_MAX = 16 * 1024

/** Slow enough that more is on its way than the buffers of both ends take. */
const SLOW_BYTES_PER_SECOND = 800_000
const SLOW_WRITES = 250_000

function expectOnlyMissing({ writtenBytes, sentBytes }: ResumeReport): void {
  expect(sentBytes).toBeGreaterThanOrEqual(writtenBytes * (1 - OVERHEAD_SHARE_MAX))
  expect(sentBytes).toBeLessThan(writtenBytes * (1 + OVERHEAD_SHARE_MAX) + OVERHEAD_BYTES_MAX)
}

describe('a link that was cut during writes', () => {
  it.each([1000, 200_000])('resumes with the missing ops only, beside %i older keys', async (keysBefore) => {
    const report = await measureResume({ keysBefore, writes: WRITES })
    expect(report.writtenBytes).toBeGreaterThan(WRITES * 32)
    expectOnlyMissing(report)
  })

  it('sends nothing twice over a slow network', async () => {
    const settings = { keysBefore: 0, writes: SLOW_WRITES, bytesPerSecond: SLOW_BYTES_PER_SECOND }
    expectOnlyMissing(await measureResume(settings))
  })
})
