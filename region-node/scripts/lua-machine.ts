/**
 * lua-machine.ts: one Lua state in its sandbox: memory of its own, and the few functions it is given.
 *
 * The program can reach nothing but its imports, and these offer no file, clock, network or randomness: what a
 * C library asks for is refused. Its memory is 64 MiB and cannot grow; Lua answers "not enough memory" when
 * they are used up. Instructions are counted by the program itself.
 *
 * The program asks for properties of the table `redis` (host_redis_props) while it builds its state: after the
 * libraries are there, and before the globals are locked. That is when the prelude is run, and the only moment
 * at which it could be.
 *
 * Invariants: (1) nothing thrown by a callback passes through the program unnoticed: the machine is broken then,
 * and must not be used again. (2) A value that `evaluate` returned is read before the next call.
 *
 * Source: docs/abi.md and docs/host-interface.md of lua-redis-wasm 1.5; Emscripten's convention for longjmp.
 */
import type { Latin1 } from '../../crdt/codec/bytes.ts'
import { ValueReader } from './value-reader.ts'
import { VALUE } from './value-writer.ts'
import { Instance, RuntimeError, type WasmImports, type WasmModule } from './web-assembly.ts'

export interface MachineCalls {
  /** What the prelude asks the host: a command, mostly. @returns the bytes of a value */
  call(words: readonly string[]): string
  log(level: number, text: string): void
  sha1(text: string): string
  /** redis.setresp: 2 or 3. */
  setResp(version: number): void
}

/** The program came to an end that Lua knows nothing of; its machine is gone. */
export class MachineError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'MachineError'
  }
}

type ProgramFunction = (a: number, b: number) => void

interface Program {
  readonly memory: { readonly buffer: ArrayBuffer }
  readonly __indirect_function_table: { get(index: number): ProgramFunction }
  __wasm_call_ctors(): void
  set_compat(flags: number): void
  set_limits(instructions: number, replyBytes: number, argBytes: number): void
  init(): number
  eval(result: number, text: number, textLength: number): void
  eval_with_args(
    result: number,
    text: number,
    textLength: number,
    words: number,
    wordsLength: number,
    keyCount: number,
  ): void
  alloc(size: number): number
  free_mem(at: number): void
  emscripten_stack_get_current(): number
  _emscripten_stack_restore(at: number): void
  setThrew(threw: number, value: number): void
}

/** Texts and words up to this length are handed over in memory that is set aside for them. */
const DESK_BYTES = 64 * 1024
/** Below some twenty characters a loop beats the call of a native copy. */
const LOOPED_BYTES_MAX = 20
const POINTER_AND_LENGTH_BYTES = 8
/** Of words, and of the bytes of one. */
const COUNT_BYTES = 4
const STACK_BYTES = 2 * 1024 * 1024
/** The compiled code relies on it. */
const STACK_ALIGNMENT = 16
/** The sandbox of Redis 7.2: no `os`, no `print`, no `server`. */
const COMPAT_REDIS_72 = 0
const INSTRUCTIONS_MAX = 0xffff_ffff
/** The system's numbers for "no such call" and "bad file descriptor". */
const ENOSYS = -52
const EBADF = 8

/** Emscripten unwinds to a setjmp by an exception. */
const LONGJMP = Symbol('longjmp')

export class LuaMachine {
  readonly #program: Program
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #latin1: Latin1
  readonly #calls: MachineCalls
  readonly #desk: number
  /** The text that lies there: scripts that are run again are not written again. */
  #deskText = ''
  readonly #result: number
  /** Where the last value lies; 0: nowhere. */
  #answer = 0
  #instructions = 0
  /** The program's table of functions, as far as they were called: it never changes, and asking it is slow. */
  readonly #functions: (ProgramFunction | undefined)[] = []
  /** What a callback threw. */
  #thrown: { readonly error: unknown } | undefined = undefined
  /** A value did not fit into its memory. */
  isFull = false

