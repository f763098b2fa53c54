/**
 * node-talk.ts: asks a node that may want a password, at its plain port or that for TLS, and says its refusals as
 * sentences for people.
 */
import { textToWord, wordToText } from '../config/kinds.ts'
import { type Reply, RespError } from '../resp/parse-reply.ts'
import type { CliHost } from './host.ts'
import type { NodeAccess } from './node-access.ts'
import { AskError, type NodeAddress } from './node-client.ts'
import { addressText } from './words.ts'

/** Where clients reach a node; port 0: not so. */
export interface NodeDoors {
  readonly host: string
  readonly port: number
  readonly tlsPort: number
}

/** The port at which the node speaks as we do. @throws AskError when it has none */
export function doorOf({ host, port, tlsPort }: NodeDoors, { tls }: NodeAccess): NodeAddress {
  if (tls === undefined && port === 0)
    throw new AskError(`${addressText({ host, port: tlsPort })} takes only TLS: add --tls`)
  if (tls !== undefined && tlsPort === 0)
    throw new AskError(
      `${addressText({ host, port })} takes no TLS: speak to it without, or give it a tls-port`,
    )
  return { host, port: tls === undefined ? port : tlsPort }
}

/** @returns the reply to each command; refusals are among them. @throws AskError when the node lets nobody in */
export async function converse(
  host: CliHost,
  address: NodeAddress,
  access: NodeAccess,
  commands: readonly (readonly string[])[],
): Promise<Reply[]> {
  const { password, tls } = access
  const login = password === undefined ? [] : [['AUTH', textToWord(password)]]
  const replies = await host.askNode(address, [...login, ...commands], tls)
  const closed = replies.find((reply) => reply instanceof RespError && /^(NOAUTH|WRONGPASS)/.test(reply.line))
  if (closed !== undefined) {
    const what = password === undefined ? 'asks for a password: give it' : 'refuses the password: correct it'
    throw new AskError(`${addressText(address)} ${what} with --password, or as CAUSEWAY_REQUIREPASS`)
  }
  return replies.slice(login.length)
}

/** One command that has to succeed. @throws AskError with the node's own sentence */
export async function say(
  host: CliHost,
  address: NodeAddress,
  access: NodeAccess,
  command: readonly string[],
): Promise<Reply> {
  const [reply] = await converse(host, address, access, [command])
  if (reply instanceof RespError) throw new AskError(`${addressText(address)}: ${sentenceOf(reply)}`)
  return reply!
}

/** Without the code that clients look at. */
export function sentenceOf({ line }: RespError): string {
  return wordToText(line.slice(line.indexOf(' ') + 1))
}
