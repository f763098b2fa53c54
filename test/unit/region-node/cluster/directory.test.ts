/**
 * directory.test.ts: which of two things that were heard counts, when readings, news and own commits cross.
 */
import { describe, expect, it } from 'vitest'
import { Directory } from '../../../../region-node/cluster/directory.ts'
import { encode, Keys, type StateDocument } from '../../../../region-node/cluster/documents.ts'
import type { Entry } from '../../../../region-node/coordinator/port.ts'

const keys = new Keys('db', 'a')
const key = keys.of('state', 0)

function stateOf(term: number): StateDocument {
  return {
    ...{ term, edition: term, primary: 'one', hasEnded: false, heldTerm: 1, isWhole: true },
    ...{ inSync: ['one'], members: ['one'] },
  }
}

function entry(term: number, revision: number): Entry {
  return { key, value: encode(stateOf(term)), revision }
}

function knowing(term: number, revision: number): Directory {
  const directory = new Directory(keys)
  directory.replace({ revision, entries: [entry(term, revision)] })
  return directory
}

describe('a reading', () => {
  it('that was overtaken by a commit of this node does not hide it', () => {
    const directory = knowing(1, 10)
    directory.learn([{ do: 'put', key, value: encode(stateOf(2)) }], 12)
    directory.replace({ revision: 11, entries: [entry(1, 10)] })
    expect(directory.of(0).state).toEqual({ revision: 12, document: stateOf(2) })
    expect(directory.revision).toBe(12)
  })

  it('of a coordinator that was put back takes the place of all, and news from there count', () => {
    const directory = knowing(3, 30)
    directory.apply([{ key: keys.of('leader', 0), value: '{}', revision: 31 }])
    directory.replace({ revision: 20, entries: [entry(1, 10)] }, true)
    expect(directory.of(0).state).toEqual({ revision: 10, document: stateOf(1) })
    expect(directory.of(0).leader.revision).toBe(0)
    expect(directory.revision).toBe(20)
    directory.apply([entry(4, 21)])
    expect(directory.of(0).state).toEqual({ revision: 21, document: stateOf(4) })
  })
})
