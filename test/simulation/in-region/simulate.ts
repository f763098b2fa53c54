/**
 * simulate.ts: `npm run simulate:region -- --seed N --seeds COUNT --focus KINDS --verbose`.
 *
 * Runs COUNT seeds from N on (1 each when not given), with the named kinds of faults often where some are named
 * (`freeze,halt`). Ends at the first finding with exit code 1 and the command that reproduces it.
 */
import { readOptions } from '../../harness/command-line.ts'
import { drawOptions, FAULT_KINDS, type FaultKind } from './options.ts'
import { type InRegionResult, simulateInRegion } from './simulation.ts'

const USAGE = 'usage: npm run simulate:region -- [--seed N] [--seeds COUNT] [--focus KINDS] [--verbose]'
const PROGRESS_SEEDS = 50

/** @returns the exit code */
export async function main(argv: readonly string[]): Promise<number> {
  const values = readOptions(argv, USAGE, {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    focus: { type: 'string', default: '' },
    verbose: { type: 'boolean', default: false },
  })
  if (values === undefined) return 2
  const first = Number(values.seed)
  const count = Number(values.seeds)
  const names = values.focus.split(',').filter((name) => name !== '')
  const focus = FAULT_KINDS.filter((name) => names.includes(name))
  if (!isCount(first) || !isCount(count) || focus.length !== names.length) {
    console.error(USAGE)
    return 2
  }
  for (let seed = first; seed < first + count; seed++) {
    const result = await simulateInRegion(drawOptions(seed, focus), values.verbose)
    for (const line of result.trace) console.log(line)
    if (result.finding !== undefined) {
      console.error(report(result, focus))
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

function summary({ options, hash, commands, acknowledged, terms, virtualMs }: InRegionResult): string {
  const seconds = (virtualMs / 1000).toFixed(1)
  return (
    `seed ${options.seed}: ${options.ackMode}, nodes ${options.nodes.join('+')}, ${commands} commands, ` +
    `${acknowledged} acknowledged, ${terms} terms, ${seconds} s of virtual time, trace ${hash.toString(16)}`
  )
}

function report(result: InRegionResult, focus: readonly FaultKind[]): string {
  const { options, finding } = result
  const about = focus.length === 0 ? '' : ` --focus ${focus.join()}`
  const again = `npm run simulate:region -- --seed ${options.seed}${about} --verbose`
  return `${summary(result)}\nFINDING ${finding}\nto see it again: ${again}`
}

if (process.argv[1]?.endsWith('in-region/simulate.js')) process.exitCode = await main(process.argv.slice(2))
