/**
 * lost-disk.test.ts: a region comes back with an old backup of its folder, or with an empty disk.
 *
 * It has acknowledged more than it holds. So it takes no write before it holds again what the others have, and
 * mints under a new origin: what it wrote since the backup comes back to it from them.
 */
import { describe, expect, it } from 'vitest'
import type { DiskCopy } from '../harness/sim-disk.ts'
import { SimMesh } from '../harness/sim-mesh.ts'
import { firstLacking } from '../simulation/checker.ts'

const ROUNDS = 30
const NAMES = [...'abc']
const BEHIND = /^BEHIND /

interface Scene {
  readonly name: string
  /** What the disk holds when the node starts again. */
  readonly diskOf: (backup: DiskCopy) => DiskCopy
}

const SCENES: readonly Scene[] = [
  { name: 'an old backup of its folder', diskOf: (backup) => backup },
  { name: 'an empty disk', diskOf: () => new Map() },
]

function write(mesh: SimMesh, from: number): void {
  for (let i = from; i < from + ROUNDS; i++) {
    for (const name of NAMES) {
      expect(mesh.run(name, 'SET', `${name}:${i}`, `v${i}`)).toBe('OK')
      expect(mesh.run(name, 'SET', `deleted:${name}:${i}`, 'v')).toBe('OK')
      expect(mesh.run(name, 'SET', 'contended', `${name}${i}`)).toBe('OK')
      expect(mesh.run(name, 'INCR', 'sum')).toEqual(expect.any(Number))
    }
  }
  mesh.settle('abc')
}

function erase(mesh: SimMesh): void {
  for (let i = 0; i < 2 * ROUNDS; i++) for (const name of NAMES) mesh.run('b', 'DEL', `deleted:${name}:${i}`)
  mesh.settle('abc')
}

describe.each(SCENES)('a region that starts again from $name', ({ diskOf }) => {
  it('mints nothing that lies below the cut, and has all that it answered', async () => {
    const mesh = new SimMesh('abc')
    await mesh.start('abc')
    mesh.pass(5000)
    write(mesh, 0)
    const backup = mesh.node('c').machine.disk.copy()
    write(mesh, ROUNDS)
    erase(mesh)
    mesh.until(() => mesh.core('a').mesh.cut.cut.covers(mesh.core('a').applied))
    const former = mesh.core('c').engine.origin.id

    mesh.crash('c', 'power')
    mesh.node('c').machine.disk.replaceAll(diskOf(backup))
    for (const other of 'ab') mesh.network.cut(other, 'c')
    await mesh.start('c')
    mesh.pass(20_000)
    expect(mesh.run('c', 'SET', 'early', 'v')).toMatchObject({ line: expect.stringMatching(BEHIND) })
    for (const other of 'ab') mesh.network.heal(other, 'c')
    mesh.until(() => mesh.core('c').engine.refusal === undefined)
    const { applied, origins, mesh: links } = mesh.core('a')
    expect(firstLacking(mesh.node('c').vector, links.cut.cut.toWire())).toBeUndefined()

    expect(mesh.run('c', 'INCR', 'sum')).toBe(2 * ROUNDS * NAMES.length + 1)
    expect(mesh.core('c').engine.origin.id).not.toBe(former)
    mesh.settle('abc')
    expect(applied.get(origins.intern(mesh.core('c').engine.origin.id))).toBeGreaterThan(0)
    for (const name of NAMES) {
      for (let i = 0; i < 2 * ROUNDS; i++) {
        for (const by of NAMES) {
          expect(mesh.run(name, 'GET', `${by}:${i}`)).toBe(`v${i}`)
          expect(mesh.run(name, 'EXISTS', `deleted:${by}:${i}`)).toBe(0)
        }
      }
    }
    mesh.pass(60_000)
    mesh.settle('abc')
    expect(new Set(NAMES.map((name) => mesh.digest(name))).size).toBe(1)
    for (const name of NAMES) {
      const { engine, applied: own, mesh: linksOfIt } = mesh.core(name)
      expect(engine.reclaimPending).toBe(0)
      // The former origin was ended: it holds the cut back no more.
      expect(linksOfIt.cut.cut.covers(own)).toBe(true)
    }
  })
})
