/**
 * container.ts: commands that consist of subcommands, and the HELP that each of them has.
 */
import { assert } from '../../crdt/assert.ts'
import { type CommandDef, NO_KEYS } from './command.ts'

/** A row that only holds subcommands. The table asks for two words at least, so it never runs itself. */
export function container(
  row: Pick<CommandDef, 'name' | 'group' | 'since' | 'summary'> & {
    readonly subcommands: readonly CommandDef[]
  },
): CommandDef {
  return {
    ...row,
    arity: -2,
    flags: [],
    keys: NO_KEYS,
    complexity: 'Depends on subcommand.',
    run: () => assert(false, 'a container has no behaviour of its own'),
  }
}

/**
 * @param lines  each subcommand's usage, followed by its explanation indented by four spaces
 * @param categories  in place of the group's
 */
export function helpOf(
  command: string,
  group: CommandDef['group'],
  since: string,
  lines: readonly string[],
  categories?: readonly string[],
): CommandDef {
  const text = [
    `${command.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`,
    ...lines,
    'HELP',
    '    Prints this help.',
  ]
  return {
    name: `${command}|help`,
    arity: 2,
    flags: ['loading', 'stale'],
    keys: NO_KEYS,
    ...(categories === undefined ? {} : { categories }),
    group,
    since,
    summary: 'Returns helpful text about the different subcommands.',
    complexity: 'O(1)',
    run: ({ out }) => {
      out.array(text.length)
      for (const line of text) out.simple(line)
    },
  }
}
