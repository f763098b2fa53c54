/**
 * simulate.ts: `npm run simulate -- --seed N --ops N --seeds COUNT --focus KINDS --without KINDS --verbose`.
 *
 * Runs COUNT seeds from N on (1 each when not given), about the named kinds of faults and commands where some
 * are named (`dark,counters`), and leaving out others. Ends at the first finding with exit code 1 and the
 * command that reproduces it; the commit and that command are all that is needed.
 */
import { readOptions } from '../harness/command-line.ts'
import { type About, FAMILIES, FAULT_KINDS, type Focus } from './options.ts'
import { type SimResult, simulate } from './simulation.ts'

const USAGE =
  'usage: npm run simulate -- [--seed N] [--ops N] [--seeds COUNT] [--focus KINDS] [--without KINDS] [--verbose]'
const PROGRESS_SEEDS = 100

/** @returns the exit code */
export async function main(argv: readonly string[]): Promise<number> {
  const values = readOptions(argv, USAGE, {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    ops: { type: 'string' },
    focus: { type: 'string', default: '' },
    without: { type: 'string', default: '' },
    verbose: { type: 'boolean', default: false },
  })
  if (values === undefined) return 2
  const first = Number(values.seed)
  const count = Number(values.seeds)
  const ops = values.ops === undefined ? undefined : Number(values.ops)
  const [focus, without] = [kindsIn(values.focus), kindsIn(values.without)]
  const areCounts = isCount(first) && isCount(count) && (ops === undefined || isCount(ops))
  if (!areCounts || focus === undefined || without === undefined) {
    console.error(USAGE)
    return 2
  }
  for (let seed = first; seed < first + count; seed++) {
    const result = await simulate(seed, ops, values.verbose, { focus, without })
    for (const line of result.trace) console.log(line)
    if (result.finding !== undefined) {
      console.error(report(result, ops, { focus, without }))
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

/** @returns undefined when a name is neither a fault nor a family of commands */
function kindsIn(text: string): Focus | undefined {
  const names = text.split(',').filter((name) => name !== '')
  const known = [...FAULT_KINDS, ...FAMILIES].filter((name) => names.includes(name))
  return known.length === names.length ? known : undefined
}

function summary({ seed, hash, commands, minted, virtualMs }: SimResult): string {
  const seconds = (virtualMs / 1000).toFixed(1)
  return `seed ${seed}: ${commands} commands, ${minted} ops, ${seconds} s of virtual time, trace ${hash.toString(16)}`
}

function report(result: SimResult, ops: number | undefined, { focus = [], without = [] }: About): string {
  const { seed, finding } = result
  const options = [
    `--seed ${seed}`,
    ...(ops === undefined ? [] : [`--ops ${ops}`]),
    ...(focus.length === 0 ? [] : [`--focus ${focus.join()}`]),
    ...(without.length === 0 ? [] : [`--without ${without.join()}`]),
  ]
  const again = `npm run simulate -- ${options.join(' ')} --verbose`
  return `${summary(result)}\nFINDING ${finding}\nto see it again: ${again}`
}

if (process.argv[1]?.endsWith('simulate.js')) process.exitCode = await main(process.argv.slice(2))
