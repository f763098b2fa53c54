/**
 * lua-host.ts: runs scripts and functions in a Lua machine that is kept from one to the next.
 *
 * The machine is made when a first script comes, and replaced, between two scripts, when it has run out of
 * memory, when a script was ended by force, or when it broke down. What it held compiled is compiled again
 * when it is asked for; only what the functions of a library keep in their own variables is lost, as when the
 * node restarts.
 *
 * A script ends by force in two ways. Lua that only computes is counted in instructions, because nothing can
 * reach the thread while it runs; Lua that calls commands is asked at each call (`ScriptCalls.call`).
 */
import type { Latin1 } from '../../crdt/codec/bytes.ts'
import { errors } from '../errors.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import { LuaMachine, MachineError } from './lua-machine.ts'
import type { FunctionRow, LibraryCode, Script, ScriptCalls, ScriptHost } from './port.ts'
import { KILLED, PRELUDE } from './prelude.ts'
import { sha1Hex } from './sha1.ts'
import { isScriptFlag } from './shebang.ts'
import { keepCallers } from './tail-calls.ts'
import type { ValueReader } from './value-reader.ts'
import { VALUE, ValueWriter } from './value-writer.ts'
import type { WasmModule } from './web-assembly.ts'

/** Instructions in a millisecond, about: 300 thousand were measured for an empty loop on one machine. */
const INSTRUCTIONS_PER_MS = 300_000
/** The text of every run, which is compiled each time and so is short: what to do stands behind ARGV. */
const ENTRY = 'return __causeway()'
/** Begins the words by which the prelude asks for what is no command. */
const ACL_CHECK = '\0acl'

/** What the prelude is asked for: its name is the last of these words. */
type Verb = readonly string[]

const COMPILE: Verb = ['compile']
const FORGET: Verb = ['forget']
const LIBRARY: Verb = ['library']

const { scriptKilled: killed, scriptMemory: outOfMemory, scriptEngine: broken } = errors

export class LuaHost implements ScriptHost {
  readonly values = new ValueWriter()
  readonly #program: () => WasmModule
  readonly #latin1: Latin1
  readonly #log: (level: number, text: string) => void
  #machine: LuaMachine | undefined = undefined
  /** By SHA-1: what asks for the scripts that the machine holds compiled, each by a number. */
  #compiled = new Map<string, Verb>()
  /** Of the script that was compiled last. */
  #lastNumber = 0
  /** Libraries that the machine holds, with their source, by name. */
  #libraries = new Map<string, string>()
  #calls: ScriptCalls | undefined = undefined

  /** @param log  redis.log: level 0 (debug) to 3 (warning) */
  constructor(program: () => WasmModule, latin1: Latin1, log: (level: number, text: string) => void) {
    this.#program = program
    this.#latin1 = latin1
    this.#log = log
  }

  sha1(text: string): string {
    return sha1Hex(text)
  }

  reset(): void {
    this.#machine = undefined
    this.#compiled = new Map()
    this.#libraries = new Map()
  }

  compile(script: Script): string | undefined {
    const made = this.#compile(script)
    return typeof made === 'string' ? made : undefined
  }

  /** @returns what is wrong with the script, when it does not compile */
  #compile({ sha, source }: Script): Verb | string {
    const number = String(++this.#lastNumber)
    const answer = this.#evaluate([], [keepCallers(source), number, sha], COMPILE)
    const complaint = answer.text()
    if (complaint !== undefined) return complaint
    const compiled = [number]
    this.#compiled.set(sha, compiled)
    return compiled
  }

  forget(sha: string): void {
    const compiled = this.#compiled.get(sha)
    if (compiled === undefined) return
    this.#compiled.delete(sha)
    this.#evaluate([], compiled, FORGET)
  }

  run(
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    calls: ScriptCalls,
    limitMs: number,
    out: ReplyWriter,
  ): void {
    const compiled = this.#compiled.get(script.sha) ?? this.#compile(script)
    if (typeof compiled === 'string') throw errors.scriptCompile(compiled)
    this.#runVerb(compiled, keys, args, calls, limitMs, out)
  }

  load(library: LibraryCode, limitMs: number): readonly FunctionRow[] | string {
    this.#libraries.delete(library.name)
    const answer = this.#evaluate([], [keepCallers(library.source), library.name], LIBRARY, limitMs)
    if (answer.tag !== VALUE.array) return answer.text() ?? broken.line
    const rows: FunctionRow[] = []
    for (let left = answer.enterArray(); left > 0; left--) {
      answer.enterArray()
      const name = answer.text() ?? ''
      const description = answer.text()
      const flags = Array.from({ length: answer.enterArray() }, () => answer.text() ?? '')
      rows.push({ name, description, flags: flags.filter(isScriptFlag) })
    }
    this.#libraries.set(library.name, library.source)
    return rows
  }

  runFunction(
    library: LibraryCode,
    name: string,
    keys: readonly string[],
    args: readonly string[],
    calls: ScriptCalls,
    limitMs: number,
    out: ReplyWriter,
  ): void {
    if (this.#libraries.get(library.name) !== library.source) {
      const rows = this.load(library, limitMs)
      if (typeof rows === 'string') throw errors.libraryLoad(rows)
    }
    this.#runVerb([library.name, name, 'function'], keys, args, calls, limitMs, out)
  }

  #runVerb(
    verb: Verb,
    keys: readonly string[],
    args: readonly string[],
    calls: ScriptCalls,
    limitMs: number,
    out: ReplyWriter,
  ): void {
    this.#calls = calls
    this.values.protocol = 2
    try {
      this.#evaluate(keys, args, verb, limitMs).copyTo(out)
    } finally {
      this.#calls = undefined
    }
  }

  /** What the prelude answers. @throws CommandError when the machine ended it */
  #evaluate(keys: readonly string[], args: readonly string[], verb: Verb, limitMs = 0): ValueReader {
    try {
      this.#machine ??= new LuaMachine(this.#program(), PRELUDE, this.#latin1, this.#callbacks)
      const machine = this.#machine
      machine.limit(limitMs === 0 ? Number.POSITIVE_INFINITY : limitMs * INSTRUCTIONS_PER_MS)
      const value = machine.evaluate(ENTRY, keys, args, verb)
      if (machine.isFull) this.reset()
      if (value === undefined) throw outOfMemory
      // The prelude catches everything but the end of the machine's means.
      if (value.tag === VALUE.abort) throw value.text()?.includes(KILLED) ? killed : outOfMemory
      return value
    } catch (error) {
      // A state that was left in the middle of something is of no use any more.
      this.reset()
      throw error instanceof MachineError ? broken : error
    }
  }

  readonly #callbacks = {
    call: (words: readonly string[]): string => {
      this.#answer(words)
      return this.values.take()
    },
    log: (level: number, text: string): void => this.#log(level, text),
    sha1: sha1Hex,
    setResp: (version: number): void => {
      this.values.protocol = version === 3 ? 3 : 2
    },
  }

  #answer(words: readonly string[]): void {
    const { values } = this
    const calls = this.#calls
    if (calls === undefined) {
      values.error(NOT_WHILE_LOADING)
    } else if (words[0] === ACL_CHECK) {
      const mayRun = calls.mayRun(words.slice(1))
      if (mayRun === undefined) values.error('ERR Invalid command passed to redis.acl_check_cmd()')
      else values.integer(mayRun ? 1 : 0)
    } else if (!calls.call(words)) {
      values.error(KILLED)
    }
  }
}

const NOT_WHILE_LOADING = "ERR Script attempted to access nonexistent global variable 'call'"
