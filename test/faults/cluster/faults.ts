/**
 * faults.ts: `npm run faults:cluster`: failover inside a region under real faults: real nodes, a real etcd of three
 * members, and relays between them that can be cut.
 *
 *   npm run faults:cluster                            every fault once, windows ten times each, 20 random failovers
 *   npm run faults:cluster -- --only 1,5,13           these faults only, and nothing else
 *   npm run faults:cluster -- --times 20              windows measured twenty times each; 0: not at all
 *   npm run faults:cluster -- --failovers 200 --seed 7    so many random failovers; 0: none
 *   npm run faults:cluster -- --results FILE          where to write what is found
 *
 * Prints tables, writes them to test/faults/CLUSTER.md (or with --only nowhere, unless a file is named), and exits
 * with 1 when something did not hold.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { etcdIsInstalled } from '../../../compose/cluster/etcd-members.ts'
import { readOptions } from '../../harness/command-line.ts'
import { PROJECT_ROOT } from '../../harness/project-root.ts'
import { ETCD_FAULTS } from './etcd-faults.ts'
import { failOverAgain } from './failovers.ts'
import { MACHINE_FAULTS, type MachineFault, tryOnMachines } from './machine-faults.ts'
import { NETWORK_FAULTS } from './network-faults.ts'
import { PROCESS_FAULTS } from './process-faults.ts'
import { Results } from './results.ts'
import { Scene } from './scene.ts'
import { STREAM_FAULTS } from './stream-faults.ts'
import { type Fault, Trial } from './trial.ts'
import { ENDINGS, measureWindow } from './windows.ts'

const FAULTS: readonly (Fault | MachineFault)[] = [
  ...PROCESS_FAULTS,
  ...NETWORK_FAULTS,
  ...ETCD_FAULTS,
  ...STREAM_FAULTS,
  ...MACHINE_FAULTS,
].sort((a, b) => Number.parseInt(a.number, 10) - Number.parseInt(b.number, 10))
const RESULTS = 'test/faults/CLUSTER.md'
const ACKS = ['sync', 'async'] as const

const USAGE =
  'usage: npm run faults:cluster -- [--only NUMBERS] [--times N] [--failovers N] [--seed N] [--results FILE]'

const values =
  readOptions(process.argv.slice(2), USAGE, {
    only: { type: 'string' },
    times: { type: 'string' },
    failovers: { type: 'string' },
    seed: { type: 'string', default: '1' },
    results: { type: 'string' },
  }) ?? process.exit(2)

// All that was started here ends with this process; a signal alone would leave it behind.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => process.exit(1))

if (!etcdIsInstalled) {
  console.error('causeway: this needs etcd: apt-get install etcd-server')
  process.exitCode = 1
} else {
  await run()
}

async function run(): Promise<void> {
  const only = values.only?.split(',')
  const faults = FAULTS.filter(({ number }) => only?.includes(number) ?? true)
  const times = Number(values.times ?? (only === undefined ? 10 : 0))
  const failovers = Number(values.failovers ?? (only === undefined ? 20 : 0))
  const results = new Results()
  for (const [at, fault] of faults.entries()) {
    progress(`fault ${at + 1} of ${faults.length}: ${fault.number} ${fault.fault}, ${fault.ack}`)
    // Each on nodes of its own: what one leaves behind is not the next one's beginning.
    const isOfMachines = 'shape' in fault
    results.fault(
      fault,
      isOfMachines ? await tryOnMachines(fault) : await onScene((scene) => Trial.of(fault, scene)),
    )
  }
  if (times > 0) await onScene((scene) => measureAll(scene, times, results), false)
  if (failovers > 0)
    for (const ack of ACKS)
      results.failovers(
        await onScene((scene) =>
          failOverAgain(scene, ack, failovers, Number(values.seed), (time, kind) =>
            progress(`failover ${time} of ${failovers}, ${ack}: ${kind}`),
          ),
        ),
      )
  const text = results.text()
  console.log(text)
  const file = values.results ?? (only === undefined ? join(PROJECT_ROOT, RESULTS) : undefined)
  if (file !== undefined) writeFileSync(file, text)
  process.exitCode = results.failures > 0 ? 1 : 0
}

async function measureAll(scene: Scene, times: number, results: Results): Promise<void> {
  for (const ending of ENDINGS)
    for (const ack of ACKS) {
      const window = await measureWindow(scene, ending, ack, times, (time, gapMs) =>
        progress(`${ending.kind}, ${ack}, ${time} of ${times}: ${Math.round(gapMs)} ms`),
      )
      results.window(window)
    }
}

async function onScene<T>(play: (scene: Scene) => Promise<T>, tellsRegionsApart?: boolean): Promise<T> {
  const scene = await Scene.start(tellsRegionsApart)
  try {
    return await play(scene)
  } finally {
    await scene.stop()
  }
}

function progress(sentence: string): void {
  console.error(`${new Date().toISOString().slice(11, 19)} ${sentence}`)
}
