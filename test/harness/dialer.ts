/**
 * dialer.ts: whose end of a connection within this machine the other one is: Linux tells it in /proc. That takes some
 * milliseconds, in which whoever asks may do something else.
 */
import { readdir, readFile, readlink } from 'node:fs/promises'
import type { Socket } from 'node:net'

/** Fields of a line of /proc/net/tcp. */
const LOCAL = 1
const REMOTE = 2
const INODE = 9

/** One of these processes has made the connection that was accepted as `near`. */
export async function isDialedBy(near: Socket, pids: readonly number[]): Promise<boolean> {
  const socket = await inodeOf(near.remotePort ?? 0, near.localPort ?? 0)
  if (socket === undefined) return false
  const all = await Promise.all(pids.map((pid) => holds(pid, `socket:[${socket}]`)))
  return all.includes(true)
}

/** Of the socket that is at `port` and connected with `otherPort`. */
async function inodeOf(port: number, otherPort: number): Promise<string | undefined> {
  const [own, other] = [inHex(port), inHex(otherPort)]
  const connections = await readFile('/proc/net/tcp', 'latin1')
  for (const line of connections.split('\n')) {
    if (!line.includes(own)) continue
    const fields = line.trim().split(/\s+/)
    if (fields[LOCAL]?.endsWith(own) === true && fields[REMOTE]?.endsWith(other) === true)
      return fields[INODE]
  }
  return undefined
}

function inHex(port: number): string {
  return `:${port.toString(16).toUpperCase().padStart(4, '0')}`
}

async function holds(pid: number, name: string): Promise<boolean> {
  const folder = `/proc/${pid}/fd`
  try {
    const links = await Promise.all((await readdir(folder)).map((fd) => linkOf(`${folder}/${fd}`)))
    return links.includes(name)
  } catch {
    // The process has ended.
    return false
  }
}

/** A file may be closed while the others are looked at. */
async function linkOf(path: string): Promise<string> {
  try {
    return await readlink(path)
  } catch {
    return ''
  }
}