  /** @throws MachineError when the program does not start */
  constructor(program: WasmModule, prelude: string, latin1: Latin1, calls: MachineCalls) {
    this.#latin1 = latin1
    this.#calls = calls
    const runPrelude = (result: number): void => {
      this.#setResult(result, 0, 0)
      const value = this.evaluate(prelude)
      if (value?.tag === VALUE.nil) return
      throw new MachineError(`the prelude did not run: ${value?.text() ?? 'no memory'}`)
    }
    this.#program = new Instance<Program>(program, this.#imports(runPrelude)).exports
    const { buffer } = this.#program.memory
    this.#bytes = new Uint8Array(buffer)
    this.#view = new DataView(buffer)
    this.#program.__wasm_call_ctors()
    // The stack that the program comes with holds about a hundred calls from Lua to C to Lua; Lua allows 200.
    const top = this.#program.alloc(STACK_BYTES) + STACK_BYTES
    this.#program._emscripten_stack_restore(top - (top % STACK_ALIGNMENT))
    this.#desk = this.#program.alloc(DESK_BYTES)
    this.#result = this.#program.alloc(POINTER_AND_LENGTH_BYTES)
    this.#program.set_compat(COMPAT_REDIS_72)
    this.limit(INSTRUCTIONS_MAX)
    if (this.#program.init() !== 0) throw new MachineError('the Lua engine did not start')
    this.#rethrow()
  }

  /** Most instructions of the next run. The program looks at their number every thousand. */
  limit(instructions: number): void {
    const most = Math.min(instructions, INSTRUCTIONS_MAX)
    if (most === this.#instructions) return
    this.#instructions = most
    this.#program.set_limits(most, 0, 0)
  }

  /**
   * Runs a text.
   * @param keys  KEYS
   * @param args  ARGV
   * @param more  stands at the end of ARGV
   * @returns its value; undefined when there was no memory for it
   * @throws MachineError when the program broke down; whatever a callback threw
   */
  evaluate(text: string, keys = NO_WORDS, args = NO_WORDS, more = NO_WORDS): ValueReader | undefined {
    this.#freeAnswer()
    const wordsLength = COUNT_BYTES + encodedLength(keys) + encodedLength(args) + encodedLength(more)
    const total = text.length + wordsLength
    const at = total <= DESK_BYTES ? this.#desk : this.#program.alloc(total)
    if (at === 0) {
      this.isFull = true
      return undefined
    }
    if (at !== this.#desk || text !== this.#deskText) this.#latin1.write(this.#bytes, text, at)
    if (at === this.#desk) this.#deskText = text
    const wordsAt = at + text.length
    this.#view.setUint32(wordsAt, keys.length + args.length + more.length, true)
    this.#writeWords(more, this.#writeWords(args, this.#writeWords(keys, wordsAt + COUNT_BYTES)))
    try {
      this.#program.eval_with_args(this.#result, at, text.length, wordsAt, wordsLength, keys.length)
    } catch (error) {
      this.#rethrow()
      // A stack that is used up is a RangeError.
      if (error instanceof RuntimeError || error instanceof RangeError) throw new MachineError(error.message)
      throw error
    }
    this.#rethrow()
    if (at !== this.#desk) this.#program.free_mem(at)
    return this.#takeResult()
  }

  /** Freeing writes into what is freed, so it waits until the value has been read. */
  #freeAnswer(): void {
    if (this.#answer !== 0) this.#program.free_mem(this.#answer)
    this.#answer = 0
  }

  #takeResult(): ValueReader | undefined {
    const at = this.#view.getUint32(this.#result, true)
    if (at === 0) {
      this.isFull = true
      return undefined
    }
    this.#answer = at
    return new ValueReader(this.#bytes, this.#view, at, this.#latin1)
  }

  #rethrow(): void {
    if (this.#thrown !== undefined) throw this.#thrown.error
  }

  /** @returns where the next word goes */
  #writeWords(words: readonly string[], start: number): number {
    let at = start
    for (let i = 0; i < words.length; i++) {
      const word = words[i]!
      this.#view.setUint32(at, word.length, true)
      this.#write(word, at + COUNT_BYTES)
      at += COUNT_BYTES + word.length
    }
    return at
  }

  #write(text: string, at: number): void {
    const { length } = text
    const bytes = this.#bytes
    if (length < LOOPED_BYTES_MAX) for (let i = 0; i < length; i++) bytes[at + i] = text.charCodeAt(i)
    else this.#latin1.write(bytes, text, at)
  }

  #readWords(start: number): string[] {
    const words = new Array<string>(this.#view.getUint32(start, true))
    let at = start + COUNT_BYTES
    for (let i = 0; i < words.length; i++) {
      const length = this.#view.getUint32(at, true)
      at += COUNT_BYTES
      words[i] = this.#latin1.read(this.#bytes, at, at + length)
      at += length
    }
    return words
  }

  /** Hands bytes to the program, which frees them; nothing where they do not fit. */
  #give(result: number, text: string): void {
    const at = this.#program.alloc(text.length)
    if (at === 0) this.isFull = true
    else this.#write(text, at)
    this.#setResult(result, at, at === 0 ? 0 : text.length)
  }

  #setResult(result: number, at: number, length: number): void {
    this.#view.setUint32(result, at, true)
    this.#view.setUint32(result + 4, length, true)
  }

  #call(result: number, words: number): void {
    try {
      this.#give(result, this.#calls.call(this.#readWords(words)))
    } catch (error) {
      throw this.#keep(error)
    }
  }

