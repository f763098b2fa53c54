/**
 * queue-load.ts: BullMQ put to work against one node: jobs with delays, priorities, retries and flows, taken
 * by several workers, and an account of what happened to each.
 *
 * What kind a job is and when it fails follows from its number, so that the account can be checked without
 * a second record. The load judges nothing: `verdict` does.
 */
import { type FlowJob, FlowProducer, type Job, Queue, type QueueOptions, Worker } from 'bullmq'

const QUEUE = 'orders'
const WORKERS = 4
const CONCURRENCY = 25
/** Jobs that one call of `addBulk` adds. */
const BULK = 500
const DELAY_MS_MAX = 2000
const RETRY_MS = 20
const ATTEMPTS_MAX = 4
const PRIORITY_MAX = 10
const CHILDREN = 4
/** A flow is a parent and its children. */
const FLOW_JOBS = CHILDREN + 1
/** One job in twenty or so is a flow's; of the others, each tenth kind. */
const FLOW_SHARE = 0.2
/** A load that makes no progress for so long has failed. */
const STILL_MS_MAX = 30_000

interface Order {
  readonly number: number
}

/** What one job did. */
interface Account {
  readonly added: Order & { readonly delayMs: number; readonly attempts: number; readonly children: number }
  addedMs: number
  startedMs: number[]
  completed: number
  /** Values of its children that the parent found. */
  found: number
}

export interface QueueFigures {
  readonly jobs: number
  /** From the first job added to the last one completed, milliseconds. */
  readonly tookMs: number
  readonly delayed: number
  readonly retried: number
  readonly prioritized: number
  readonly flows: number
  /** Jobs whose lock a worker lost. */
  readonly stalled: number
  readonly counts: Readonly<Record<string, number>>
  /** What was wrong, one sentence each, none when all went well. */
  readonly wrong: readonly string[]
}

type Kind = 'plain' | 'delayed' | 'prioritized' | 'retried'

function kindOf(number: number): Kind {
  const digit = number % 10
  if (digit < 4) return 'plain'
  if (digit < 6) return 'delayed'
  return digit < 8 ? 'prioritized' : 'retried'
}

/** Attempts that fail before one succeeds. */
function failuresOf(number: number): number {
  return kindOf(number) === 'retried' ? 1 + (number % (ATTEMPTS_MAX - 1)) : 0
}

function delayOf(number: number): number {
  return kindOf(number) === 'delayed' ? 1 + ((number * 37) % DELAY_MS_MAX) : 0
}

function priorityOf(number: number): number {
  return kindOf(number) === 'prioritized' ? 1 + (number % PRIORITY_MAX) : 0
}

/** Adds that many jobs, runs them to the end and reports. */
export async function runQueueLoad(port: number, jobs: number): Promise<QueueFigures> {
  const options: QueueOptions = { connection: { host: '127.0.0.1', port, maxRetriesPerRequest: null } }
  const flows = Math.floor((jobs * FLOW_SHARE) / FLOW_JOBS)
  const singles = jobs - flows * FLOW_JOBS
  const accounts = new Map<number, Account>()
  const load = new Load(options, accounts, jobs)
  try {
    const startMs = Date.now()
    await load.start()
    await Promise.all([load.addSingles(singles), load.addFlows(singles, flows)])
    await load.finished()
    const tookMs = Date.now() - startMs
    const counts = await load.counts()
    return {
      jobs,
      tookMs,
      delayed: count(accounts, (number) => delayOf(number) > 0),
      retried: count(accounts, (number) => failuresOf(number) > 0),
      prioritized: count(accounts, (number) => priorityOf(number) > 0),
      flows,
      stalled: load.stalled,
      counts,
      wrong: [...verdict(accounts), ...load.errors],
    }
  } finally {
    await load.close()
  }
}

function count(accounts: ReadonlyMap<number, Account>, is: (number: number) => boolean): number {
  return [...accounts.values()].filter(({ added }) => added.children === 0 && is(added.number)).length
}

/** Each job ran as often as it was to fail, and once more; never before its time; a parent after its children. */
function verdict(accounts: ReadonlyMap<number, Account>): string[] {
  const wrong: string[] = []
  for (const { added, addedMs, startedMs, completed, found } of accounts.values()) {
    const say = (what: string): void => void wrong.push(`job ${added.number}: ${what}`)
    if (completed !== 1) say(`completed ${completed} times`)
    if (startedMs.length !== added.attempts) say(`ran ${startedMs.length} times, not ${added.attempts}`)
    if (startedMs[0]! < addedMs + added.delayMs)
      say(`ran ${addedMs + added.delayMs - startedMs[0]!} ms early`)
    if (found !== added.children) say(`found ${found} of ${added.children} children`)
  }
  return wrong
}

