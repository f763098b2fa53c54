/**
 * causeway.test.ts: the command line from its words to its exit code, with a node that is a fake.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { runCauseway } from '../../../../region-node/cli/causeway.ts'
import { NODE_EXAMPLE } from '../../../../region-node/cli/help.ts'
import type { CliHost, RunningNode } from '../../../../region-node/cli/host.ts'
import { SETTING_ROWS } from '../../../../region-node/config/table.ts'
import { loadSettings, type Settings } from '../../../../region-node/config.ts'
import { DiskError, type Env } from '../../../../region-node/env.ts'
import { nodeEnv } from '../../../../region-node/env-node.ts'
import { StartError } from '../../../../region-node/start-error.ts'
import { VERSION } from '../../../../region-node/version.ts'

const IDENTITY = ['node', '--region', 'A', '--region-id', '1']

/** A process that a test looks into. */
class FakeHost implements CliHost {
  out = ''
  errors = ''
  nowMs = 0
  exits: number[] = []
  stops: string[] = []
  settings: Settings | undefined
  signal: (name: string) => void = () => {}
  readonly env: Env = { ...nodeEnv(), monoMs: () => this.nowMs }
  readonly environment = {}
  /** Resolves when the node runs. */
  readonly started: Promise<void>
  #markStarted: () => void = () => {}
  #startError: unknown

  constructor(startError?: unknown) {
    this.#startError = startError
    this.started = new Promise((resolve) => {
      this.#markStarted = resolve
    })
  }

  print(text: string): void {
    this.out += text
  }

  complain(text: string): void {
    this.errors += text
  }

  onSignal(listener: (name: string) => void): void {
    this.signal = listener
  }

  exitNow(code: number): void {
    this.exits.push(code)
  }

  askNode(): Promise<never> {
    return Promise.reject(new Error('no node is asked here'))
  }

  openCoordinator(): never {
    throw new Error('no coordinator is opened here')
  }

  startChild(): never {
    throw new Error('no child is started here')
  }

  openLog(): () => void {
    return () => {}
  }

  async startNode(settings: Settings): Promise<RunningNode> {
    if (this.#startError !== undefined) throw this.#startError
    this.settings = settings
    let end: (result: { exitCode: number }) => void = () => {}
    const stopped = new Promise<{ exitCode: number }>((resolve) => {
      end = resolve
    })
    this.#markStarted()
    return {
      stopped,
      stop: async (reason) => {
        this.stops.push(reason)
        end({ exitCode: 0 })
      },
    }
  }
}

describe('causeway', () => {
  it('prints its version, which is the one of the package', async () => {
    const host = new FakeHost()
    expect(await runCauseway(['--version'], host)).toBe(0)
    expect(host.out).toBe(`${VERSION}\n`)
    const manifest = readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8')
    expect(VERSION).toBe(JSON.parse(manifest).version)
  })

  it('explains itself', async () => {
    const host = new FakeHost()
    expect(await runCauseway(['--help'], host)).toBe(0)
    expect(host.out).toContain('causeway node --help')
  })

  it('refuses an unknown command, and none', async () => {
    const host = new FakeHost()
    expect(await runCauseway(['nod'], host)).toBe(1)
    expect(host.errors).toBe("causeway: unknown command 'nod': did you mean 'node'?\n")
    expect(await runCauseway([], new FakeHost())).toBe(1)
  })
})

describe('causeway node', () => {
  it('documents every setting that can be given, in lines that fit a page', async () => {
    const host = new FakeHost()
    expect(await runCauseway(['node', '--help'], host)).toBe(0)
    for (const [name, row] of SETTING_ROWS) {
      if (row.change !== 'never') expect(host.out).toMatch(new RegExp(`^  --${name}( |$)`, 'm'))
    }
    for (const line of host.out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(115)
  })

  it.each(NODE_EXAMPLE)('has an example that works: %s', (line) => {
    const [command, subcommand, ...argv] = line.split(' ')
    expect([command, subcommand]).toEqual(['causeway', 'node'])
    expect(() => loadSettings({ argv, environment: {}, readFile: () => undefined })).not.toThrow()
  })

  it('runs until the node has stopped, in order, at a signal', async () => {
    const host = new FakeHost()
    const ended = runCauseway([...IDENTITY, '--port', '0'], host)
    await host.started
    expect(host.settings?.values.port).toBe(0)
    host.signal('SIGTERM')
    expect(await ended).toBe(0)
    expect(host.stops).toEqual(['SIGTERM'])
  })

  it('takes one Ctrl-C that arrives twice for one, and ends at once at a second', async () => {
    const host = new FakeHost()
    const ended = runCauseway(IDENTITY, host)
    await host.started
    host.signal('SIGINT')
    host.nowMs = 20
    host.signal('SIGINT')
    expect(host.exits).toEqual([])
    host.nowMs = 1500
    host.signal('SIGINT')
    expect(host.exits).toEqual([1])
    await ended
  })

  it.each([
    [new StartError('the log is damaged'), 'causeway: the log is damaged\n'],
    [
      new DiskError('EACCES', 'cannot make the folder data: permission denied'),
      'causeway: cannot make the folder data: permission denied; give this user the right',
    ],
    [
      Object.assign(new Error('x'), {
        code: 'EADDRINUSE',
        syscall: 'listen',
        port: 7101,
        address: '127.0.0.1',
      }),
      'causeway: port 7101 on 127.0.0.1 is in use by another program',
    ],
    [new TypeError('a defect'), 'TypeError: a defect\n    at '],
  ])('says in a sentence why it did not start: %s', async (error, sentence) => {
    const host = new FakeHost(error)
    expect(await runCauseway(IDENTITY, host)).toBe(1)
    expect(host.errors).toContain(sentence)
  })

  it('opens nothing when the settings are wrong', async () => {
    const host = new FakeHost()
    expect(await runCauseway(['node', '--region', 'A'], host)).toBe(1)
    expect(host.errors).toMatch(/^causeway: region-id is missing.*\n$/)
    expect(host.settings).toBeUndefined()
  })
})
