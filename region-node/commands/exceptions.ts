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
    commands: [
      'replicaof',
      'slaveof',
      'failover',
      'psync',
      'sync',
      'replconf',
      'restore-asking',
      'migrate',
      'waitaof',
    ],
    reason: 'Replicas inside a region are not built yet. Other regions are connected by `causeway region`.',
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
