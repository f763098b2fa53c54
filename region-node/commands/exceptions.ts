/**
 * exceptions.ts: the commands of Redis 7.2 that are not here, and why. The reference page shows this table, and a
 * test compares it with what a redis-server lists.
 */

/** One reason for several commands. A container stands for its subcommands. */
export interface Exception {
  readonly commands: readonly string[]
  readonly reason: string
}

export const EXCEPTIONS: readonly Exception[] = [
  {
    commands: ['psync', 'sync', 'replconf'],
    reason:
      "Replicas follow the sync protocol (sync/PROTOCOL.md), not Redis's: REPLICAOF takes a Causeway node.",
  },
  {
    commands: ['restore-asking', 'migrate'],
    reason: 'Keys do not move between nodes one by one; DUMP and RESTORE copy one.',
  },
  {
    commands: ['module|load', 'module|loadex', 'module|unload'],
    reason: 'There are no modules: all types have to be known to every region.',
  },
  {
    commands: ['latency|graph'],
    reason: 'A drawing. LATENCY HISTORY has its figures.',
  },
]