  /** What a callback throws is kept for who runs the program. */
  #keep(error: unknown): unknown {
    this.#thrown ??= { error }
    return error
  }

  #guarded(callback: (...args: number[]) => unknown): (...args: number[]) => unknown {
    return (...args) => {
      try {
        return callback(...args)
      } catch (error) {
        throw this.#keep(error)
      }
    }
  }

  #imports(runPrelude: (result: number) => void): WasmImports {
    const read = (at: number, length: number): string => this.#latin1.read(this.#bytes, at, at + length)
    const ended = (): never => {
      throw new MachineError('the Lua engine ended itself')
    }
    const refused = (): number => ENOSYS
    const env = {
      host_redis_props: this.#guarded(runPrelude as (...args: number[]) => void),
      // The program keeps the memory of a value that it raises as an error, so the prelude uses the other one.
      host_redis_call: this.#guarded(ended),
      host_redis_pcall: (result: number, words: number) => this.#call(result, words),
      host_redis_log: this.#guarded((level, at, length) => this.#calls.log(level!, read(at!, length!))),
      host_redis_setresp: this.#guarded((version) => this.#calls.setResp(version!)),
      host_sha1hex: this.#guarded((result, at, length) =>
        this.#give(result!, this.#calls.sha1(read(at!, length!))),
      ),
      invoke_vii: (index: number, a: number, b: number) => this.#invoke(index, a, b),
      _emscripten_throw_longjmp: () => {
        throw LONGJMP
      },
      exit: this.#guarded(ended),
      __assert_fail: this.#guarded(ended),
      _abort_js: this.#guarded(ended),
      emscripten_resize_heap: () => 0,
      __syscall_openat: refused,
      __syscall_fcntl64: refused,
      __syscall_ioctl: refused,
      __syscall_dup3: refused,
    }
    const badDescriptor = (): number => EBADF
    const wasi = {
      clock_time_get: badDescriptor,
      fd_write: badDescriptor,
      fd_read: badDescriptor,
      fd_close: badDescriptor,
      fd_seek: badDescriptor,
    }
    return { env, wasi_snapshot_preview1: wasi }
  }

  /** Calls a function in which a longjmp may end: the program's setjmp. */
  #invoke(index: number, a: number, b: number): void {
    const program = this.#program
    const stack = program.emscripten_stack_get_current()
    try {
      this.#functions[index] ??= program.__indirect_function_table.get(index)
      this.#functions[index](a, b)
    } catch (error) {
      if (error !== LONGJMP) throw error
      program._emscripten_stack_restore(stack)
      program.setThrew(1, 0)
    }
  }
}

const NO_WORDS: readonly string[] = []

function encodedLength(words: readonly string[]): number {
  let length = 0
  for (let i = 0; i < words.length; i++) length += COUNT_BYTES + words[i]!.length
  return length
}
