/**
 * table.ts: the one table of commands.
 *
 * Names are found as clients mostly write them, all lower or all upper case, without converting; any
 * other spelling is converted once and looked up again.
 */
import { errors } from '../errors.ts'
import type { CommandDef } from './command.ts'

export interface FoundCommand extends CommandDef {
  readonly byName: ReadonlyMap<string, FoundCommand> | undefined
  /** Subcommands have their container here. */
  readonly container: string | undefined
}

export class CommandTable {
  readonly #bySpelling = new Map<string, FoundCommand>()
  readonly #commands: FoundCommand[] = []

  constructor(families: readonly (readonly CommandDef[])[]) {
    for (const family of families) {
      for (const command of family) {
        const found = prepare(command, undefined)
        if (this.#bySpelling.has(command.name))
          throw new RangeError(`command '${command.name}' is listed twice`)
        this.#bySpelling.set(command.name, found)
        this.#bySpelling.set(command.name.toUpperCase(), found)
        this.#commands.push(found)
      }
    }
  }

  /** Top-level commands in the order of the families. */
  get commands(): readonly FoundCommand[] {
    return this.#commands
  }

  get(name: string): FoundCommand | undefined {
    return this.#bySpelling.get(name) ?? this.#bySpelling.get(name.toLowerCase())
  }

  /**
   * The command, or the subcommand, that the words address, with a number of words it can take.
   * @throws CommandError in Redis's words when there is none or the number is wrong
   */
  find(words: readonly string[]): FoundCommand {
    const command = this.get(words[0]!)
    if (command === undefined) throw errors.unknownCommand(words)
    const found = command.byName === undefined ? command : findSubcommand(command, command.byName, words)
    const { arity } = found
    if (arity > 0 ? words.length !== arity : words.length < -arity) throw errors.wrongArity(found.name)
    return found
  }
}

function findSubcommand(
  command: FoundCommand,
  byName: ReadonlyMap<string, FoundCommand>,
  words: readonly string[],
): FoundCommand {
  // A container of its own arity 1 (COMMAND) answers when no subcommand is named.
  if (words.length < 2) return command
  const found = byName.get(words[1]!.toLowerCase())
  if (found === undefined) throw errors.unknownSubcommand(command.name, words[1]!)
  return found
}

function prepare(command: CommandDef, container: string | undefined): FoundCommand {
  const byName = command.subcommands?.map(
    (sub) => [sub.name.slice(sub.name.indexOf('|') + 1), prepare(sub, command.name)] as const,
  )
  const form: object = { ...FORM }
  return Object.assign(form, command, {
    container,
    byName: byName === undefined ? undefined : new Map(byName),
  })
}

/**
 * Every field that a row may have, in one order. Rows that leave out some, or order them otherwise, are of many
 * shapes to a JavaScript engine, and each look at the fields of a command took a search: 2 % of a node under INCR.
 */
const FORM: Readonly<Record<keyof FoundCommand, undefined>> = {
  name: undefined,
  arity: undefined,
  flags: undefined,
  keys: undefined,
  keysOf: undefined,
  categories: undefined,
  uses: undefined,
  channels: undefined,
  request: undefined,
  response: undefined,
  isOfConnection: undefined,
  group: undefined,
  since: undefined,
  summary: undefined,
  syntax: undefined,
  complexity: undefined,
  subcommands: undefined,
  run: undefined,
  byName: undefined,
  container: undefined,
}

/** The keys a command's words name. */
export function keysOf(command: CommandDef, words: readonly string[]): string[] {
  if (command.keysOf !== undefined) return command.keysOf(words)
  const { first, last, step } = command.keys
  if (first === 0) return []
  const end = last < 0 ? words.length + last : last
  const keys: string[] = []
  for (let i = first; i <= end && i < words.length; i += step) keys.push(words[i]!)
  return keys
}
