/**
 * observer.bench.ts: what it costs a GET and a SET that somebody looks at commands: nobody, SLOWLOG at its
 * default (a coarse look), SLOWLOG of a millisecond (a fine look).
 *
 * Run it built: `npm run build && node dist/test/bench/micro/observer.bench.js`.
 */
import { CommandWatch } from '../../../region-node/engine/command-watch.ts'
import { TestEngine } from '../../harness/test-engine.ts'
import { measure } from './measure.ts'

const COMMANDS_PER_ROUND = 16_000
/** Commands of one event-loop turn: 50 clients with a pipeline of 16. */
const COMMANDS_PER_TURN = 800

function run(name: string, slowMicros: number): void {
  const test = new TestEngine()
  const { engine, journal } = test
  const watch = new CommandWatch(
    { wallMs: Date.now, monoMs: () => performance.now() },
    () => ({ slowMicros, slowLogLength: 128, latencyMs: 0, tracksLatency: false, isSecret: () => false }),
    (observer) => {
      engine.commands.observer = observer
    },
  )
  watch.configure()
  const session = test.session()
  const commands = [
    ['SET', 'key:000000000001', 'xxx'],
    ['GET', 'key:000000000001'],
  ]
  for (const words of commands) {
    measure(`${words[0]}, ${name}`, COMMANDS_PER_ROUND, () => {
      let characters = 0
      for (let i = 1; i <= COMMANDS_PER_ROUND; i++) {
        engine.execute(session, words)
        if (i % COMMANDS_PER_TURN !== 0) continue
        engine.endTurn()
        characters += session.out.take().length
        journal.records.length = 0
        journal.writer.at = 0
      }
      return characters
    })
  }
}

run('nobody looks', -1)
run('a coarse look', 10_000)
run('a fine look', 1000)
