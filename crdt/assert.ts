/**
 * assert.ts: broken invariants.
 *
 * A client's mistake is a RESP error and a peer's bad bytes close a session; what lands here is our own
 * fault. The node stops before it can log or send what the broken state would produce.
 */
export class InvariantError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'InvariantError'
  }
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}

export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${String(value)}`)
}
