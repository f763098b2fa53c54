/**
 * thread.ts: starts a node in a thread of its own, because a thread can be given a heap of the right size.
 *
 * V8 takes the sizes of a heap when it makes it: in a process that runs already no flag changes them, and a
 * second process would cost a wrapper that has to pass on signals and leaves an orphan when it is killed.
 * A thread of the same process has neither trouble: one pid, and an exit is an exit. It costs some 20 ms at
 * the start and 6 MB. Signals come to the main thread, which has nothing else to do, so they are heard
 * however busy the node is.
 *
 * Invariants: (1) `stopped` settles exactly once, whatever ends the thread. (2) A thread that has ended is
 * never told anything.
 */
import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import type { RunningNode } from './cli/host.ts'
import type { Settings, SettingValues } from './config.ts'
import { planHeap } from './heap-plan.ts'
import { StartError } from './start-error.ts'

/** What the thread is given. */
export interface ThreadData {
  readonly values: SettingValues
}

/** From the main thread: stop in order. */
export interface NodeOrder {
  readonly reason: string
}

/** To the main thread. */
export type NodeNews =
  /** Clients are answered, if only with LOADING. */
  | { readonly kind: 'serves' }
  /** The start was refused, at once or by what was found in the folder. */
  | { readonly kind: 'refused'; readonly sentence: string }
  | { readonly kind: 'ended'; readonly exitCode: number }
  /** The stop failed. */
  | { readonly kind: 'broke'; readonly stack: string }

const MB = 2 ** 20
/** Semi-spaces that V8 counts to the young generation. */
const SEMI_SPACES = 3

/**
 * @param machineBytes  memory of the machine, or of the container
 * @returns when the node answers clients. Rejects with a StartError, or whatever ended the thread before
 */
export function startNodeThread({ values }: Settings, machineBytes: number): Promise<RunningNode> {
  const { oldBytes, semiSpaceBytes, oldBytesStart } = planHeap(values.maxmemory, machineBytes)
  // There is no limit of a thread for it, but heaps that are made later take it from here.
  setFlagsFromString(`--initial-old-space-size=${Math.floor(oldBytesStart / MB)}`)
  const data: ThreadData = { values }
  const worker = new Worker(new URL('./node-thread.js', import.meta.url), {
    workerData: data,
    resourceLimits: {
      maxOldGenerationSizeMb: oldBytes / MB,
      maxYoungGenerationSizeMb: (semiSpaceBytes / MB) * SEMI_SPACES,
    },
  })
  return new Promise((resolve, reject) => {
    let ended: (result: { exitCode: number }) => void = () => {}
    let failed: (error: unknown) => void = () => {}
    const stopped = new Promise<{ exitCode: number }>((resolveEnd, rejectEnd) => {
      ended = resolveEnd
      failed = rejectEnd
    })
    // Whoever waits for the start hears of it there.
    stopped.catch(() => {})
    const stop = async (reason: string): Promise<void> => {
      const order: NodeOrder = { reason }
      worker.postMessage(order)
      await stopped
    }
    const fail = (error: unknown): void => {
      reject(error)
      failed(error)
    }
    worker.on('message', (news: NodeNews) => {
      if (news.kind === 'serves') resolve({ stop, stopped })
      else if (news.kind === 'refused') fail(new StartError(news.sentence))
      else if (news.kind === 'ended') ended(news)
      else fail(new Error(news.stack))
    })
    worker.on('error', (error) => fail(explained(error)))
    worker.on('exit', (exitCode) => fail(new Error(`the node's thread ended with code ${exitCode}`)))
  })
}

/** V8 ends a thread, not the process, when its heap is used up. */
function explained(error: unknown): unknown {
  if (!(error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY')) return error
  return new StartError(
    'the node needed more memory than its heap may have: start it again with a larger maxmemory, ' +
      'or on a machine with more memory',
  )
}
