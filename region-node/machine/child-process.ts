/**
 * child-process.ts: nodes as child processes of a machine.
 *
 * They end with it. A node that outlived its machine would be watched by nobody, would hold its port and its folder
 * against the machine's next life, and would go on after whoever stopped or killed the machine takes its nodes for
 * gone. So each has a channel to this process, which the kernel closes when this process ends, however that happens:
 * the node then stops in order (`main.ts`), and a primary hands over to another machine first. The next life of this
 * machine may come while it still does: the lock of the folder keeps the two apart (`copy.ts`).
 *
 * They belong to the machine's process group: what is meant for the machine as a whole, a terminal's Ctrl-C or a kill of
 * the group, reaches all of them.
 */
import { spawn } from 'node:child_process'
import { MALLOC_ENV } from '../malloc-env.ts'
import type { Child } from './children.ts'

export function startChildProcess(words: readonly string[], ended: (how: string) => void): Child {
  // What runs the machine runs the nodes: the same program, by the same flags.
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, 'node', ...words], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...MALLOC_ENV, ...process.env },
  })
  let hasEnded = false
  const end = (how: string): void => {
    if (hasEnded) return
    hasEnded = true
    ended(how)
  }
  child.once('error', ({ message }) => {
    // The end of one that runs is told by its exit.
    if (child.pid === undefined) end(message)
  })
  child.once('exit', (code, signal) => end(signal === null ? `exit code ${code}` : signal))
  return {
    stop: () => void child.kill('SIGTERM'),
    kill: () => void child.kill('SIGKILL'),
  }
}
