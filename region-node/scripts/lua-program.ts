/**
 * lua-program.ts: the Lua 5.1 engine, compiled for this process: the WebAssembly program in the package
 * lua-redis-wasm.
 *
 * Only the program of that package is used. Its JavaScript makes a Buffer of every word in either direction,
 * compiles each script anew, knows no functions, and lets nobody but itself run anything before the globals
 * are locked; `lua-machine.ts` takes its place.
 */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { readProgramFile } from '../env-node.ts'
import { Module, type WasmModule } from './web-assembly.ts'

let program: WasmModule | undefined

/** The same for all machines of the process; compiled, in some milliseconds, when it is first asked for. */
export function luaProgram(): WasmModule {
  program ??= new Module(readProgramFile(programPath()))
  return program
}

function programPath(): string {
  // The package exports its entry only, and the program lies beside that.
  const entry = createRequire(import.meta.url).resolve('lua-redis-wasm')
  return join(dirname(entry), 'redis_lua.wasm')
}
