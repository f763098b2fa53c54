/**
 * command-watch.test.ts: SLOWLOG, LATENCY and MONITOR on an engine whose clocks the test moves. How their
 * replies are laid out is in against-redis.test.ts.
 */
import { describe, expect, it } from 'vitest'
import { CommandWatch, type WatchSettings } from '../../../../region-node/engine/command-watch.ts'
import { Histogram } from '../../../../region-node/engine/latency.ts'
import { START_MS, TestEngine } from '../../../harness/test-engine.ts'

const QUIET: WatchSettings = {
  slowMicros: -1,
  slowLogLength: 128,
  latencyMs: 0,
  tracksLatency: false,
  isSecret: (name) => name === 'requirepass',
}
const START_SECONDS = START_MS / 1000
const ADDRESS = '127.0.0.1:40001'

/** DEBUG SLEEP stands for any command that takes long. */
function start(changes: Partial<WatchSettings>) {
  const state = { settings: { ...QUIET, ...changes }, monoMs: 1 }
  const watch: CommandWatch = new CommandWatch(
    { wallMs: () => engine.wallMs, monoMs: () => state.monoMs },
    () => state.settings,
    (observer) => {
      engine.engine.commands.observer = observer
    },
  )
  const engine: TestEngine = new TestEngine(1, {
    watch,
    debugCommand: 'yes',
    stall: (ms) => {
      engine.wallMs += ms
      state.monoMs += ms
    },
    configSet: (pairs) => {
      for (const [, value] of pairs) state.settings = { ...state.settings, slowMicros: Number(value) }
      watch.configure()
    },
  })
  watch.configure()
  const slowWords = (): unknown[] =>
    (engine.run('slowlog', 'get', '-1') as unknown[][]).map((entry) => entry[3])
  return { engine, watch, state, slowWords }
}

describe('nobody', () => {
  it('looks at commands when nothing is asked for', () => {
    const { engine, watch, state } = start({})
    expect(engine.engine.commands.observer).toBeUndefined()
    state.settings = { ...QUIET, latencyMs: 100 }
    watch.configure()
    expect(engine.engine.commands.observer).toBe(watch)
    state.settings = QUIET
    watch.configure()
    expect(engine.engine.commands.observer).toBeUndefined()
    engine.run('monitor')
    expect(engine.engine.commands.observer).toBe(watch)
    engine.run('reset')
    expect(engine.engine.commands.observer).toBeUndefined()
  })
})

describe('SLOWLOG, by a coarse look', () => {
  it('keeps what took long, once something else begins', () => {
    const { engine } = start({ slowMicros: 10_000 })
    engine.session().name = 'me'
    engine.run('debug', 'sleep', '0.009')
    engine.run('debug', 'sleep', '0.01')
    engine.run('get', 'k')
    expect(engine.run('slowlog', 'get')).toEqual([
      [0, START_SECONDS, 10_000, ['debug', 'sleep', '0.01'], ADDRESS, 'me'],
    ])
  })

  it('keeps it when the turn ends, and does not count the time until the next one', () => {
    const { engine, slowWords } = start({ slowMicros: 10_000 })
    engine.run('debug', 'sleep', '0.5')
    engine.engine.endTurn()
    engine.run('ping')
    engine.engine.endTurn()
    engine.wallMs += 60_000
    expect(slowWords()).toEqual([['debug', 'sleep', '0.5']])
  })

  it('finds the slow command in a transaction, and not the EXEC', () => {
    const { engine, slowWords } = start({ slowMicros: 10_000 })
    for (const words of [
      ['multi'],
      ['set', 'a', '1'],
      ['debug', 'sleep', '0.02'],
      ['set', 'b', '1'],
      ['exec'],
    ]) {
      engine.run(...words)
    }
    expect(slowWords()).toEqual([['debug', 'sleep', '0.02']])
  })

  it('may be told to look more closely by a command that it looks at', () => {
    const { engine, slowWords } = start({ slowMicros: 10_000 })
    engine.run('config', 'set', 'slowlog-log-slower-than', '0')
    engine.run('ping')
    engine.run('config', 'set', 'slowlog-log-slower-than', '10000')
    engine.run('ping')
    expect(slowWords()).toEqual([['ping']])
  })
})

describe('SLOWLOG, by a fine look', () => {
  it('takes microseconds, of commands that fail as well', () => {
    const { engine } = start({ slowMicros: 250 })
    engine.run('debug', 'sleep', '0.0002')
    engine.run('debug', 'sleep', '0.00025')
    const [entry, ...others] = engine.run('slowlog', 'get') as unknown[][]
    expect(others).toEqual([])
    expect(entry!.slice(0, 4)).toEqual([0, START_SECONDS, 250, ['debug', 'sleep', '0.00025']])
  })

  it('keeps as many as it may, with ids that go on', () => {
    const { engine } = start({ slowMicros: 0, slowLogLength: 2 })
    for (const word of ['a', 'b', 'c']) engine.run('echo', word)
    expect((engine.run('slowlog', 'get') as unknown[][]).map((entry) => [entry[0], entry[3]])).toEqual([
      [2, ['echo', 'c']],
      [1, ['echo', 'b']],
    ])
    expect(engine.run('slowlog', 'len')).toBe(2)
    engine.run('slowlog', 'reset')
    expect((engine.run('slowlog', 'get', '1') as unknown[][])[0]![3]).toEqual(['slowlog', 'reset'])
  })

  it('shortens words and numbers of words, and shows no password', () => {
    const { engine, slowWords } = start({ slowMicros: 0 })
    engine.run('set', 'k', 'x'.repeat(200))
    engine.run('del', ...Array.from({ length: 40 }, (_, i) => String(i)))
    engine.run('auth', 'default', 'secret')
    engine.run('hello', '3', 'auth', 'default', 'secret', 'setname', 'me')
    engine.run('config', 'set', 'requirepass', '0')
    engine.run('hello', '2')
    const words = (slowWords() as string[][]).reverse()
    expect(words[0]).toEqual(['set', 'k', `${'x'.repeat(128)}... (72 more bytes)`])
    expect(words[1]).toHaveLength(32)
    expect(words[1]!.slice(-2)).toEqual(['29', '... (10 more arguments)'])
    expect(words.slice(2, 5)).toEqual([
      ['auth', '(redacted)', '(redacted)'],
      ['hello', '3', 'auth', '(redacted)', '(redacted)', 'setname', 'me'],
      ['config', 'set', 'requirepass', '(redacted)'],
    ])
  })
})

