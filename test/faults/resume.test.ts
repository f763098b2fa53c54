/**
 * resume.test.ts: a healed link carries what was written during the cut, and not the data set.
 */
import { describe, expect, it } from 'vitest'
import { measureResume } from './resume-run.ts'

const WRITES = 20_000
/** Frames, status messages and the handshake, over the bytes of the log itself. */
const OVERHEAD_SHARE_MAX = 0.02
const OVERHEAD_BYTES_MAX = 16 * 1024

describe('a link that was cut during writes', () => {
  it.each([1000, 200_000])('resumes with the missing ops only, beside %i older keys', async (keysBefore) => {
    const report = await measureResume({ keysBefore, writes: WRITES })
    // The load must be worth measuring, and the data set clearly larger than it in one of the two cases.
    expect(report.writtenBytes).toBeGreaterThan(WRITES * 32)
    expect(report.sentBytes).toBeGreaterThanOrEqual(report.writtenBytes * (1 - OVERHEAD_SHARE_MAX))
    expect(report.sentBytes).toBeLessThan(report.writtenBytes * (1 + OVERHEAD_SHARE_MAX) + OVERHEAD_BYTES_MAX)
  })
})
