/**
 * differential.ts: `npm run differential -- --commands 1000000 --seed N`: random commands over all types, sent
 * to one Causeway node and to one redis-server; half of them by RESP2, half by RESP3.
 *
 * Ends at the first reply that differs and is not in `differences.ts`, with exit code 1 and the commands that
 * lead to it; otherwise with a summary. The same seed brings the same commands.
 */
import { commandTable } from '../../region-node/commands/families.ts'
import { readOptions } from '../harness/command-line.ts'
import { RawClient } from '../harness/raw-client.ts'
import { RedisReference, redisIsInstalled } from '../harness/redis-reference.ts'
import { RegionProcess } from '../harness/region-process.ts'
import { NODE_SETTINGS, type Outcome, report, runDifferential } from './differential-run.ts'

const USAGE = 'usage: npm run differential -- [--commands N] [--seed N]'
const COMMANDS_DEFAULT = '100000'
const PROGRESS_COMMANDS = 50_000
const PROTOCOLS = [2, 3] as const

process.exitCode = await main(process.argv.slice(2))

/** @returns the exit code */
async function main(argv: readonly string[]): Promise<number> {
  const values = readOptions(argv, USAGE, {
    commands: { type: 'string', default: COMMANDS_DEFAULT },
    seed: { type: 'string', default: '1' },
  })
  if (values === undefined) return 2
  const commands = Number(values.commands)
  const seed = Number(values.seed)
  if (!(Number.isSafeInteger(commands) && commands > 0 && Number.isSafeInteger(seed) && seed >= 0)) {
    console.error(USAGE)
    return 2
  }
  if (!redisIsInstalled) {
    console.error('redis-server is what it compares with: install it')
    return 2
  }
  const redis = await RedisReference.start()
  const node = await RegionProcess.prepare({ name: 'A', id: 1, settings: NODE_SETTINGS })
  try {
    await node.start()
    for (const protocol of PROTOCOLS) {
      const outcome = await compare(redis, node, {
        commands: Math.ceil(commands / PROTOCOLS.length),
        seed,
        protocol,
      })
      if (outcome.finding === undefined) continue
      console.error(`\nseed ${seed}, RESP${protocol}: ${report(outcome.finding)}`)
      return 1
    }
    return 0
  } catch (error) {
    console.error(
      `seed ${seed}: ${error instanceof Error ? error.message : error}\nthe node wrote:\n${node.stderr}`,
    )
    return 1
  } finally {
    await node.dispose()
    await redis.stop()
  }
}

interface Plan {
  readonly commands: number
  readonly seed: number
  readonly protocol: 2 | 3
}

async function compare(redis: RedisReference, node: RegionProcess, plan: Plan): Promise<Outcome> {
  const ours = await RawClient.connect('the node', node.ports.port)
  const startMs = performance.now()
  let told = 0
  const outcome = await runDifferential({
    ...plan,
    redis,
    ours,
    has: (name) => commandTable.get(name) !== undefined,
    progress(done) {
      if (done < told + PROGRESS_COMMANDS) return
      told = done
      console.log(`RESP${plan.protocol}: ${done} commands ...`)
    },
  })
  ours.close()
  console.log(summary(plan, outcome, (performance.now() - startMs) / 1000))
  return outcome
}

function summary(
  { seed, protocol }: Plan,
  { commands, errors, documented }: Outcome,
  seconds: number,
): string {
  const share = ((100 * errors) / commands).toFixed(0)
  const explained = [...documented].map(([name, count]) => `\n  ${count} replies: ${name}`).join('')
  return `RESP${protocol}, seed ${seed}: ${commands} commands in ${seconds.toFixed(0)} s, ${share} % errors; documented differences:${explained || ' none met'}`
}
