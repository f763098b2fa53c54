/**
 * log-trimmed.ts: what a log says to a reader who comes from before its beginning.
 *
 * It is no damage: what is asked for was trimmed, or came here inside a snapshot and never was in this
 * log. The answer is a snapshot.
 */

/** The log no longer reaches back to what is asked for. */
export class LogTrimmed extends Error {
  constructor(sentence: string) {
    super(sentence)
    this.name = 'LogTrimmed'
  }
}
