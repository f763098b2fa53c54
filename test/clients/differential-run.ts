/**
 * differential-run.ts: sends the same random commands to two servers and finds the first reply that differs,
 * with as few commands before it as still make it differ.
 *
 * The run is cut into epochs, each on empty servers, so that what leads to a difference is at most one
 * epoch long. Shrinking replays parts of it on emptied servers: first what shares a word with the command
 * that differed, then by leaving out ever smaller parts (delta debugging: Zeller and Hildebrandt, 2002).
 */
import { isError } from '../harness/reply-text.ts'
import { Comparison } from './comparison.ts'
import { RandomCommands } from './random-commands.ts'

export type Command = readonly string[]
/** Commands that belong together, such as a transaction: none is left out without the others. */
type Step = readonly Command[]

/** A server, or what stands for one: commands in, replies out as they would be on the wire. */
export interface Side {
  exchangeAll(commands: readonly Command[]): Promise<string[]>
}

export interface DifferentialOptions {
  readonly redis: Side
  readonly ours: Side
  readonly commands: number
  readonly seed: number
  readonly protocol: 2 | 3
  /** Whether a command is to be tried. */
  readonly has: (name: string) => boolean
  /** Called with the commands done, now and then. */
  readonly progress?: (done: number) => void
}

export interface Finding {
  /** Counted from the first command of the run. */
  readonly index: number
  readonly words: Command
  readonly redis: string
  readonly ours: string
  /** What leads to it on empty servers. */
  readonly before: readonly Command[]
  /** False when it did not come again, and `before` is merely what shares a word with it. */
  readonly comesAgain: boolean
}

export interface Outcome {
  readonly commands: number
  /** Commands that Redis answered with an error. */
  readonly errors: number
  /** Replies that differed as documented, by the name of the difference. */
  readonly documented: ReadonlyMap<string, number>
  readonly finding: Finding | undefined
}

/** What a node that is compared is told to do as Redis does. */
export const NODE_SETTINGS: Readonly<Record<string, string>> = { 'stream-id-mode': 'liberal' }

/** Commands that are on their way at once. */
const CHUNK = 1000
const EPOCH = 20_000
/** Replays spent on making a finding small. */
const REPLAYS_MAX = 300

/** The first reply in which two servers differ. */
interface Parting {
  /** Its step, and its place among all commands. */
  readonly step: number
  readonly at: number
  readonly words: Command
  readonly redis: string
  readonly ours: string
}

interface Replayed {
  readonly parting: Parting | undefined
  readonly comparison: Comparison
  readonly commands: number
  readonly errors: number
}

export async function runDifferential(options: DifferentialOptions): Promise<Outcome> {
  const source = new RandomCommands(options.seed, options.has)
  const documented = new Map<string, number>()
  let commands = 0
  let errors = 0
  while (commands < options.commands) {
    const epoch = stepsOf(source, Math.min(EPOCH, options.commands - commands))
    const replayed = await replay(options, epoch)
    for (const [name, count] of replayed.comparison.counts)
      documented.set(name, (documented.get(name) ?? 0) + count)
    errors += replayed.errors
    const { parting } = replayed
    if (parting !== undefined) {
      const finding = await shrink(options, epoch.slice(0, parting.step + 1), parting, commands + parting.at)
      return { commands: commands + parting.at + 1, errors, documented, finding }
    }
    commands += replayed.commands
    options.progress?.(commands)
  }
  return { commands, errors, documented, finding: undefined }
}

/** Steps of at least so many commands. */
function stepsOf(source: RandomCommands, commands: number): Step[] {
  const steps: Step[] = []
  for (let count = 0; count < commands; count += steps.at(-1)!.length) steps.push(source.next())
  return steps
}

/**
 * Runs the steps on both servers, which are emptied first, up to the first difference, or to a documented one
 * that parts them.
 */
async function replay(
  { redis, ours, protocol }: DifferentialOptions,
  steps: readonly Step[],
): Promise<Replayed> {
  const start: Command[] = [['RESET'], ['HELLO', String(protocol)], ['SELECT', '0'], ['FLUSHALL']]
  await Promise.all([redis.exchangeAll(start), ours.exchangeAll(start)])
  const commands = steps.flatMap((step, i) => step.map((words) => ({ words, step: i })))
  const comparison = new Comparison()
  let errors = 0
  for (let from = 0; from < commands.length; from += CHUNK) {
    const chunk = commands.slice(from, from + CHUNK)
    const words = chunk.map((one) => one.words)
    const [theirs, mine] = await Promise.all([redis.exchangeAll(words), ours.exchangeAll(words)])
    for (const [i, one] of chunk.entries()) {
      const [redis, ours] = [theirs[i]!, mine[i]!]
      if (isError(redis)) errors++
      const isSame = comparison.isSame(one.words, redis, ours)
      if (isSame && !comparison.isApart) continue
      const parting = isSame ? undefined : { ...one, at: from + i, redis, ours }
      return { parting, comparison, commands: from + i + 1, errors }
    }
  }
  return { parting: undefined, comparison, commands: commands.length, errors }
}

/** Steps that end in a parting, and the parting. */
interface Failing {
  readonly steps: readonly Step[]
  readonly parting: Parting
}

/** @param epoch  up to the step in which the servers part */
async function shrink(
  options: DifferentialOptions,
  epoch: readonly Step[],
  parting: Parting,
  index: number,
): Promise<Finding> {
  const { words } = parting
  let replaysLeft = REPLAYS_MAX
  const failing = async (steps: readonly Step[]): Promise<Failing | undefined> => {
    replaysLeft--
    const { parting: again } = await replay(options, steps)
    // Another command that parts is another finding.
    return again?.words === words ? { steps: steps.slice(0, again.step + 1), parting: again } : undefined
  }
  const isAkin = (step: Step): boolean =>
    step.some((one) => one.length === 1 || one.some((word) => words.includes(word, 1)))
  const akin = epoch.filter((step, i) => i === parting.step || isAkin(step))
  let smallest = (await failing(akin)) ?? (await failing(epoch))
  if (smallest === undefined) {
    const before = akin.flat().slice(0, -1)
    return { index, words, redis: parting.redis, ours: parting.ours, before, comesAgain: false }
  }
  for (let size = smallest.steps.length >> 1; size > 0; size >>= 1) {
    for (let from = 0; from < smallest.steps.length - 1 && replaysLeft > 0; ) {
      const without = [...smallest.steps.slice(0, from), ...smallest.steps.slice(from + size)]
      const smaller = await failing(without)
      if (smaller === undefined) from += size
      else smallest = smaller
    }
  }
  const last = smallest.parting
  const before = smallest.steps.flat().slice(0, last.at)
  return { index, words: last.words, redis: last.redis, ours: last.ours, before, comesAgain: true }
}

/** For people: the commands as they would be typed, and both replies. */
export function report({ index, words, redis, ours, before, comesAgain }: Finding): string {
  return [
    `command ${index} is answered differently: ${JSON.stringify(words)}`,
    `redis: ${JSON.stringify(redis)}`,
    ` ours: ${JSON.stringify(ours)}`,
    comesAgain
      ? `on empty servers, after these ${before.length}:`
      : `it did not come again; what shares a word with it:`,
    ...before.slice(-100).map((one) => `  ${JSON.stringify(one)}`),
  ].join('\n')
}
