/**
 * demo.ts: `npm start`: three regions on this machine, a demonstration with real clients, then an open
 * stage until Ctrl-C.
 *
 *   npm start                  the demonstration, then the regions stay up
 *   npm start -- --exit        the demonstration only; the exit code is 1 if a claim turned out false
 *   npm start -- --port 7201   other ports: 7201 to 7203 for clients, +1000 for admin, +2000 for sync
 *
 * Invariants: (1) every claim is computed from replies. (2) Whatever happens, the regions that were
 * started are ended.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { crashOne } from './acts/crash.ts'
import { cutAndWrite, heal } from './acts/cut-and-heal.ts'
import { writeAnywhere } from './acts/write-anywhere.ts'
import { planRegions } from './plan.ts'
import { Region } from './region.ts'
import { Stage } from './stage.ts'

const NAMES = ['A', 'B', 'C']
const FIRST_PORT = 7101
const DATA_FOLDER = 'data'
/** Exit code when a claim was false, or nothing could be claimed. */
const FAILED = 1

interface Options {
  readonly exit: boolean
  readonly port: number
}

const options = readOptions()
if (options !== undefined) process.exitCode = await demonstrate(options)

/** @returns the exit code */
async function demonstrate({ exit, port }: Options): Promise<number> {
  const { stdout, env } = process
  const stage = new Stage(stdout, stdout.isTTY && (env.NO_COLOR ?? '') === '')
  const ended = endRequest()
  const regions: Region[] = []
  let folder: string | undefined
  let exitCode = FAILED
  try {
    folder = freshFolder()
    regions.push(...planRegions(NAMES, port, folder).map((plan) => new Region(plan)))
    const outcome = await Promise.race([play(stage, regions, folder), ended])
    if (outcome === 'played' && stage.failures === 0) {
      exitCode = 0
      if (!exit) {
        invite(stage, regions)
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
  await Promise.all(regions.map((region) => region.stop()))
  if (folder !== undefined && stage.failures === 0) rmSync(folder, { recursive: true, force: true })
  return exitCode
}

async function play(stage: Stage, regions: readonly Region[], folder: string): Promise<'played'> {
  stage.heading('Causeway: one database, three regions, each a process on this machine')
  await startAll(regions)
  stage.table(
    ['region', 'Redis clients', 'status'],
    regions.map(({ name, plan }) => [
      name,
      `127.0.0.1:${plan.port}`,
      `http://127.0.0.1:${plan.adminPort}/v1/status`,
    ]),
  )
  stage.say(`The data is in ${folder}; appendfsync is everysec, as is Redis's default.`)
  await writeAnywhere(stage, regions)
  await cutAndWrite(stage, regions)
  await heal(stage, regions)
  await crashOne(stage, regions)
  stage.say()
  stage.check(stage.failures === 0, `${stage.checks - stage.failures} of ${stage.checks} claims held`)
  return 'played'
}

/** All at once; the first that cannot start says why, after the others have settled. */
async function startAll(regions: readonly Region[]): Promise<void> {
  const results = await Promise.allSettled(regions.map((region) => region.start()))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed === undefined) {
    await Promise.all(regions.map((region) => region.takesWrites()))
    return
  }
  throw new Error(`${sentenceOf(failed.reason)}\n          (other ports: npm start -- --port 7201)`)
}

function invite(stage: Stage, regions: readonly Region[]): void {
  const [a, b] = regions as [Region, Region]
  stage.act('Your turn')
  stage.say('The regions stay up until you press Ctrl-C. Any Redis client will do:')
  stage.say()
  stage.say(`  redis-cli -p ${a.plan.port} CRDT.LINK ALL DOWN      cut A off`)
  stage.say(`  redis-cli -p ${a.plan.port} SADD online you         write on both sides`)
  stage.say(`  redis-cli -p ${b.plan.port} DEL online`)
  stage.say(`  redis-cli -p ${a.plan.port} CRDT.LINK ALL UP        heal`)
  stage.say(`  redis-cli -p ${b.plan.port} SMEMBERS online         what DEL had not seen is there`)
  stage.say(`  redis-cli -p ${a.plan.port} CRDT.CONFLICTS          what was hidden, and by which rule`)
  stage.say(`  curl http://127.0.0.1:${a.plan.adminPort}/metrics`)
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

function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS' || code === 'ENOSPC' || code === 'EEXIST') {
    return `cannot make a folder for the data under ./${DATA_FOLDER}: ${error.message}`
  }
  return error.message
}

/** The command line, or undefined when it was refused. */
function readOptions(): Options | undefined {
  try {
    const { values } = parseArgs({ options: { exit: { type: 'boolean' }, port: { type: 'string' } } })
    const port = Number(values.port ?? FIRST_PORT)
    if (!Number.isInteger(port) || port < 1024 || port > 60_000) {
      throw new RangeError('--port must be a number from 1024 to 60000')
    }
    return { exit: values.exit ?? false, port }
  } catch (error) {
    console.error(`causeway: ${sentenceOf(error)}`)
    process.exitCode = FAILED
    return undefined
  }
}
