/**
 * server.test.ts: INFO, CONFIG, DBSIZE, WAIT, SHUTDOWN, COMMAND. That refusals are worded as Redis words
 * them is in against-redis.test.ts.
 */
import { describe, expect, it } from 'vitest'
import { commandTable } from '../../../../region-node/commands/families.ts'
import { clusterNode, topologyOf } from '../../../harness/fake-cluster.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

describe('INFO', () => {
  const engine = new TestEngine(1, {
    infoSections: [
      { name: 'server', isDefault: true },
      { name: 'clients', isDefault: true },
      { name: 'commandstats', isDefault: false },
    ],
    infoSection: (name) => (name === 'nosuch' ? undefined : `# ${name}\r\na:1\r\n`),
  })
  const text = (...names: string[]) => names.map((name) => `# ${name}\r\na:1\r\n`).join('\r\n')

  it('shows sections once, in its own order, as far as they exist', () => {
    expect(engine.run('info')).toBe(text('server', 'clients'))
    expect(engine.run('info', 'default', 'commandstats')).toBe(text('server', 'clients', 'commandstats'))
    expect(engine.run('info', 'CLIENTS', 'server', 'clients', 'nosuch')).toBe(text('server', 'clients'))
    for (const all of ['all', 'everything', 'ALL']) {
      expect(engine.run('info', all)).toBe(text('server', 'clients', 'commandstats'))
    }
    expect(engine.run('info', 'nosuch')).toBe('')
  })
})

describe('CONFIG', () => {
  it('asks the settings, and hands them all pairs at once', () => {
    const seen: unknown[] = []
    const engine = new TestEngine(1, {
      configGet: (patterns) => patterns.map((pattern) => [pattern, 'x'] as const),
      configSet: (pairs) => seen.push(pairs),
      resetStatistics: () => seen.push('reset'),
    })
    expect(engine.run('config', 'get', 'a', 'b')).toEqual(['a', 'x', 'b', 'x'])
    expect(engine.run('config', 'set', 'a', '1', 'b', '2')).toBe('OK')
    expect(engine.run('config', 'resetstat')).toBe('OK')
    expect(seen).toEqual([
      [
        ['a', '1'],
        ['b', '2'],
      ],
      'reset',
    ])
    engine.run('hello', '3')
    expect(engine.run('config', 'get', 'a')).toEqual(new Map([['a', 'x']]))
  })
})

describe('TIME and DBSIZE', () => {
  it('TIME has microseconds', () => {
    const engine = new TestEngine(1, { wallMs: () => 1_704_067_200_123.25 })
    expect(engine.run('time')).toEqual(['1704067200', '123250'])
  })

  it('DBSIZE counts the keys of one database that can be read', () => {
    const engine = new TestEngine()
    engine.run('mset', 'a', '1', 'b', '2')
    engine.run('set', 'c', '3', 'px', '10')
    expect(engine.run('dbsize')).toBe(3)
    engine.wallMs += 11
    expect(engine.run('dbsize')).toBe(2)
    engine.run('select', '1')
    expect(engine.run('dbsize')).toBe(0)
  })
})

describe('FLUSHDB and FLUSHALL', () => {
  it('remove one database, or all', () => {
    const engine = new TestEngine()
    engine.run('set', 'a', '1')
    engine.run('select', '1')
    engine.run('set', 'b', '1')
    expect(engine.run('flushdb', 'SYNC')).toBe('OK')
    expect(engine.run('dbsize')).toBe(0)
    engine.run('select', '0')
    expect(engine.run('dbsize')).toBe(1)
    expect(engine.run('flushall', 'async')).toBe('OK')
    expect(engine.run('dbsize')).toBe(0)
  })
})

