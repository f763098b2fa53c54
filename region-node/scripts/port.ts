/**
 * port.ts: what the engine asks of whoever runs Lua, and what a running script asks of the engine.
 *
 * The engine keeps the scripts and libraries (`script-cache.ts`, `libraries.ts`) and knows no Lua; the host
 * (`lua-host.ts`) knows no command. Everything between them is words and replies, within one turn.
 */
import type { ReplyWriter } from '../resp/reply.ts'

/** What a script declared of itself (`#!lua flags=...`, or of a registered function). */
export type ScriptFlag = 'no-writes' | 'allow-oom' | 'allow-stale' | 'no-cluster' | 'allow-cross-slot-keys'

export interface Script {
  /** SHA-1 of the source as it was given, shebang included. */
  readonly sha: string
  /** Without its shebang; the line break behind that is kept, so that line numbers are the author's. */
  readonly source: string
  /** Undefined where it has no shebang. */
  readonly flags: readonly ScriptFlag[] | undefined
}

export interface LibraryCode {
  readonly name: string
  /** Without its shebang, as above. */
  readonly source: string
}

export interface FunctionRow {
  readonly name: string
  readonly description: string | undefined
  readonly flags: readonly ScriptFlag[]
}

/** What a running script asks for. */
export interface ScriptCalls {
  /**
   * Runs a command; its reply, errors included, goes to the host's `values`.
   * @returns false when the script has to end here: it ran too long
   */
  call(words: readonly string[]): boolean
  /** Whether the client may run the command; undefined when there is no such command. */
  mayRun(words: readonly string[]): boolean | undefined
}

export interface ScriptHost {
  /** Where the commands that a script calls write their replies. */
  readonly values: ReplyWriter
  /** SHA-1 in lower-case hex of a latin1 text. */
  sha1(text: string): string
  /** @returns what Lua says is wrong with the source; undefined when it compiles */
  compile(script: Script): string | undefined
  /** The script will not be run again. */
  forget(sha: string): void
  /** Forgets everything that is compiled, and gives its memory back. */
  reset(): void
  /**
   * Runs a script that compiles, and writes its reply, or the error that it ended with.
   * @throws CommandError when it was ended by force
   * @param limitMs  about how long Lua may compute without a call in between; 0: as long as the host lets it
   */
  run(
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    calls: ScriptCalls,
    limitMs: number,
    out: ReplyWriter,
  ): void
  /** Runs the code of a library, which registers functions. @returns them, or the line of an error */
  load(library: LibraryCode, limitMs: number): readonly FunctionRow[] | string
  /** Runs a function of a library that loads. */
  runFunction(
    library: LibraryCode,
    name: string,
    keys: readonly string[],
    args: readonly string[],
    calls: ScriptCalls,
    limitMs: number,
    out: ReplyWriter,
  ): void
}
