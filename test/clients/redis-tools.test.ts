/**
 * redis-tools.test.ts: Redis's own command-line tools against a live node. Where they are not installed
 * each test is skipped under its name.
 */
import { spawn, spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { itUnless } from '../harness/pending.ts'
import { RegionProcess } from '../harness/region-process.ts'
import { request } from '../harness/resp-client.ts'

let node: RegionProcess

beforeAll(async () => {
  node = await RegionProcess.prepare({ name: 'A', id: 1 })
  await node.start()
})

afterAll(async () => {
  await node.dispose()
})

function missing(tool: string): string | undefined {
  return spawnSync(tool, ['--version']).status === 0 ? undefined : `${tool} is not installed`
}

const NO_CLI = missing('redis-cli')
const NO_BENCHMARK = missing('redis-benchmark')

interface Done {
  readonly code: number | null
  readonly out: string
  readonly errors: string
}

/** Runs a tool against the node. */
function run(tool: string, words: readonly string[], input = ''): Promise<Done> {
  return new Promise((resolve, reject) => {
    const child = spawn(tool, ['-p', String(node.ports.port), ...words])
    let out = ''
    let errors = ''
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      out += text
    })
    child.stderr.setEncoding('latin1').on('data', (text: string) => {
      errors += text
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, out, errors }))
    // A tool may end before it has read everything.
    child.stdin.on('error', () => {})
    child.stdin.end(input, 'latin1')
  })
}

function cli(words: readonly string[], input?: string): Promise<Done> {
  return run('redis-cli', words, input)
}

describe('redis-cli', () => {
  itUnless(NO_CLI, 'runs a command from its arguments', async () => {
    expect((await cli(['SET', 'greeting', 'hello'])).out).toBe('OK\n')
    expect((await cli(['GET', 'greeting'])).out).toBe('hello\n')
    expect((await cli(['--no-raw', 'HGETALL', 'none'])).out).toBe('(empty array)\n')
  })

  itUnless(NO_CLI, 'runs a session from its input', async () => {
    const session = [
      'FLUSHALL',
      'SET k "two words"',
      'GET k',
      'INCR n',
      'SADD s a',
      'SADD s a',
      'MULTI',
      'INCR n',
      'HSET h f v',
      'EXEC',
      'LPOP',
      'INCR s',
      'NOSUCHCOMMAND x',
      'SELECT 5',
      'DBSIZE',
      'PING',
    ]
    const { out, code } = await cli(['--no-raw'], `${session.join('\n')}\n`)
    expect(code).toBe(0)
    const lines = out.split('\n')
    expect(lines).toContain('"two words"')
    expect(lines).toContain('QUEUED')
    expect(lines.join('\n')).toContain('1) (integer) 2\n2) (integer) 1')
    expect(out).toContain('(error) WRONGTYPE Operation against a key holding the wrong kind of value')
    expect(out).toContain("(error) ERR unknown command 'NOSUCHCOMMAND'")
    expect(lines).toContain('(integer) 0')
    expect(lines).toContain('PONG')
  })

  itUnless(NO_CLI, 'speaks RESP3 with -3', async () => {
    await cli(['HSET', 'map', 'f', 'v'])
    expect((await cli(['-3', '--no-raw', 'HGETALL', 'map'])).out).toBe('1# "f" => "v"\n')
    expect((await cli(['-3', '--no-raw', 'HELLO'])).out).toContain('"proto" => (integer) 3')
    expect((await cli(['-3', '--no-raw', 'GET', 'none'])).out).toBe('(nil)\n')
  })

  itUnless(NO_CLI, 'loads commands with --pipe, and lists keys with --scan', async () => {
    await cli(['FLUSHALL'])
    const count = 20_000
    let commands = ''
    for (let i = 0; i < count; i++) commands += request(['SET', `loaded:${i}`, `\x00\xff${i}`])
    const { out, code } = await cli(['--pipe'], commands)
    expect(code).toBe(0)
    expect(out).toContain(`errors: 0, replies: ${count}`)
    const scanned = await cli(['--scan', '--pattern', 'loaded:*'])
    expect(new Set(scanned.out.trim().split('\n')).size).toBe(count)
    expect((await cli(['DBSIZE'])).out).toBe(`${count}\n`)
  })

  itUnless(NO_CLI, 'says what a wrong argument means', async () => {
    const { out } = await cli(['CONFIG', 'SET', 'apendfsync', 'always'])
    expect(out).toContain('ERR Unknown option or number of arguments for CONFIG SET')
  })

  itUnless(NO_CLI, 'shows latency, help of commands and the server', async () => {
    expect((await cli(['INFO', 'server'])).out).toContain('redis_version:')
    expect((await cli(['COMMAND', 'COUNT'])).out).toMatch(/^\d+\n$/)
    expect((await cli(['CRDT.VECTOR'])).code).toBe(0)
  })
})

describe('redis-benchmark', () => {
  /** What it runs when nothing is chosen, in its words and its order. */
  const DEFAULTS = [
    'PING_INLINE',
    'PING_MBULK',
    'SET',
    'GET',
    'INCR',
    'LPUSH',
    'RPUSH',
    'LPOP',
    'RPOP',
    'SADD',
    'HSET',
    'SPOP',
    'ZADD',
    'ZPOPMIN',
    'LPUSH (needed to benchmark LRANGE)',
    'LRANGE_100 (first 100 elements)',
    'LRANGE_300 (first 300 elements)',
    'LRANGE_500 (first 500 elements)',
    'LRANGE_600 (first 600 elements)',
    'MSET (10 keys)',
  ]

  itUnless(NO_BENCHMARK, 'runs its full default list without an error', async () => {
    const done = await run('redis-benchmark', ['-n', '2000', '-P', '16', '--csv'])
    expect(done.errors).toBe('')
    const [, ...lines] = done.out.trimEnd().split('\n')
    expect(lines.map((line) => /^"([^"]*)","([\d.]+)"/.exec(line)?.[1])).toEqual(DEFAULTS)
    for (const line of lines) expect(Number(/","([\d.]+)"/.exec(line)![1])).toBeGreaterThan(0)
    expect(done.code).toBe(0)
  })

  itUnless(NO_BENCHMARK, 'runs a command of its own with random keys, by RESP3 too', async () => {
    const words = ['-n', '2000', '-r', '1000', '-3', '--csv', 'SET', 'k:__rand_int__', 'v']
    const done = await run('redis-benchmark', words)
    expect(done.errors).toBe('')
    expect(done.out).toContain('"SET k:__rand_int__ v"')
    expect(done.code).toBe(0)
  })
})
