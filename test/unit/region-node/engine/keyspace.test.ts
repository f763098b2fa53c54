/**
 * keyspace.test.ts: what a keyspace that was built aside brings with it when another becomes it.
 */
import { describe, expect, it } from 'vitest'
import { portableLatin1 } from '../../../../crdt/codec/bytes.ts'
import { OpPoint } from '../../../../crdt/dot.ts'
import { TAG } from '../../../../crdt/effects/effect.ts'
import { visibleState } from '../../../../crdt/key.ts'
import { OriginTable, originId } from '../../../../crdt/origin.ts'
import { VersionVector } from '../../../../crdt/version-vector.ts'
import { Keyspace } from '../../../../region-node/engine/keyspace.ts'
import { LastUse } from '../../../../region-node/engine/table/access.ts'

const SILENT = { conflict(): void {} }
const ON = { db: 0, key: 'k' }

/** A keyspace, and one built aside that holds a hash whose only field is due after 1000. */
function twoKeyspaces(): { keyspace: Keyspace; aside: Keyspace } {
  const origins = new OriginTable()
  const origin = origins.intern(originId(1, new Uint8Array(6).fill(1)))
  const at = new OpPoint(origin, new VersionVector(origins), SILENT)
  at.moveTo(origin, 1, 2 ** 50, at.deps)
  const aside = new Keyspace(origins, portableLatin1)
  aside.apply({ tag: TAG.HASH_PUT, ...ON, pairs: ['f', 'v'], creates: true, seen: [] }, at)
  at.index++
  aside.apply({ tag: TAG.FIELD_DEADLINE, ...ON, fields: ['f'], deadlineMs: 1000 }, at)
  return { keyspace: new Keyspace(origins, portableLatin1), aside }
}

describe('a keyspace that another became', () => {
  it('still hides the fields that are due', () => {
    const { keyspace, aside } = twoKeyspaces()
    keyspace.become(aside)
    keyspace.hideDueFields(1000)
    expect(visibleState(keyspace.get(0, 'k'))?.type).toBe('hash')
    keyspace.hideDueFields(1001)
    expect(visibleState(keyspace.get(0, 'k'))).toBeUndefined()
  })

  it('still has uses of keys written down', () => {
    const { keyspace, aside } = twoKeyspaces()
    let nowMs = 5000
    const clock = new LastUse(() => nowMs)
    keyspace.recordUses(clock)
    keyspace.become(aside)
    const database = keyspace.db(0)
    database.beginUse()
    database.get('k')
    nowMs = 8000
    expect(clock.idleSeconds(database.accessOf('k')!)).toBe(3)
    database.beginUse()
    database.get('k')
    expect(clock.idleSeconds(database.accessOf('k')!)).toBe(0)
  })
})
