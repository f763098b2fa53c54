/**
 * stage.ts: the narration of the demonstration: acts, commands, tables and checked claims.
 *
 * Written for people: one screen of 80 columns per act, colour only on a terminal. A claim is shown as
 * true or false by what was computed, never by hope; false ones are counted.
 */

/** Where text goes; `process.stdout` is one. */
export interface Screen {
  readonly isTTY?: boolean
  write(text: string): unknown
}

const COLOURS = { bold: '1', dim: '2', red: '31', green: '32', cyan: '36' } as const
type Colour = keyof typeof COLOURS

/** Columns for a command, before its reply. */
const COMMAND_COLUMNS = 46
/** Columns for the first cell of a table's row, and for each other one. */
const NAME_COLUMNS = 14
const CELL_COLUMNS = 20

export class Stage {
  readonly #screen: Screen
  readonly #colourful: boolean
  #failures = 0
  #checks = 0
  #acts = 0
  #closed = false

  constructor(screen: Screen, colourful: boolean) {
    this.#screen = screen
    this.#colourful = colourful
  }

  /** Claims that turned out false. */
  get failures(): number {
    return this.#failures
  }

  get checks(): number {
    return this.#checks
  }

  act(title: string): void {
    this.#acts++
    this.#line()
    this.#line(this.#paint('bold', `${this.#acts}. ${title}`))
    this.#line()
  }

  say(sentence = ''): void {
    this.#line(sentence === '' ? '' : `  ${sentence}`)
  }

  heading(text: string): void {
    this.#line(this.#paint('bold', text))
  }

  /** A command as it was sent to a region, and what the region answered. */
  command(region: string, words: readonly string[], reply: unknown): void {
    const typed = words.map(quoted).join(' ')
    this.#line(`  ${this.#paint('cyan', `${region}>`)} ${typed.padEnd(COMMAND_COLUMNS)} ${shown(reply)}`)
  }

  /** Rows of cells under headings; the first column names the row. */
  table(headings: readonly string[], rows: readonly (readonly string[])[]): void {
    this.#line()
    this.#line(this.#paint('dim', row(headings)))
    for (const cells of rows) this.#line(row(cells))
    this.#line()
  }

  check(holds: boolean, claim: string): void {
    this.#checks++
    if (!holds) this.#failures++
    this.#line(`  ${holds ? this.#paint('green', 'ok    ') : this.#paint('red', 'FAILED')}  ${claim}`)
  }

  /** What stopped the demonstration, when something did. */
  failed(sentence: string): void {
    this.#failures++
    this.#line()
    this.#line(`  ${this.#paint('red', 'FAILED')}  ${sentence}`)
  }

  /** Nothing is shown any more: the play was broken off. */
  close(): void {
    this.#closed = true
  }

  #paint(colour: Colour, text: string): string {
    return this.#colourful ? `\u001b[${COLOURS[colour]}m${text}\u001b[0m` : text
  }

  #line(text = ''): void {
    if (!this.#closed) this.#screen.write(`${text.trimEnd()}\n`)
  }
}

/** A reply as people read it: words bare, lists with commas. */
export function shown(reply: unknown): string {
  if (reply === null || reply === undefined) return '(nil)'
  if (Array.isArray(reply)) return reply.length === 0 ? '(empty)' : reply.map(shown).join(', ')
  return String(reply)
}

function quoted(word: string): string {
  return /^[^\s"']+$/.test(word) ? word : JSON.stringify(word)
}

function row([name = '', ...cells]: readonly string[]): string {
  return `  ${name.padEnd(NAME_COLUMNS)}${cells.map((cell) => cell.padEnd(CELL_COLUMNS)).join(' ')}`
}
