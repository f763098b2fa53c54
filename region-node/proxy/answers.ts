/**
 * answers.ts: what is sent to one client: replies in the order of its commands, whatever order they come in.
 *
 * The reply to the oldest command goes out as it comes, piece by piece; what comes for later ones is kept until it is
 * their turn. What nobody asked for goes out at once, but never inside a reply.
 *
 * Invariants: (1) what was written is a whole number of replies, and perhaps the beginning of the oldest one.
 * (2) `keptBytes` is what is kept.
 */

/** The reply to one command, to be. */
export interface Answer {
  /** CLIENT REPLY OFF: it is thrown away. */
  readonly isSilent: boolean
  /** Kept until it is its turn. */
  text: string
  isDone: boolean
  /** A part of it was written. */
  hasBegun: boolean
}

export class Answers {
  readonly #write: (text: string) => void
  #answers: Answer[] = []
  #from = 0
  /** Waits for the end of a reply. */
  #unasked = ''
  #keptBytes = 0

  constructor(write: (text: string) => void) {
    this.#write = write
  }

  /** Commands without their whole reply. */
  get count(): number {
    return this.#answers.length - this.#from
  }

  get keptBytes(): number {
    return this.#keptBytes
  }

  /** The oldest that has no whole reply. */
  get first(): Answer | undefined {
    return this.#answers[this.#from]
  }

  open(isSilent: boolean): Answer {
    const answer = { isSilent, text: '', isDone: false, hasBegun: false }
    this.#answers.push(answer)
    return answer
  }

  /** A part of a reply has come. @param isLast  nothing follows */
  add(answer: Answer, text: string, isLast: boolean): void {
    answer.isDone = isLast
    if (answer !== this.first) {
      this.#keep(answer, text)
      return
    }
    this.#send(answer, text)
    if (isLast) this.#goOn()
  }

  /** A message, an invalidation: whole. */
  push(text: string): void {
    if (this.first?.hasBegun === true) this.#unasked += text
    else this.#write(text)
  }

  #keep(answer: Answer, text: string): void {
    if (answer.isSilent) return
    answer.text += text
    this.#keptBytes += text.length
  }

  #send(answer: Answer, text: string): void {
    if (answer.isSilent || text === '') return
    answer.hasBegun = true
    this.#write(text)
  }

  /** The oldest is complete, and so may be those behind it. */
  #goOn(): void {
    do {
      this.#from++
      if (this.#unasked !== '') {
        this.#write(this.#unasked)
        this.#unasked = ''
      }
      const next = this.first
      if (next === undefined) {
        this.#answers = []
        this.#from = 0
        return
      }
      this.#keptBytes -= next.text.length
      this.#send(next, next.text)
      next.text = ''
    } while (this.first!.isDone)
    if (this.#from < COMPACT_FROM) return
    this.#answers.splice(0, this.#from)
    this.#from = 0
  }
}

/** Answers of the past that are kept until they are forgotten in one go. */
const COMPACT_FROM = 1024
