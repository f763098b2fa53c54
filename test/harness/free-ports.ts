/**
 * free-ports.ts: ports that nobody listens on, for processes that a test starts and restarts.
 *
 * They lie below the range from which systems take the ports of outgoing connections. A port of that
 * range may be taken by any connection while its node is down; and a dial to it on the own machine can
 * meet itself, so that a node seems to answer where none runs.
 */
import { createServer } from 'node:net'

const FIRST = 10_000
const LAST = 31_999
const TRIES_MAX = 1000

/** Ports given to one test must not be given to another one of the same process. */
const given = new Set<number>()

export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  for (let tries = 0; ports.length < count; tries++) {
    if (tries === TRIES_MAX) throw new Error(`no free port found between ${FIRST} and ${LAST}`)
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1))
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    ports.push(port)
  }
  return ports
}

/** So many ports one after another. @returns the first of them */
export async function freePortRun(count: number): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const first = FIRST + Math.floor(Math.random() * (LAST - FIRST + 2 - count))
    const run = Array.from({ length: count }, (_, at) => first + at)
    if (run.some((port) => given.has(port))) continue
    const areFree = await Promise.all(run.map(isFree))
    if (areFree.includes(false)) continue
    for (const port of run) given.add(port)
    return first
  }
  throw new Error(`no ${count} free ports in a row found between ${FIRST} and ${LAST}`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}
