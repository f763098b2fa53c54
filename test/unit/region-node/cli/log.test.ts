/**
 * log.test.ts: what `causeway log` prints of whole, torn and missing logs.
 */
import { expect, it } from 'vitest'
import type { CliHost } from '../../../../region-node/cli/host.ts'
import { runLog } from '../../../../region-node/cli/log.ts'
import { quote } from '../../../../region-node/cli/log-effects.ts'
import { FOLDER, LoggedEngine, simulatedMachine } from '../persistence/log-fixture.ts'

type Machine = ReturnType<typeof simulatedMachine>

async function run(
  { disk }: Machine,
  ...argv: string[]
): Promise<{ code: number; out: string; errors: string }> {
  let out = ''
  let errors = ''
  const host = {
    env: { disk: disk.mount() },
    print: (text: string) => {
      out += text
    },
    complain: (text: string) => {
      errors += text
    },
  } as unknown as CliHost
  const code = await runLog(argv, host)
  return { code, out, errors }
}

function logOfEverything(): Machine {
  const machine = simulatedMachine()
  const node = new LoggedEngine(machine)
  node.turn([
    ['SET', 'k', 'v"\n\xff', 'PXAT', '4102444800000'],
    ['APPEND', 'k', 'x'],
    ['INCRBYFLOAT', 'n', '1.5'],
    ['HSET', 'h', 'f', '1'],
    ['HINCRBY', 'h', 'f', '2'],
    ['HDEL', 'h', 'f'],
    ['SELECT', '3'],
    ['SADD', 's', 'a', 'b'],
    ['SREM', 's', 'a'],
    ['PERSIST', 's'],
    ['PEXPIREAT', 's', '4102444800000'],
    ['DEL', 's'],
    ['FLUSHALL'],
  ])
  machine.clock.advance(1010)
  node.turn([['SET', 'last', '1']])
  machine.disk.kill()
  return machine
}

it('names every effect with its key and what was seen', async () => {
  const { code, out } = await run(logOfEverything(), FOLDER)
  expect(code).toBe(0)
  const lines = out.split('\n').map((line) => line.replace(/^1-000000000001:\d+ {2}\S+ {2}/, ''))
  expect(lines).toEqual([
    `# ${FOLDER}/00000000000000.log: region 1, node test, from position 0`,
    '# 0: 11 ops of 1-000000000001, deps none',
    'set "k" "v\\"\\n\\xff" deadline 2100-01-01T00:00:00.000Z',
    'put "k" "v\\"\\n\\xffx"',
    'increment "n" by 1.5 (creates), run 3 total 1.5',
    'hash put "h" "f" "1" (creates)',
    'hash increment "h" "f" by 2, run 5 total 2',
    'hash remove "h" "f" (saw counters: "f" 1-000000000001 run 5 total 2)',
    'set add db3 "s" "a" "b" (creates)',
    'set remove db3 "s" "a"',
    'deadline db3 "s" 2100-01-01T00:00:00.000Z',
    'clear db3 "s"',
    'flush all databases (saw counters: 1-000000000001 run 3 total 1.5)',
    expect.stringMatching(/^# \d+: 1 ops of/),
    'set db3 "last" "1" deadline never',
    expect.stringMatching(/^# \d+: durable up to \d+$/),
    '',
  ])
})

it('prints what is whole of a torn log, says where it ends, and fails', async () => {
  const machine = logOfEverything()
  const path = `${FOLDER}/00000000000000.log`
  const bytes = machine.disk.mount().readFile(path)!
  machine.disk.mount().replaceFile(path, bytes.slice(0, bytes.length - 20))
  const { code, out, errors } = await run(machine, path)
  expect(code).toBe(1)
  expect(out).toContain('flush all databases')
  expect(errors).toMatch(/at byte \d+: it ends inside a record/)
})

it('says so when there is no log', async () => {
  const machine = simulatedMachine()
  expect((await run(machine, '/elsewhere')).errors).toMatch(/there is no log at \/elsewhere/)
  expect((await run(machine)).errors).toMatch(/causeway log DIR/)
})

it('quotes words as Redis does', () => {
  expect(quote('a\\b\t\x00')).toBe('"a\\\\b\\t\\x00"')
})
