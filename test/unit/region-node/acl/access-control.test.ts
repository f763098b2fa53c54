/**
 * access-control.test.ts: rules, users, files and the log of access control.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import type { AccessControl } from '../../../../region-node/acl/access-control.ts'
import type { Denial } from '../../../../region-node/acl/permissions.ts'
import { requestOf } from '../../../../region-node/commands/access.ts'
import { commandTable } from '../../../../region-node/commands/families.ts'
import { openAccess } from '../../../harness/plain-node.ts'

const SECRET = '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b'
let access: AccessControl
let nowMs = 0

beforeEach(() => {
  nowMs = 0
  access = openAccess(() => nowMs)
})

function denial(user: string, command: string): Denial | undefined {
  const words = command.split(' ')
  return access.get(user)!.denies(requestOf(commandTable.find(words), words))
}

describe('rules', () => {
  it('make a user as ACL LIST shows it, and the same again from that text', () => {
    access.setUser('bob', [
      'on',
      '>secret',
      '~k*',
      '%R~r*',
      '&ch*',
      '+get',
      '+@read',
      '+config|get',
      '+select|0',
    ])
    access.setUser('bob', ['(~x*', '+set)'])
    const text =
      `user bob on sanitize-payload #${SECRET} ~k* %R~r* resetchannels &ch* -@all +get +@read +config|get ` +
      '+select|0 (~x* resetchannels -@all +set)'
    expect(access.get('bob')!.text).toBe(text)
    const other = openAccess()
    other.setUser('bob', text.split(' ').slice(2))
    expect(other.get('bob')!.text).toBe(text)
  })

  it.each([
    ['+foo', "Error in ACL SETUSER modifier '+foo': Unknown command or category name in ACL"],
    ['+@foo', "Error in ACL SETUSER modifier '+@foo': Unknown command or category name in ACL"],
    ['+config|foo', "Error in ACL SETUSER modifier '+config|foo': Unknown command or category name in ACL"],
    ['foo', "Error in ACL SETUSER modifier 'foo': Syntax error"],
    ['%Q~s', "Error in ACL SETUSER modifier '%Q~s': Syntax error"],
    ['#zz', "Error in ACL SETUSER modifier '#zz': The password hash must be exactly 64 characters"],
    ['<nope', "Error in ACL SETUSER modifier '<nope': The password you are trying to remove"],
    ['(+get', "Unmatched parenthesis in acl selector starting at '(+get'."],
  ])('refuse %s, and leave the user as he was', (rule, why) => {
    access.setUser('bob', ['on', '+get'])
    const before = access.get('bob')!.text
    expect(() => access.setUser('bob', ['off', '+set', rule])).toThrow(why)
    expect(access.get('bob')!.text).toBe(before)
  })

  it('are decided by the last one about a command', () => {
    access.setUser('bob', ['allkeys', '+@all', '-@write', '+set', '-config', '+config|get'])
    expect(denial('bob', 'get k')).toBe(undefined)
    expect(denial('bob', 'set k v')).toBe(undefined)
    expect(denial('bob', 'del k')).toEqual({ reason: 'command', object: 'del' })
    expect(denial('bob', 'config get x')).toBe(undefined)
    expect(denial('bob', 'config set x y')).toEqual({ reason: 'command', object: 'config|set' })
  })

  it('tell keys that are read from keys that are written', () => {
    access.setUser('bob', ['+@all', '%R~r*', '%W~w*', '~b*'])
    expect(denial('bob', 'get r')).toBe(undefined)
    expect(denial('bob', 'get w')).toEqual({ reason: 'key', object: 'w' })
    expect(denial('bob', 'get b')).toBe(undefined)
    expect(denial('bob', 'mget r b w')).toEqual({ reason: 'key', object: 'w' })
    expect(denial('bob', 'incr b')).toBe(undefined)
    expect(denial('bob', 'incr w')).toEqual({ reason: 'key', object: 'w' })
  })

  it('let a request through that one selector allows as a whole', () => {
    access.setUser('bob', ['+get', '~a', '(+set ~b)'])
    expect(denial('bob', 'get a')).toBe(undefined)
    expect(denial('bob', 'set b v')).toBe(undefined)
    expect(denial('bob', 'set a v')).toEqual({ reason: 'key', object: 'a' })
    expect(denial('bob', 'del a')).toEqual({ reason: 'command', object: 'del' })
  })

  it('compare a pattern to subscribe to letter by letter', () => {
    access.setUser('bob', ['+@pubsub', '&news.*'])
    expect(denial('bob', 'subscribe news.a')).toBe(undefined)
    expect(denial('bob', 'publish news.b hello')).toBe(undefined)
    expect(denial('bob', 'psubscribe news.*')).toBe(undefined)
    expect(denial('bob', 'psubscribe news.a*')).toEqual({ reason: 'channel', object: 'news.a*' })
    expect(denial('bob', 'subscribe olds')).toEqual({ reason: 'channel', object: 'olds' })
  })
})

describe('users', () => {
  it('come in with one of their passwords while they are on', () => {
    access.setUser('bob', ['>a', '>b'])
    expect(access.authenticate('bob', 'a')).toBe(undefined)
    access.setUser('bob', ['on'])
    expect(access.authenticate('bob', 'a')?.name).toBe('bob')
    expect(access.authenticate('bob', 'b')?.name).toBe('bob')
    expect(access.authenticate('bob', 'c')).toBe(undefined)
    expect(access.authenticate('nobody', 'a')).toBe(undefined)
    access.setUser('bob', ['nopass'])
    expect(access.authenticate('bob', 'anything')?.name).toBe('bob')
  })

  it('named default come in without a word until there is a password', () => {
    expect(access.first?.isUnrestricted).toBe(true)
    access.setDefaultPassword('secret')
    expect(access.first).toBe(undefined)
    expect(access.authenticate('default', 'secret')?.isUnrestricted).toBe(true)
    access.setDefaultPassword('')
    expect(access.isOpen).toBe(true)
  })

  it('are read from a file all or none', () => {
    access.setUser('old', ['on'])
    access.setUser('kept', ['on'])
    const kept = access.get('kept')
    expect(() => access.load('user a on\nuser a on\nuse b\nuser c +nothing')).toThrow(
      /line 2: user 'a' is there already.*line 3: .*line 4: '\+nothing'/,
    )
    expect(access.get('old')).toBeDefined()
    access.load('# people\nuser kept off\n\nuser new on nopass ~* &* +@all\n')
    expect(access.users.map(({ name }) => name)).toEqual(['default', 'kept', 'new'])
    // Those who are connected go on with the same user under its new rules.
    expect(access.get('kept')).toBe(kept)
    expect(kept!.isEnabled).toBe(false)
    const text = access.text
    access.load(text)
    expect(access.text).toBe(text)
  })
})

describe('the log', () => {
  it('counts what is refused again within a minute', () => {
    access.setUser('bob', ['+get', '~a'])
    const words = ['get', 'b']
    const request = requestOf(commandTable.find(words), words)
    for (const at of [0, 1000, 100_000]) {
      nowMs = at
      expect(access.refusal(access.get('bob')!, request, 'toplevel', () => 'id=1')?.line).toBe(
        'NOPERM No permissions to access a key',
      )
    }
    expect(access.log.entries.map(({ count, id, object }) => [id, count, object])).toEqual([
      [1, 1, 'b'],
      [0, 2, 'b'],
    ])
  })
})
