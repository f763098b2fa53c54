/**
 * lua-host.test.ts: the sandbox and its ends: what a script can reach, and that none can harm the node.
 */
import { describe, expect, it } from 'vitest'
import { nodeLatin1 } from '../../../../region-node/latin1-node.ts'
import { ReplyWriter } from '../../../../region-node/resp/reply.ts'
import { LuaHost } from '../../../../region-node/scripts/lua-host.ts'
import { luaProgram } from '../../../../region-node/scripts/lua-program.ts'
import type { Script, ScriptCalls } from '../../../../region-node/scripts/port.ts'

/** A bench with one host: ECHO is the only command there is. */
class Bench {
  readonly logged: [number, string][] = []
  readonly host = new LuaHost(luaProgram, nodeLatin1, (level, text) => this.logged.push([level, text]))
  limitMs = 50
  calls: ScriptCalls = {
    call: (words) => {
      this.host.values.bulk(words[1] ?? '')
      return true
    },
    mayRun: (words) => (words[0] === 'echo' ? true : undefined),
  }

  script(source: string): Script {
    return { sha: this.host.sha1(source), source, flags: undefined }
  }

  run(source: string, keys: readonly string[] = [], args: readonly string[] = []): string {
    const out = new ReplyWriter()
    this.host.run(this.script(source), keys, args, this.calls, this.limitMs, out)
    return out.take()
  }
}

describe('a script', () => {
  it('is compiled once and keeps nothing from one run to the next', () => {
    const bench = new Bench()
    const counter = 'local n = 0 n = n + 1 return n'
    expect([bench.run(counter), bench.run(counter)]).toEqual([':1\r\n', ':1\r\n'])
  })

  it('tells what is wrong with its source', () => {
    const bench = new Bench()
    expect(bench.host.compile(bench.script('return 1 +'))).toBe(
      "user_script:1: unexpected symbol near '<eof>'",
    )
    expect(bench.host.compile(bench.script('return 1'))).toBeUndefined()
  })

  it('passes words with every byte, and more of them than fit on the desk', () => {
    const bench = new Bench()
    const every = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte))
    const many = Array.from({ length: 3000 }, (_, i) => `${every}${i}`)
    expect(bench.run("return redis.call('echo', ARGV[#ARGV])", ['k'], many)).toBe(
      `$${every.length + 4}\r\n${every}2999\r\n`,
    )
  })

  it('passes numbers to commands with all their digits', () => {
    const bench = new Bench()
    const texts = ['3.3', '0.1 + 0.2', '2^53', '1e15', '-5', '1700000000123 * 4096', '1e300'].map((number) =>
      bench.run(`return redis.call('echo', ${number})`).split('\r\n').at(1),
    )
    expect(texts).toEqual([
      '3.3',
      '0.30000000000000004',
      '9007199254740992',
      '1000000000000000',
      '-5',
      '6963200000503808',
      '1e+300',
    ])
  })

  it('logs', () => {
    const bench = new Bench()
    bench.run("redis.log(redis.LOG_WARNING, 'a', 1)")
    expect(bench.logged).toEqual([[3, 'a 1']])
  })
})

describe('the sandbox', () => {
  it.each([
    'io',
    'os',
    'require',
    'package',
    'debug',
    'dofile',
    'loadfile',
    'newproxy',
    'setfenv',
    'getfenv',
    'print',
    'module',
  ])('has no %s', (name) => {
    expect(new Bench().run(`return rawget(_G, '${name}') == nil and 'absent'`)).toBe('$6\r\nabsent\r\n')
    expect(new Bench().run(`return ${name}`)).toContain(`nonexistent global variable '${name}'`)
  })

  it.each([
    'mine = 1',
    'redis.call = nil',
    'string.rep = nil',
    'table.insert(_G, 1)',
    'rawset(_G, "x", 1)',
    "getmetatable('').__index = {}",
    "getmetatable('').__index.rep = nil",
    'getmetatable(_G).__index = nil',
    'setmetatable(_G, {})',
    'cjson.encode = nil',
    'coroutine.wrap(function() mine = 1 end)()',
    "loadstring('mine = 1')()",
  ])('cannot be changed by %s', (attempt) => {
    const bench = new Bench()
    expect(bench.run(attempt)).toContain('-ERR')
    expect(bench.run("return ('x'):rep(3) .. tostring(rawget(_G, 'mine'))")).toBe('$6\r\nxxxnil\r\n')
  })

  it('takes no bytecode', () => {
    expect(new Bench().run('return type(loadstring(string.dump(function() end)))')).toBe('$3\r\nnil\r\n')
  })

  it('does not let a script call the host by its own door', () => {
    expect(new Bench().run("return __causeway('forget', 'x')")).toContain(
      "nonexistent global variable '__causeway'",
    )
  })
})