class Load {
  readonly errors: string[] = []
  stalled = 0
  readonly #accounts: Map<number, Account>
  readonly #jobs: number
  readonly #queue: Queue<Order>
  readonly #flows: FlowProducer
  readonly #workers: Worker<Order>[]
  #completed = 0

  constructor(options: QueueOptions, accounts: Map<number, Account>, jobs: number) {
    this.#accounts = accounts
    this.#jobs = jobs
    this.#queue = new Queue(QUEUE, options)
    this.#flows = new FlowProducer(options)
    this.#workers = Array.from({ length: WORKERS }, () => this.#worker(options))
  }

  #worker(options: QueueOptions): Worker<Order> {
    const worker = new Worker<Order>(QUEUE, (job) => this.#run(job), { ...options, concurrency: CONCURRENCY })
    worker.on('completed', (job) => {
      this.#accounts.get(job.data.number)!.completed++
      this.#completed++
    })
    worker.on('stalled', () => this.stalled++)
    worker.on('error', (error) => this.errors.push(error.message))
    return worker
  }

  async start(): Promise<void> {
    await Promise.all([this.#queue, this.#flows, ...this.#workers].map((part) => part.waitUntilReady()))
  }

  async #run(job: Job<Order>): Promise<number> {
    const { number } = job.data
    const account = this.#accounts.get(number)!
    account.startedMs.push(Date.now())
    if (account.startedMs.length < account.added.attempts) throw new Error('not this time')
    if (account.added.children > 0) {
      const values = Object.values(await job.getChildrenValues<number>())
      const expected = Array.from({ length: CHILDREN }, (_, child) => number + 1 + child)
      account.found = expected.filter((child) => values.includes(child)).length
    }
    return number
  }

  #open(number: number, plan: { delayMs?: number; attempts?: number; children?: number }): Order {
    const { delayMs = 0, attempts = 1, children = 0 } = plan
    const added = { number, delayMs, attempts, children }
    this.#accounts.set(number, { added, addedMs: Date.now(), startedMs: [], completed: 0, found: 0 })
    return { number }
  }

  /** Jobs from 0. */
  async addSingles(end: number): Promise<void> {
    for (let from = 0; from < end; from += BULK) {
      const numbers = Array.from({ length: Math.min(BULK, end - from) }, (_, i) => from + i)
      await this.#queue.addBulk(numbers.map((number) => this.#single(number)))
    }
  }

  #single(number: number) {
    const [delay, priority, failures] = [delayOf(number), priorityOf(number), failuresOf(number)]
    return {
      name: kindOf(number),
      data: this.#open(number, { delayMs: delay, attempts: failures + 1 }),
      opts: { delay, priority, attempts: failures + 1, backoff: { type: 'exponential', delay: RETRY_MS } },
    }
  }

  /** Families from a number: the parent's, then its children's. */
  async addFlows(from: number, flows: number): Promise<void> {
    const bulk = BULK / FLOW_JOBS
    for (let done = 0; done < flows; done += bulk) {
      const firsts = Array.from(
        { length: Math.min(bulk, flows - done) },
        (_, i) => from + (done + i) * FLOW_JOBS,
      )
      await this.#flows.addBulk(firsts.map((first) => this.#family(first)))
    }
  }

  #family(parent: number): FlowJob {
    const children = Array.from({ length: CHILDREN }, (_, i) => this.#open(parent + 1 + i, {}))
    return {
      name: 'parent',
      queueName: QUEUE,
      data: this.#open(parent, { children: CHILDREN }),
      children: children.map((data) => ({ name: 'child', queueName: QUEUE, data })),
    }
  }

  /** All jobs are completed. @throws when nothing moves any more */
  async finished(): Promise<void> {
    let before = -1
    let movedMs = Date.now()
    while (this.#completed < this.#jobs) {
      if (this.#completed !== before) {
        before = this.#completed
        movedMs = Date.now()
      } else if (Date.now() - movedMs > STILL_MS_MAX) {
        const counts = JSON.stringify(await this.counts())
        throw new Error(
          `${before} of ${this.#jobs} jobs are done, and no more since ${STILL_MS_MAX} ms: ${counts}; ${this.errors.slice(0, 3).join('; ')}`,
        )
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  counts(): Promise<Record<string, number>> {
    return this.#queue.getJobCounts()
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close()))
    await Promise.all([this.#queue.close(), this.#flows.close()])
  }
}
