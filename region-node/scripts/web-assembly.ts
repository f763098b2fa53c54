/**
 * web-assembly.ts: the part of JavaScript's WebAssembly that is used here; Node 20's type declarations leave
 * all of it out.
 */

/** Compiled code, from which any number of instances can be made. */
export interface WasmModule {
  readonly [Symbol.toStringTag]: string
}

interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>>
}

interface WasmApi {
  readonly Module: new (bytes: Uint8Array) => WasmModule
  readonly Instance: new (
    module: WasmModule,
    imports: Readonly<Record<string, Readonly<Record<string, (...args: number[]) => unknown>>>>,
  ) => WasmInstance
  /** What a trap throws: an access out of bounds, an unreachable instruction. */
  readonly RuntimeError: ErrorConstructor
}

export const { Module, Instance, RuntimeError } = (globalThis as unknown as { WebAssembly: WasmApi })
  .WebAssembly
