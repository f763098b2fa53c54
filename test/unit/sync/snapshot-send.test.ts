/**
 * snapshot-send.test.ts: a snapshot that is sent leaves its node time for others.
 */
import { expect, it } from 'vitest'
import { BESIDE_SHARE } from '../../../sync/pace.ts'
import { SnapshotSend } from '../../../sync/snapshot-send.ts'
import { ManualClock } from '../../harness/manual-clock.ts'
import { MemoryHost } from '../../harness/memory-host.ts'

const PART_BYTES = 1000
/** What reading and sending a part takes, milliseconds. */
const PART_MS = 1

it('rests after each part, and says when the next one may be sent', () => {
  const clock = new ManualClock()
  const host = new MemoryHost(clock, 'A', 1)
  host.snapshots.padding = 40 * PART_BYTES
  host.write(1)
  host.snapshots.make()
  let workedMs = 0
  let sent = 0
  const env = {
    monoMs: () => clock.monoMs() + workedMs,
    wallMs: () => clock.wallMs(),
    random: () => clock.random(),
    after: (delayMs: number, task: () => void) => clock.after(delayMs, task),
  }
  const sending: SnapshotSend = new SnapshotSend({
    host,
    env,
    region: 'B',
    send: () => {},
    ready: () => {
      expect(sending.isDue).toBe(true)
      sending.sendPart(PART_BYTES, () => {
        workedMs += PART_MS
        sent++
      })
      expect(sending.isDue).toBe(false)
    },
  })
  sending.start({ type: 'fetch', id: '', offset: 0, least: [] })
  expect(sent).toBe(1)
  clock.advance(60)
  expect(sent).toBe(Math.floor(60 / (PART_MS / BESIDE_SHARE - PART_MS)) + 1)
  sending.end()
  clock.advance(60)
  expect(sent).toBe(21)
})