describe('a script that does not end', () => {
  const KILLED = expect.objectContaining({ line: expect.stringContaining('ERR Script killed') })

  it.each([
    'while true do end',
    'while true do pcall(function() while true do end end) end',
    'while true do xpcall(function() while true do end end, function() while true do end end) end',
    'while true do coroutine.resume(coroutine.create(function() while true do end end)) end',
    'coroutine.wrap(function() while true do end end)()',
    'local function f() return f() end f()',
    'setmetatable({}, {__index = function(t, k) while true do end end}).x()',
  ])('is ended: %s', (source) => {
    const bench = new Bench()
    expect(() => bench.run(source)).toThrow(KILLED)
    expect(bench.run('return 1')).toBe(':1\r\n')
  })

  it('is ended by who answers its calls, even where it catches errors', () => {
    const bench = new Bench()
    let left = 3
    bench.limitMs = 0
    const { call } = bench.calls
    bench.calls = { ...bench.calls, call: (words) => left-- > 0 && call(words) }
    expect(() =>
      bench.run("while true do pcall(redis.call, 'echo', 'x') redis.pcall('echo', 'x') end"),
    ).toThrow(KILLED)
  })
})

describe('a script that takes too much', () => {
  const MEMORY = expect.objectContaining({ line: 'ERR Error running script: not enough memory' })

  it('of memory is ended', () => {
    const bench = new Bench()
    bench.limitMs = 0
    expect(() => bench.run("local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end")).toThrow(MEMORY)
    expect(bench.run('return 1')).toBe(':1\r\n')
  })

  it('of memory by its arguments is ended', () => {
    const bench = new Bench()
    expect(() => bench.run('return 1', [], ['x'.repeat(70 * 1024 * 1024)])).toThrow(MEMORY)
    expect(bench.run('return 1')).toBe(':1\r\n')
  })

  it('of the stack is refused', () => {
    const bench = new Bench()
    expect(bench.run('local function f() return 1 + f() end return f()')).toContain('stack overflow')
    const nested =
      'local function f(n) return (string.gsub("a", "a", function() return f(n + 1) end)) end f(0)'
    expect(bench.run(nested)).toContain('stack overflow')
  })

  it('of the machine itself gets another one', () => {
    const bench = new Bench()
    const deep = "return string.find(('a'):rep(1e6), ('a?'):rep(1e6))"
    expect(() => bench.run(deep)).toThrow(
      expect.objectContaining({ line: expect.stringContaining('broke down') }),
    )
    expect(bench.run('return 1')).toBe(':1\r\n')
  })

  it('of depth in its reply is refused', () => {
    expect(new Bench().run('local t = {} t[1] = t return t')).toBe('-ERR reached lua stack limit\r\n')
  })
})

describe('the host', () => {
  it('throws what a call throws, and goes on with another machine', () => {
    const bench = new Bench()
    const good = bench.calls
    bench.calls = {
      ...good,
      call: () => {
        throw new RangeError('an invariant of ours')
      },
    }
    expect(() => bench.run("return pcall(redis.call, 'echo', 'x')")).toThrow('an invariant of ours')
    bench.calls = good
    expect(bench.run("return redis.call('echo', 'x')")).toBe('$1\r\nx\r\n')
  })

  it('loads a library, and loads it again for another machine', () => {
    const bench = new Bench()
    const source = `
      local calls = 0
      redis.register_function('count', function(keys, args) calls = calls + 1 return {calls, keys[1], args[1]} end)
      redis.register_function{function_name = 'read', description = 'd', flags = {'no-writes'}, callback = tostring}`
    const library = { name: 'lib', source }
    expect(bench.host.load(library, 0)).toEqual([
      { name: 'count', description: undefined, flags: [] },
      { name: 'read', description: 'd', flags: ['no-writes'] },
    ])
    const call = (): string => {
      const out = new ReplyWriter()
      bench.host.runFunction(library, 'count', ['k'], ['a'], bench.calls, 0, out)
      return out.take()
    }
    expect([call(), call()]).toEqual([
      '*3\r\n:1\r\n$1\r\nk\r\n$1\r\na\r\n',
      '*3\r\n:2\r\n$1\r\nk\r\n$1\r\na\r\n',
    ])
    bench.host.reset()
    expect(call()).toBe('*3\r\n:1\r\n$1\r\nk\r\n$1\r\na\r\n')
  })

  it('lets a library call no command while it loads', () => {
    const bench = new Bench()
    expect(bench.host.load({ name: 'lib', source: "redis.call('echo', 'x')" }, 0)).toContain(
      "ERR Error registering functions: ERR Script attempted to access nonexistent global variable 'call'",
    )
    expect(() => bench.host.load({ name: 'lib', source: 'while true do end' }, 50)).toThrow('Script killed')
  })
})
