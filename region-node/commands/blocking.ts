/**
 * blocking.ts: commands whose reply comes later: WAIT, WAITAOF, CRDT.WAIT, CRDT.DIGEST.
 *
 * Invariant: a wait ends exactly once: by its answer, which is sent and lets the client go on; by `unblock`,
 * when somebody else ends it (CLIENT UNBLOCK); or by `cancel`, when the client has gone, without an answer.
 */
import type { Session } from './session.ts'

/** A number, numbers, a bulk string, or undefined for nil. */
export type LaterReply = number | readonly number[] | string | undefined

/**
 * Blocks the session until `begin`'s callback is called with the reply; it may be called at once.
 * @param begin  starts the wait and returns what forgets about it
 * @param unblocked  the reply when somebody else ends the wait: what it waited for had not happened
 */
export function replyLater(
  session: Session,
  begin: (finish: (reply: LaterReply) => void) => () => void,
  unblocked: LaterReply,
): void {
  // Replies that the client switched off are taken back when the command ends, which is too early here.
  const isSilent = session.replyMode !== 'on'
  let isFinished = false
  const cancel = begin((reply) => {
    isFinished = true
    const wasBlocked = session.blocked !== undefined
    session.blocked = undefined
    if (!wasBlocked || !isSilent) write(session, reply)
    if (wasBlocked) session.resume()
  })
  if (isFinished) return
  session.blocked = {
    cancel,
    unblock: (error) => {
      cancel()
      session.blocked = undefined
      if (error !== undefined) session.out.error(error.line)
      else if (!isSilent) write(session, unblocked)
      session.resume()
    },
  }
}

function write({ out }: Session, reply: LaterReply): void {
  if (typeof reply === 'number') {
    out.integer(reply)
  } else if (typeof reply === 'object') {
    out.array(reply.length)
    for (const number of reply) out.integer(number)
  } else {
    out.bulkOrNil(reply)
  }
}
