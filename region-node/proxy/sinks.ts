/**
 * sinks.ts: where replies of nodes go: straight to the client, into a reply that is put together, or to the proxy
 * itself.
 */
import { type CommandError, errors } from '../errors.ts'
import type { ReplyPiece } from '../resp/reply-splitter.ts'
import type { Answer, Answers } from './answers.ts'
import { isRefusal } from './lane.ts'
import type { ReplySink } from './link.ts'

/** What a client is told that cannot know of nodes. */
function lineOf({ line }: CommandError): string {
  return `-${line}\r\n`
}

function lossOf(wasSent: boolean): string {
  return lineOf(wasSent ? errors.linkLost : errors.notServed)
}

/** A client does not know what MOVED means; that of a transaction is one that was not executed. */
function translated(text: string): string {
  return isRefusal(text) ? lineOf(errors.notServed) : text
}

/** The reply to one command, piece by piece. */
export class AnswerSink implements ReplySink {
  readonly answer: Answer
  readonly #answers: Answers
  readonly #ports: { readonly done: () => void; readonly torn: () => void }

  /** @param ports  `torn`: a part of the reply was written, and the rest will not come */
  constructor(answers: Answers, answer: Answer, ports: { done: () => void; torn: () => void }) {
    this.#answers = answers
    this.answer = answer
    this.#ports = ports
  }

  add({ text, isFirst, isLast }: ReplyPiece): void {
    if (isLast) this.#ports.done()
    this.#answers.add(this.answer, isFirst ? translated(text) : text, isLast)
  }

  lost(wasSent: boolean): void {
    this.#ports.done()
    if (this.answer.hasBegun || this.answer.text !== '') this.#ports.torn()
    else this.#answers.add(this.answer, lossOf(wasSent), true)
  }
}

/** Several replies that become one. */
export class JointReply {
  readonly #texts: string[]
  #left: number
  readonly #whole: (texts: readonly string[]) => void

  constructor(count: number, whole: (texts: readonly string[]) => void) {
    this.#texts = new Array<string>(count).fill('')
    this.#left = count
    this.#whole = whole
  }

  part(index: number, answer: Answer, done: () => void): ReplySink {
    const end = (): void => {
      done()
      this.#left--
      if (this.#left === 0) this.#whole(this.#texts)
    }
    return {
      answer,
      add: ({ text, isLast }) => {
        this.#texts[index] += text
        if (isLast) end()
      },
      lost: (wasSent) => {
        this.#texts[index] = lossOf(wasSent)
        end()
      },
    }
  }
}

/** A reply from which the proxy learns something, whole. */
export class WordSink implements ReplySink {
  readonly answer: Answer
  #text = ''
  readonly #done: (reply: string) => void

  constructor(answer: Answer, done: (reply: string) => void) {
    this.answer = answer
    this.#done = done
  }

  add({ text, isLast }: ReplyPiece): void {
    this.#text += text
    if (isLast) this.#done(this.#text)
  }

  lost(wasSent: boolean): void {
    this.#done(lossOf(wasSent))
  }
}