describe('LATENCY', () => {
  it('keeps the worst of each second, by kind of command', () => {
    const { engine } = start({ latencyMs: 100 })
    engine.run('debug', 'sleep', '0.15')
    engine.run('debug', 'sleep', '0.3')
    engine.run('debug', 'sleep', '0.05')
    engine.run('debug', 'sleep', '2')
    expect(engine.run('latency', 'latest')).toEqual([['command', START_SECONDS + 2, 2000, 2000]])
    expect(engine.run('latency', 'history', 'command')).toEqual([
      [START_SECONDS, 300],
      [START_SECONDS + 2, 2000],
    ])
    expect(engine.run('latency', 'history', 'fast-command')).toEqual([])
    expect(engine.run('latency', 'doctor')).toContain('command: 2 spikes, the last of 2000 ms')
    expect(engine.run('latency', 'reset', 'nothing', 'command')).toBe(1)
    expect(engine.run('latency', 'doctor')).toContain('No latency spike')
  })

  it('says that it is off', () => {
    expect(start({}).engine.run('latency', 'doctor')).toContain('latency-monitor-threshold')
  })

  it('counts all calls in histograms when it is told to', () => {
    const { engine } = start({ tracksLatency: true })
    for (const seconds of ['0.0000009', '0.000003', '0.0000035', '0.001'])
      engine.run('debug', 'sleep', seconds)
    engine.run('slowlog', 'len')
    expect(engine.run('latency', 'histogram', 'debug', 'SLOWLOG')).toEqual([
      'debug',
      ['calls', 4, 'histogram_usec', [1, 1, 4, 3, 1024, 4]],
      'slowlog|len',
      ['calls', 1, 'histogram_usec', [1, 1]],
    ])
  })

  it('puts a time at the border into the lower step', () => {
    const histogram = new Histogram()
    for (const micros of [0, 1, 1.5, 2, 2.5, 1000]) histogram.add(micros)
    expect(histogram.cumulative()).toEqual([
      { micros: 1, calls: 2 },
      { micros: 2, calls: 4 },
      { micros: 4, calls: 5 },
      { micros: 1024, calls: 6 },
    ])
  })
})

describe('MONITOR', () => {
  const WATCHER = 9

  function lines(engine: TestEngine): string[] {
    engine.engine.endTurn()
    return engine.session(WATCHER).out.take().split('\r\n').slice(0, -1)
  }

  it('shows commands when they run, in the words of the client', () => {
    const { engine } = start({})
    expect(engine.runAs(WATCHER, 'monitor')).toBe('OK')
    expect(engine.runAs(WATCHER, 'monitor')).toBeUndefined()
    for (const words of [
      ['SET', 'a', 'b\n\t\x00\xff"\\'],
      ['multi'],
      ['get', 'a'],
      ['select', '3'],
      ['exec'],
      ['get'],
      ['nosuch'],
      ['lolwut', 'version', 'x'],
      ['auth', 'secret'],
      ['slowlog', 'len'],
    ]) {
      engine.run(...words)
    }
    const time = `+${START_SECONDS}.000000`
    expect(lines(engine)).toEqual([
      `${time} [0 ${ADDRESS}] "SET" "a" "b\\n\\t\\x00\\xff\\"\\\\"`,
      `${time} [0 ${ADDRESS}] "multi"`,
      `${time} [0 ${ADDRESS}] "get" "a"`,
      `${time} [3 ${ADDRESS}] "select" "3"`,
      `${time} [3 ${ADDRESS}] "exec"`,
      `${time} [3 ${ADDRESS}] "lolwut" "version" "x"`,
      `${time} [3 ${ADDRESS}] "auth" "(redacted)"`,
    ])
  })

  it('ends with RESET, and is refused inside a transaction', () => {
    const { engine } = start({})
    engine.runAs(WATCHER, 'monitor')
    engine.run('get', 'a')
    engine.runAs(WATCHER, 'reset')
    engine.run('get', 'b')
    expect(lines(engine)).toEqual([])
    expect(engine.session(WATCHER).isMonitor).toBe(false)
    engine.run('multi')
    engine.run('monitor')
    expect(engine.run('exec')).toEqual([{ line: "ERR MONITOR isn't allowed for DENY BLOCKING client" }])
  })
})
