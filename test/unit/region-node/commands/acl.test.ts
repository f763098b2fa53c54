/**
 * acl.test.ts: access control as clients meet it.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { TestEngine } from '../../../harness/test-engine.ts'

const BOB = 2
let engine: TestEngine

beforeEach(() => {
  engine = new TestEngine()
  engine.run('ACL', 'SETUSER', 'bob', 'on', '>pw', '~k*', '&ch*', '+@all', '-@dangerous', '-del')
  engine.runAs(BOB, 'AUTH', 'bob', 'pw')
})

describe('a restricted user', () => {
  it('is told who he is, and what he may not', () => {
    expect(engine.runAs(BOB, 'ACL', 'WHOAMI')).toBe('bob')
    expect(engine.runAs(BOB, 'SET', 'k', 'v')).toBe('OK')
    expect(engine.runAs(BOB, 'SET', 'z', 'v')).toEqual({ line: 'NOPERM No permissions to access a key' })
    expect(engine.runAs(BOB, 'DEL', 'k')).toEqual({
      line: "NOPERM User bob has no permissions to run the 'del' command",
    })
    expect(engine.runAs(BOB, 'PUBLISH', 'x', 'm')).toEqual({
      line: 'NOPERM No permissions to access a channel',
    })
  })

  it('breaks his transaction with what he may not queue', () => {
    engine.runAs(BOB, 'MULTI')
    expect(engine.runAs(BOB, 'DEL', 'k')).toMatchObject({ line: expect.stringContaining('NOPERM') })
    expect(engine.runAs(BOB, 'EXEC')).toMatchObject({ line: expect.stringContaining('EXECABORT') })
    expect(engine.run('ACL', 'LOG', '1')).toMatchObject([expect.arrayContaining(['multi', 'del', 'bob'])])
  })

  it('is refused in EXEC what was taken from him since he queued it', () => {
    engine.runAs(BOB, 'MULTI')
    engine.runAs(BOB, 'GET', 'k')
    engine.run('ACL', 'SETUSER', 'bob', 'resetkeys')
    expect(engine.runAs(BOB, 'EXEC')).toEqual([
      { line: expect.stringContaining('ACLs rules changed between the moment') },
    ])
  })

  it('may always say who he is', () => {
    engine.run('ACL', 'SETUSER', 'bob', '-@all')
    expect(engine.runAs(BOB, 'GET', 'k')).toMatchObject({ line: expect.stringContaining('NOPERM') })
    expect(engine.runAs(BOB, 'AUTH', 'default', '')).toBe('OK')
    expect(engine.runAs(BOB, 'GET', 'k')).toBe(null)
  })
})

describe('the ACL commands', () => {
  it('try a command without running it', () => {
    expect(engine.run('ACL', 'DRYRUN', 'bob', 'GET', 'k')).toBe('OK')
    expect(engine.run('ACL', 'DRYRUN', 'bob', 'GET', 'x')).toBe(
      "User bob has no permissions to access the 'x' key",
    )
    expect(engine.run('ACL', 'DRYRUN', 'none', 'GET', 'x')).toEqual({ line: "ERR User 'none' not found" })
    expect(engine.run('ACL', 'DRYRUN', 'bob', 'none')).toEqual({ line: "ERR Command 'none' not found" })
  })

  it('log a wrong password', () => {
    engine.runAs(BOB, 'AUTH', 'bob', 'wrong')
    expect(engine.run('ACL', 'LOG')).toMatchObject([
      expect.arrayContaining(['auth', 'toplevel', 'AUTH', 'bob']),
    ])
    expect(engine.run('ACL', 'LOG', 'RESET')).toBe('OK')
    expect(engine.run('ACL', 'LOG')).toEqual([])
  })

  it('make passwords of as many bits as asked for', () => {
    expect(engine.run('ACL', 'GENPASS')).toMatch(/^[0-9a-f]{64}$/)
    expect(engine.run('ACL', 'GENPASS', '5')).toMatch(/^[0-9a-f]{2}$/)
    expect(engine.run('ACL', 'GENPASS', '4097')).toMatchObject({
      line: expect.stringContaining('up to 4096'),
    })
  })

  it('keep the default user', () => {
    expect(engine.run('ACL', 'DELUSER', 'default')).toEqual({
      line: "ERR The 'default' user cannot be removed",
    })
    expect(engine.run('ACL', 'DELUSER', 'bob', 'nobody')).toBe(1)
    expect(engine.run('ACL', 'USERS')).toEqual(['default'])
  })

  it('know the categories', () => {
    expect(engine.run('ACL', 'CAT')).toContain('pubsub')
    expect(engine.run('ACL', 'CAT', 'transaction')).toEqual(expect.arrayContaining(['multi', 'exec']))
    expect(engine.run('ACL', 'CAT', 'none')).toEqual({ line: "ERR Unknown category 'none'" })
  })
})
