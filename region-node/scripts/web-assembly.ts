/**
 * web-assembly.ts: the part of JavaScript's WebAssembly that is used here; Node 20's type declarations leave
 * all of it out.
 */

/** Compiled code, from which any number of instances can be made. */
export interface WasmModule {
  readonly [Symbol.toStringTag]: string
}

/** What a module is given to call: by the module it names, and by name. */
export type WasmImports = Readonly<Record<string, Readonly<Record<string, (...args: never[]) => unknown>>>>

interface WasmApi {
  readonly Module: new (bytes: Uint8Array) => WasmModule
  /** Nothing checks that the module exports what its caller says. */
  readonly Instance: new <Exports>(
    module: WasmModule,
    imports: WasmImports,
  ) => { readonly exports: Exports }
  /** What a trap throws: an access out of bounds, an unreachable instruction. */
  readonly RuntimeError: ErrorConstructor
}

declare global {
  var WebAssembly: WasmApi
}

export const { Module, Instance, RuntimeError } = WebAssembly
