/**
 * bullmq.test.ts: BullMQ unchanged against one region of two: queue, workers, flows and events.
 *
 * The load here is a fifth of the one that `npm run apps` runs. The other region only follows, and must end
 * with the same data: a queue is worked on in one region, because a job that two regions take at the same
 * moment is taken twice.
 */
import { Queue, QueueEvents, Worker } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Regions } from '../../harness/three-regions.ts'
import { runQueueLoad } from './queue-load.ts'

const JOBS = 2000

let regions: Regions
let port: number

beforeAll(async () => {
  regions = await Regions.start({ names: ['A', 'B'] })
  port = regions.process('A').ports.port
})

afterAll(() => regions?.dispose())

function optionsOf() {
  return { connection: { host: '127.0.0.1', port, maxRetriesPerRequest: null } }
}

describe('BullMQ', () => {
  it(`runs each of ${JOBS} jobs exactly once`, async () => {
    const figures = await runQueueLoad(port, JOBS)
    expect(figures.wrong).toEqual([])
    expect(figures.stalled).toBe(0)
    const { completed, ...rest } = figures.counts
    expect(completed).toBe(JOBS)
    expect(Object.values(rest).every((left) => left === 0)).toBe(true)
    for (const some of [figures.delayed, figures.retried, figures.prioritized, figures.flows]) {
      expect(some).toBeGreaterThan(0)
    }
    expect(new Set((await regions.digests()).map(String)).size).toBe(1)
  })

  it('takes jobs by priority, first come first served among equals', async () => {
    const queue = new Queue<number>('by-priority', optionsOf())
    await queue.pause()
    const priorities = [3, 1, 2, 1, 3, 2, 1]
    for (const [i, priority] of priorities.entries()) await queue.add('job', i, { priority })
    await queue.resume()
    const order: number[] = []
    const worker = new Worker<number>('by-priority', async (job) => void order.push(job.data), {
      ...optionsOf(),
      concurrency: 1,
    })
    await new Promise<void>((resolve) => worker.once('drained', resolve))
    expect(order).toEqual([1, 3, 6, 2, 5, 0, 4])
    await worker.close()
    await queue.close()
  })

  it('tells of what happens by its event stream, keeps failed jobs and retries them', async () => {
    const queue = new Queue<string>('with-events', optionsOf())
    const events = new QueueEvents('with-events', optionsOf())
    await events.waitUntilReady()
    let isBroken = true
    const worker = new Worker<string>(
      'with-events',
      async (job) => {
        await job.updateProgress(50)
        if (isBroken) throw new Error('out of order')
        return `did ${job.data}`
      },
      optionsOf(),
    )
    const seen: unknown[] = []
    events.on('progress', ({ data }) => seen.push(data))
    const job = await queue.add('job', 'this')
    await expect(job.waitUntilFinished(events)).rejects.toThrow('out of order')
    expect(await job.getState()).toBe('failed')
    isBroken = false
    const completed = new Promise((resolve) => events.once('completed', resolve))
    await job.retry()
    expect(await completed).toMatchObject({ jobId: job.id, returnvalue: 'did this' })
    expect(seen).toEqual([50, 50])
    expect(await queue.getJobCounts('failed', 'completed')).toEqual({ failed: 0, completed: 1 })
    await Promise.all([worker.close(), events.close()])
    await queue.obliterate()
    expect(await queue.getJobCounts('completed')).toEqual({ completed: 0 })
    await queue.close()
  })

  it('repeats jobs by a schedule', async () => {
    const queue = new Queue('repeated', optionsOf())
    let runs = 0
    const worker = new Worker('repeated', async () => void runs++, optionsOf())
    const thrice = new Promise<void>((resolve) => {
      worker.on('completed', () => {
        if (runs >= 3) resolve()
      })
    })
    await queue.upsertJobScheduler('tick', { every: 100 }, { name: 'tick' })
    await thrice
    expect(await queue.removeJobScheduler('tick')).toBe(true)
    await worker.close()
    await queue.close()
  })
})
