/**
 * paced-load.ts: the thread behind steady-load.ts: SETs of short values at a given rate until a message
 * comes, then answers with the rate it reached.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { RawLoad, SHORT_VALUE } from './raw-load.ts'
import type { Pace } from './steady-load.ts'

const { port, opsPerSecond, keys } = workerData as Pace
const load = await RawLoad.connect(port)
let ended = false
parentPort!.once('message', () => {
  ended = true
})
const achieved = await load.paced(opsPerSecond, keys, SHORT_VALUE, () => ended)
load.close()
parentPort!.postMessage(achieved)
