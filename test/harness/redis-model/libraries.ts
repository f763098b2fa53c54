/**
 * libraries.ts: FUNCTION as Redis's documentation tells it. A library is a string under its name, in a database of
 * its own.
 */
import { LIBRARY_DB } from '../../../crdt/effects/key-effects.ts'
import { PAYLOADS } from './payloads.ts'
import { type Model, type Models, type PlainData, Refusal } from './plain-data.ts'

function nameIn(text: string): string {
  return /^#!lua name=(\w+)/.exec(text)![1]!
}

function store(libraries: PlainData, text: string, replaces: boolean): string {
  const name = nameIn(text)
  if (!replaces && libraries.at(name) !== undefined) throw new Refusal('ERR')
  libraries.put(name, { type: 'string', text })
  return name
}

const restore: Model = ([, , bytes, policy], data) => {
  if (bytes !== PAYLOADS.library.bytes) throw new Refusal('ERR')
  const libraries = data.in(LIBRARY_DB)
  if (policy === 'FLUSH') libraries.flush()
  store(libraries, PAYLOADS.library.text, policy === 'REPLACE')
  return 'OK'
}

export const LIBRARY_MODELS: Models = {
  'FUNCTION|LOAD': (words, data) => store(data.in(LIBRARY_DB), words.at(-1)!, words[2] === 'REPLACE'),
  'FUNCTION|DELETE': ([, , name], data) => {
    if (!data.in(LIBRARY_DB).remove(name!)) throw new Refusal('ERR')
    return 'OK'
  },
  'FUNCTION|FLUSH': (_words, data) => {
    data.in(LIBRARY_DB).flush()
    return 'OK'
  },
  'FUNCTION|RESTORE': restore,
}
