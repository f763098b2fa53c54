/**
 * paced-load.ts: the thread behind lag.ts: SETs at a given rate until a message comes, then answers with the
 * rate it reached.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { RawLoad } from './raw-load.ts'

const KEY_RANGE = 1_000_000
const VALUE = 'xxx'

const { port, opsPerSecond } = workerData as { port: number; opsPerSecond: number }
const load = await RawLoad.connect(port)
let ended = false
parentPort!.once('message', () => {
  ended = true
})
const achieved = await load.paced(opsPerSecond, KEY_RANGE, VALUE, () => ended)
load.close()
parentPort!.postMessage(achieved)
