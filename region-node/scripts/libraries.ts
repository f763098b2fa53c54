/**
 * libraries.ts: the function libraries of the database.
 *
 * A library is data: its code is a string, under the library's name, in a database of its own that no client
 * can select (LIBRARY_DB). So it is logged, replicated, part of snapshots and digests, the later FUNCTION LOAD of
 * a name wins over one it had not seen, and FUNCTION DELETE and FLUSH remove what they had seen, all by the rules
 * of strings. FLUSHALL leaves libraries alone.
 *
 * What functions there are follows from the code: it is run, here as in every region, when the libraries have
 * changed. Where regions have loaded libraries apart that register the same function, each keeps both, and the
 * function is that of the library whose name comes first.
 */

import { type Cell, cellText } from '../../crdt/cell.ts'
import { LIBRARY_DB } from '../../crdt/effects/key-effects.ts'
import { visibleState } from '../../crdt/key.ts'
import type { Keyspace } from '../engine/keyspace.ts'
import { CommandError, errors } from '../errors.ts'
import type { FunctionRow, LibraryCode, ScriptFlag, ScriptHost } from './port.ts'
import { readLibrary } from './shebang.ts'

export interface Library extends LibraryCode {
  /** As it was given, shebang included. */
  readonly text: string
  readonly functions: readonly FunctionRow[]
}

export interface FoundFunction {
  readonly library: LibraryCode
  /** As it was registered: FCALL takes it in any case. */
  readonly name: string
  readonly flags: readonly ScriptFlag[]
}

export class FunctionLibraries {
  readonly #keyspace: Keyspace
  readonly #host: () => ScriptHost
  readonly #limitMs: () => number
  /** `keyspace.libraryVersion` when the rest was read. */
  #version = 0
  #libraries = new Map<string, Library>()
  #functions = new Map<string, FoundFunction>()

  constructor(keyspace: Keyspace, host: () => ScriptHost, limitMs: () => number) {
    this.#keyspace = keyspace
    this.#host = host
    this.#limitMs = limitMs
  }

  find(name: string): FoundFunction | undefined {
    this.#refresh()
    return this.#functions.get(name.toLowerCase())
  }

  /** By name. */
  all(): Iterable<Library> {
    this.#refresh()
    return this.#libraries.values()
  }

  get(name: string): Library | undefined {
    this.#refresh()
    return this.#libraries.get(name)
  }

  get count(): number {
    this.#refresh()
    return this.#libraries.size
  }

  get functionCount(): number {
    this.#refresh()
    return this.#functions.size
  }

  /**
   * Reads and runs the code of a library that is to be added.
   * @param replaces  it may take the place of one of its name
   * @param beside  what is added with it, by name
   * @param alone  what there is now will be gone by then
   * @throws CommandError when it does not load, or a function of that name is another library's
   */
  prepare(text: string, replaces: boolean, beside: ReadonlyMap<string, Library>, alone = false): Library {
    const code = readLibrary(text)
    const others = new Map(alone ? [] : this.#current())
    for (const [name, library] of beside) others.set(name, library)
    if (others.has(code.name) && !replaces) throw errors.libraryExists(code.name)
    others.delete(code.name)
    const library = this.#load(code, text)
    for (const { name } of library.functions) {
      for (const { functions } of others.values()) {
        if (functions.some((one) => one.name.toLowerCase() === name.toLowerCase()))
          throw errors.functionExists(name)
      }
    }
    return library
  }

  #current(): ReadonlyMap<string, Library> {
    this.#refresh()
    return this.#libraries
  }

  /** @throws CommandError */
  #load(code: LibraryCode, text: string): Library {
    const rows = this.#host().load(code, this.#limitMs())
    if (typeof rows === 'string') throw errors.libraryLoad(rows)
    if (rows.length === 0) throw errors.noFunctionsRegistered
    return { ...code, text, functions: rows }
  }

  #refresh(): void {
    const { libraryVersion } = this.#keyspace
    if (libraryVersion === this.#version) return
    this.#version = libraryVersion
    const known = this.#libraries
    this.#libraries = new Map()
    this.#functions = new Map()
    for (const [name, text] of this.#texts()) {
      const before = known.get(name)
      const library = before?.text === text ? before : this.#loadStored(name, text)
      this.#libraries.set(name, library)
      for (const { name: functionName, flags } of library.functions) {
        const key = functionName.toLowerCase()
        if (!this.#functions.has(key)) this.#functions.set(key, { library, name: functionName, flags })
      }
    }
  }

  /** A library that this version cannot load is listed, without functions. */
  #loadStored(name: string, text: string): Library {
    try {
      return this.#load(readLibrary(text), text)
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      return { name, source: '', text, functions: [] }
    }
  }

  #texts(): [string, string][] {
    const texts: [string, string][] = []
    for (const [name, entry] of this.#keyspace.db(LIBRARY_DB).entries()) {
      const state = visibleState(entry)
      // Nothing but FUNCTION writes there, and only strings.
      if (state !== undefined) texts.push([name, cellText(state as Cell)])
    }
    return texts.sort(([a], [b]) => (a < b ? -1 : 1))
  }
}
