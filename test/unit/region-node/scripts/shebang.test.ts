/**
 * shebang.test.ts: what the first line says, and what is refused. The words are compared with Redis's in
 * against-redis.test.ts.
 */
import { describe, expect, it } from 'vitest'
import { readLibrary, readScript } from '../../../../region-node/scripts/shebang.ts'

describe('readScript', () => {
  it('takes a script without a shebang as it is', () => {
    expect(readScript('return 1')).toEqual({ source: 'return 1', flags: undefined })
  })

  it('takes the shebang away and leaves its line empty', () => {
    expect(readScript('#!lua flags=no-writes,allow-oom\nreturn 1')).toEqual({
      source: '\nreturn 1',
      flags: ['no-writes', 'allow-oom'],
    })
  })

  it.each([
    ['#!lua', 'ERR Invalid script shebang'],
    ['#!js\n', 'ERR Unexpected engine in script shebang: #!js'],
    ['#!lua flags=bad\n', 'ERR Unexpected flag in script shebang: bad'],
    ['#!lua name=x\n', 'ERR Unknown lua shebang option: name=x'],
  ])('refuses %j', (text, line) => {
    expect(() => readScript(text)).toThrow(expect.objectContaining({ line }))
  })
})

describe('readLibrary', () => {
  it('reads the name', () => {
    expect(readLibrary('#!lua name=mylib\ncode')).toEqual({ name: 'mylib', source: '\ncode' })
  })

  it.each([
    ['code', 'ERR Missing library metadata'],
    ['#!lua name=x', 'ERR Invalid library metadata'],
    ['#!lua\ncode', 'ERR Library name was not given'],
    ['#!lua name=x name=y\ncode', 'ERR Invalid metadata value, name argument was given multiple times'],
    ['#!lua name=x foo\ncode', 'ERR Invalid metadata value given: foo'],
    ['#!js name=x\ncode', "ERR Engine 'js' not found"],
  ])('refuses %j', (text, line) => {
    expect(() => readLibrary(text)).toThrow(expect.objectContaining({ line }))
  })
})
