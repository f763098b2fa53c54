/**
 * start-failure.ts: turns what stopped a start into one sentence, where a sentence can help.
 *
 * A StartError is a sentence already. The usual errors of the system (a busy port, a folder that
 * cannot be written) are explained here, in one place. Anything else is a defect of ours: it keeps
 * its stack.
 */
import { DiskError } from '../env.ts'
import { StartError } from '../start-error.ts'

/** The sentence for an error thrown by a start, or undefined for one that nobody foresaw. */
export function startFailure(error: unknown): string | undefined {
  if (error instanceof StartError) return error.message
  if (error instanceof DiskError) return diskSentence(error)
  if (error instanceof Error && 'syscall' in error && error.syscall === 'listen') return listenSentence(error)
  return undefined
}

function diskSentence({ code, message }: DiskError): string {
  const advice = DISK_ADVICE.get(code)
  return advice === undefined ? message : `${message}; ${advice}`
}

const DISK_ADVICE: ReadonlyMap<string, string> = new Map([
  ['EACCES', 'give this user the right to write there, or choose another folder with --dir'],
  ['EPERM', 'give this user the right to write there, or choose another folder with --dir'],
  ['EROFS', 'choose a folder that can be written with --dir'],
  ['ENOSPC', 'make room on the disk, or choose another folder with --dir'],
  ['EEXIST', 'a file is in the way: remove it, or choose another folder with --dir'],
  ['ENOTDIR', 'a file is in the way: remove it, or choose another folder with --dir'],
])

function listenSentence(error: Error): string {
  const { code, port, address } = error as Error & { code?: string; port?: number; address?: string }
  const place = `port ${port} on ${address}`
  if (code === 'EADDRINUSE') {
    return `${place} is in use by another program: end that program, or choose another port`
  }
  if (code === 'EACCES') return `${place} is not open to this user: choose a port above 1023`
  if (code === 'EADDRNOTAVAIL') {
    return `this machine has no address ${address}: set bind to one of its own, or to 127.0.0.1`
  }
  return `cannot listen on ${place}: ${error.message}`
}

/** What nobody foresaw, with its stack. */
export function describeDefect(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
