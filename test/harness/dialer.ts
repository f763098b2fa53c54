/**
 * dialer.ts: whose end of a connection within this machine the other one is: Linux tells it in /proc.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { Socket } from 'node:net'

/** Fields of a line of /proc/net/tcp. */
const LOCAL = 1
const REMOTE = 2
const INODE = 9

/** One of these processes has made the connection that was accepted as `near`. */
export function isDialedBy(near: Socket, pids: readonly number[]): boolean {
  const socket = inodeOf(near.remotePort ?? 0, near.localPort ?? 0)
  return socket !== undefined && pids.some((pid) => holds(pid, `socket:[${socket}]`))
}

/** Of the socket that is at `port` and connected with `otherPort`. */
function inodeOf(port: number, otherPort: number): string | undefined {
  const [own, other] = [inHex(port), inHex(otherPort)]
  for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n')) {
    const fields = line.trim().split(/\s+/)
    if (fields[LOCAL]?.endsWith(own) === true && fields[REMOTE]?.endsWith(other) === true)
      return fields[INODE]
  }
  return undefined
}

function inHex(port: number): string {
  return `:${port.toString(16).toUpperCase().padStart(4, '0')}`
}

function holds(pid: number, name: string): boolean {
  const folder = `/proc/${pid}/fd`
  try {
    return readdirSync(folder).some((fd) => linkOf(`${folder}/${fd}`) === name)
  } catch {
    // The process has ended.
    return false
  }
}

/** A file may be closed while the others are looked at. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