describe('WAIT', () => {
  function withTimers() {
    const timers: { delayMs: number; task: () => void; cancelled: boolean }[] = []
    const engine = new TestEngine(1, {
      after: (delayMs, task) => {
        const timer = { delayMs, task, cancelled: false }
        timers.push(timer)
        return {
          cancel: () => {
            timer.cancelled = true
          },
        }
      },
    })
    return { engine, timers }
  }

  it('blocks until its time is over, then lets the client go on', () => {
    const { engine, timers } = withTimers()
    let resumed = 0
    engine.session().resume = () => resumed++
    expect(engine.run('wait', '1', '250')).toBeUndefined()
    expect(engine.session().blocked).toBeDefined()
    expect(timers[0]!.delayMs).toBe(250)
    timers[0]!.task()
    expect(engine.reply()).toBe(0)
    expect(engine.session().blocked).toBeUndefined()
    expect(resumed).toBe(1)
  })

  it('waits for ever without a timeout, and ends with the connection', () => {
    const { engine, timers } = withTimers()
    engine.run('wait', '1', '0')
    engine.runAs(2, 'wait', '2', '10')
    expect(timers).toHaveLength(1)
    engine.engine.commands.release(engine.session(1))
    engine.engine.commands.release(engine.session(2))
    expect(timers[0]!.cancelled).toBe(true)
  })

  it('says nothing to a client that wants no replies', () => {
    const { engine, timers } = withTimers()
    engine.run('client', 'reply', 'skip')
    engine.run('wait', '1', '10')
    timers[0]!.task()
    expect(engine.reply()).toBeUndefined()
    expect(engine.run('ping')).toBe('PONG')
  })
})

describe('SHUTDOWN', () => {
  it('asks the node to end, and answers nothing', () => {
    let ended = 0
    const engine = new TestEngine(1, { shutdown: () => ended++ })
    expect(engine.run('shutdown', 'nosave', 'now', 'force')).toBeUndefined()
    expect(engine.run('shutdown', 'abort')).toEqual({ line: 'ERR No shutdown in progress.' })
    expect(ended).toBe(1)
  })
})

describe('COMMAND', () => {
  const engine = new TestEngine()

  it('counts, lists and describes the table', () => {
    const { commands } = commandTable
    const names = commands.map(({ name }) => name)
    expect(engine.run('command', 'count')).toBe(commands.length)
    expect(engine.run('command', 'list')).toEqual(names)
    for (const line of [['command'], ['command', 'info']]) {
      expect((engine.run(...line) as string[][]).map(([name]) => name)).toEqual(names)
    }
    const docs = engine.run('command', 'docs') as string[]
    expect(docs.filter((_, i) => i % 2 === 0)).toEqual(names)
  })

  it('documents a command and its subcommands', () => {
    engine.run('hello', '3')
    const docs = engine.run('command', 'docs', 'config', 'nosuch', 'config|get') as Map<
      string,
      Map<string, unknown>
    >
    expect([...docs.keys()]).toEqual(['config', 'config|get'])
    expect(docs.get('config')!.get('subcommands')).toBeInstanceOf(Map)
    expect(docs.get('config|get')).toEqual(
      new Map<string, unknown>([
        ['summary', 'Returns the effective values of configuration parameters.'],
        ['since', '2.0.0'],
        ['group', 'server'],
        ['complexity', 'O(N) when N is the number of configuration parameters provided'],
        [
          'arguments',
          [
            new Map<string, unknown>([
              ['name', 'parameter'],
              ['type', 'string'],
              ['display_text', 'parameter'],
              ['flags', ['multiple']],
            ]),
          ],
        ],
      ]),
    )
    engine.run('hello', '2')
  })

  it('every row has a summary, and every container a HELP that names its subcommands', () => {
    const engine = new TestEngine(1, { topology: topologyOf([clusterNode(1)]) })
    for (const { name, summary, subcommands } of commandTable.commands) {
      expect(summary, name).toMatch(/^[A-Z]/)
      if (subcommands === undefined) continue
      const help = engine.run(name, 'help') as string[]
      expect(help[0]).toContain(name.toUpperCase())
      for (const sub of subcommands) {
        const word = sub.name.slice(name.length + 1).toUpperCase()
        expect(
          help.some((line) => line === word || line.startsWith(`${word} `)),
          sub.name,
        ).toBe(true)
      }
    }
  })
})
