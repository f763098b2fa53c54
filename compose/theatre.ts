/**
 * theatre.ts: what the demonstrations have in common: a folder, a stage, an open end, and that whatever happens all
 * that was started is ended.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Stage } from './stage.ts'

const DATA_FOLDER = 'data'
/** Exit code when a claim was false, or nothing could be claimed. */
const FAILED = 1
/** The highest that leaves room for the ports above it. */
const PORT_MAX = 60_000

export interface Play {
  /** Starts what it needs, shows it, makes its claims. */
  perform(stage: Stage): Promise<void>
  /** What to try while everything stays up. */
  invite(stage: Stage): void
  /** Ends all that was started. */
  end(): Promise<void>
}

/**
 * Runs a demonstration as its command line says: `--exit` ends it behind the last claim, `--port` moves it.
 * @param firstPort  where there is no `--port`
 * @returns the exit code
 */
export async function demonstrate(
  firstPort: number,
  prepare: (folder: string, port: number) => Play,
): Promise<number> {
  const options = readOptions(firstPort)
  if (options === undefined) return FAILED
  const { stdout, env } = process
  const stage = new Stage(stdout, stdout.isTTY && (env.NO_COLOR ?? '') === '')
  const ended = endRequest()
  let play: Play | undefined
  let folder: string | undefined
  let exitCode = FAILED
  try {
    folder = freshFolder()
    play = prepare(folder, options.port)
    const outcome = await Promise.race([play.perform(stage).then(() => 'played' as const), ended])
    if (outcome === 'played') {
      stage.say()
      stage.check(stage.failures === 0, `${stage.checks - stage.failures} of ${stage.checks} claims held`)
    }
    if (outcome === 'played' && stage.failures === 0) {
      exitCode = 0
      if (!options.exit) {
        play.invite(stage)
        await ended
        stage.say()
        stage.say('Ending the regions ...')
      }
    }
  } catch (error) {
    stage.failed(sentenceOf(error))
  }
  if (folder !== undefined && stage.failures > 0) stage.say(`What the regions logged is in ${folder}.`)
  stage.close()
  await play?.end()
  if (folder !== undefined && stage.failures === 0) rmSync(folder, { recursive: true, force: true })
  return exitCode
}

export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS' || code === 'ENOSPC' || code === 'EEXIST') {
    return `cannot make a folder for the data under ./${DATA_FOLDER}: ${error.message}`
  }
  return error.message
}

/** A folder that no other demonstration uses. @throws when it cannot be made */
function freshFolder(): string {
  mkdirSync(DATA_FOLDER, { recursive: true })
  const taken = readdirSync(DATA_FOLDER).map((name) => Number(/^demo-(\d+)$/.exec(name)?.[1] ?? 0))
  const folder = join(DATA_FOLDER, `demo-${Math.max(0, ...taken) + 1}`)
  mkdirSync(folder)
  return folder
}

/** Resolves when somebody asks the demonstration to end, or nobody looks any more. */
function endRequest(): Promise<'ended'> {
  return new Promise((resolve) => {
    // Kept installed: a second signal must not leave the regions behind.
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => resolve('ended'))
    process.stdout.on('error', () => resolve('ended'))
  })
}

interface Options {
  readonly exit: boolean
  readonly port: number
}

/** The command line, or undefined when it was refused. */
function readOptions(firstPort: number): Options | undefined {
  try {
    const { values } = parseArgs({ options: { exit: { type: 'boolean' }, port: { type: 'string' } } })
    const port = Number(values.port ?? firstPort)
    if (!Number.isInteger(port) || port < 1024 || port > PORT_MAX) {
      throw new RangeError(`--port must be a number from 1024 to ${PORT_MAX}`)
    }
    return { exit: values.exit ?? false, port }
  } catch (error) {
    console.error(`causeway: ${sentenceOf(error)}`)
    return undefined
  }
}
