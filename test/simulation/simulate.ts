/**
 * simulate.ts: `npm run simulate -- --seed N --ops N --seeds COUNT --verbose`.
 *
 * Runs COUNT seeds from N on (1 each when not given). Ends at the first finding with exit code 1 and the
 * command that reproduces it; the commit and the seed are all that is needed.
 */
import { parseArgs } from 'node:util'
import { type SimResult, simulate } from './simulation.ts'

const USAGE = 'usage: npm run simulate -- [--seed N] [--ops N] [--seeds COUNT] [--verbose]'
const PROGRESS_SEEDS = 100

/** @returns the exit code */
export async function main(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seed: { type: 'string', default: '1' },
      seeds: { type: 'string', default: '1' },
      ops: { type: 'string' },
      verbose: { type: 'boolean', default: false },
    },
  })
  const first = Number(values.seed)
  const count = Number(values.seeds)
  const ops = values.ops === undefined ? undefined : Number(values.ops)
  if (!isCount(first) || !isCount(count) || (ops !== undefined && !isCount(ops))) {
    console.error(USAGE)
    return 2
  }
  for (let seed = first; seed < first + count; seed++) {
    const result = await simulate(seed, ops, values.verbose)
    for (const line of result.trace) console.log(line)
    if (result.finding !== undefined) {
      console.error(report(result, ops))
      return 1
    }
    if (count === 1 || (seed - first + 1) % PROGRESS_SEEDS === 0) console.log(summary(result))
  }
  console.log(`${count} ${count === 1 ? 'seed' : 'seeds'} from ${first} on: every promise was kept`)
  return 0
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0
}

function summary({ seed, hash, commands, minted, virtualMs }: SimResult): string {
  const seconds = (virtualMs / 1000).toFixed(1)
  return `seed ${seed}: ${commands} commands, ${minted} ops, ${seconds} s of virtual time, trace ${hash.toString(16)}`
}

function report(result: SimResult, ops: number | undefined): string {
  const { seed, finding } = result
  const again = `npm run simulate -- --seed ${seed}${ops === undefined ? '' : ` --ops ${ops}`} --verbose`
  return `${summary(result)}\nFINDING ${finding}\nto see it again: ${again}`
}

if (process.argv[1]?.endsWith('simulate.js')) process.exitCode = await main(process.argv.slice(2))
