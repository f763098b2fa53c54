/**
 * host.ts: what the command line needs of the process it runs in.
 *
 * The real one is made by main.ts; tests pass their own, so that every path of the command line,
 * signals and exit codes included, runs inside a test.
 */
import type { Settings } from '../config.ts'
import type { CoordinatorSettings } from '../coordinator/open.ts'
import type { Coordinator } from '../coordinator/port.ts'
import type { Env } from '../env.ts'
import type { StartChild } from '../machine/children.ts'
import type { AskNode } from './node-client.ts'

export interface RunningNode {
  /** Ends the node in order: clients, log, peers. `reason` is for the log. */
  stop(reason: string): Promise<void>
  /** Settles when the node has ended, however it came to that; rejects with a StartError when its data refuse a start. */
  readonly stopped: Promise<{ exitCode: number }>
}

/** Resolves when the node answers clients, if only with LOADING. @throws StartError, or an error that nobody foresaw */
export type StartNode = (settings: Settings) => Promise<RunningNode>

export interface CliHost {
  readonly env: Env
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Writes to standard output. */
  print(text: string): void
  /** Writes to standard error. */
  complain(text: string): void
  /** Calls `listener` on each SIGTERM and SIGINT. */
  onSignal(listener: (name: string) => void): void
  /** Ends the process at once. */
  exitNow(code: number): void
  readonly startNode: StartNode
  /** Says commands to a node that runs. */
  readonly askNode: AskNode
  /** @param deadlineMs  longest wait for a call; some seconds otherwise @throws DiskError */
  openCoordinator(settings: CoordinatorSettings, deadlineMs?: number): Coordinator
  /** Starts a node as a process of its own. */
  readonly startChild: StartChild
  /** Lines like those of a node, with these fields. @returns writes a sentence */
  openLog(fields: Readonly<Record<string, string>>): (sentence: string) => void
}
