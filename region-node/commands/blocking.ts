/**
 * blocking.ts: commands whose reply comes later: WAIT, CRDT.WAIT.
 *
 * Invariant: a wait ends exactly once: by its answer, which is sent and lets the client go on; by `unblock`,
 * when somebody else ends it (CLIENT UNBLOCK); or by `cancel`, when the client has gone, without an answer.
 */
import type { Session } from './session.ts'

/**
 * Blocks the session until `begin`'s callback is called with the number to reply; it may be called at once.
 * @param begin  starts the wait and returns what forgets about it
 */
export function replyLater(session: Session, begin: (finish: (reply: number) => void) => () => void): void {
  // Replies that the client switched off are taken back when the command ends, which is too early here.
  const isSilent = session.replyMode !== 'on'
  let isFinished = false
  const cancel = begin((reply) => {
    isFinished = true
    const wasBlocked = session.blocked !== undefined
    session.blocked = undefined
    if (!wasBlocked || !isSilent) session.out.integer(reply)
    if (wasBlocked) session.resume()
  })
  if (isFinished) return
  session.blocked = {
    cancel,
    unblock: (error) => {
      cancel()
      session.blocked = undefined
      if (error !== undefined) session.out.error(error.line)
      // What it waited for had not happened to anybody that counts.
      else if (!isSilent) session.out.integer(0)
      session.resume()
    },
  }
}
