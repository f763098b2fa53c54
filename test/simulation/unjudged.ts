/**
 * unjudged.ts: the commands that write and whose replies the simulation does not judge, and why.
 */
import { commandTable } from '../../region-node/commands/families.ts'

/** Every command with the flag `write`, subcommands in place of their container, by its name in the table. */
export const WRITING: readonly string[] = commandTable.commands
  .flatMap((command) => command.subcommands ?? [command])
  .filter(({ flags }) => flags.includes('write'))
  .map(({ name }) => name)

/** One reason for several commands. */
interface Unjudged {
  /** By their names in the command table. */
  readonly commands: readonly string[]
  readonly reason: string
}

export const UNJUDGED: readonly Unjudged[] = [
  {
    commands: ['pfdebug'],
    reason: 'It tells and changes the form in which a node holds registers, and nothing of the data.',
  },
  {
    commands: ['crdt.region|add', 'crdt.region|remove'],
    reason: 'The faults join, leave and dark do what they do, and other checkers watch the regions.',
  },
  {
    commands: ['crdt.region|promote', 'crdt.region|demote'],
    reason: 'They are about the nodes of one region, which has a simulator of its own.',
  },
]
