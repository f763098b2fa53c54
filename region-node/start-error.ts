/**
 * start-error.ts: why a node cannot start, as one sentence for the person who started it.
 *
 * Whoever finds a reason (settings, a busy port, a locked folder, damage in the log) throws a
 * StartError; the command line prints its message on stderr, without a stack, and exits with 1.
 * Invariants: the message is one readable paragraph, says what to do about it, and holds no secret.
 */
export class StartError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'StartError'
  }
}
