/**
 * acl-file.test.ts: users in a file: read, written, and what is said when that cannot be.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { portableLatin1 } from '../../../../crdt/codec/bytes.ts'
import { AclFile } from '../../../../region-node/acl/acl-file.ts'
import { type Disk, DiskError } from '../../../../region-node/env.ts'
import { StartError } from '../../../../region-node/start-error.ts'
import { openAccess } from '../../../harness/plain-node.ts'

let files: Map<string, Uint8Array>
let path: string
let isBroken: boolean

function world() {
  const access = openAccess()
  const disk = {
    readFile: (name: string) => files.get(name),
    replaceFile: (name: string, bytes: Uint8Array) => {
      if (isBroken) throw new DiskError('ENOSPC', 'write: no room')
      files.set(name, bytes)
    },
  } as unknown as Disk
  return { access, file: new AclFile(disk, portableLatin1, () => path, access) }
}

beforeEach(() => {
  files = new Map()
  path = '/users'
  isBroken = false
})

describe('the ACL file', () => {
  it('brings the same users to another start', () => {
    const { access, file } = world()
    access.setUser('bob', ['on', '>secret', '~k*', '+get'])
    file.save()
    const later = world()
    later.file.loadAtStart()
    expect(later.access.text).toBe(access.text)
  })

  it('says what is wrong with it', () => {
    const { access, file } = world()
    expect(() => file.load()).toThrow("the ACL file '/users' does not exist")
    files.set('/users', Buffer.from('user bob on +nothing\n'))
    expect(() => file.load()).toThrow("line 1: '+nothing'")
    expect(access.get('bob')).toBe(undefined)
    expect(() => file.loadAtStart()).toThrow(StartError)
    isBroken = true
    expect(() => file.save()).toThrow('ERR the ACL file cannot be used')
  })

  it('is not asked for where none is configured', () => {
    path = ''
    const { file } = world()
    file.loadAtStart()
    expect(() => file.load()).toThrow('not configured to use an ACL file')
    expect(() => file.save()).toThrow('not configured to use an ACL file')
  })
})
