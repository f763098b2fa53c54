/**
 * node-talk.ts: asks a node that may want a password, and says its refusals as sentences for people.
 */
import { textToWord, wordToText } from '../config/kinds.ts'
import { type Reply, RespError } from '../resp/parse-reply.ts'
import type { CliHost } from './host.ts'
import { AskError, type NodeAddress } from './node-client.ts'
import { addressText } from './words.ts'

/** The password that was given, or that nodes themselves are given by the environment. */
export function passwordOf(given: string | undefined, { environment }: CliHost): string | undefined {
  return given ?? environment.CAUSEWAY_REQUIREPASS
}

/** @returns the reply to each command; refusals are among them. @throws AskError when the node lets nobody in */
export async function converse(
  host: CliHost,
  address: NodeAddress,
  password: string | undefined,
  commands: readonly (readonly string[])[],
): Promise<Reply[]> {
  const login = password === undefined ? [] : [['AUTH', textToWord(password)]]
  const replies = await host.askNode(address, [...login, ...commands])
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
  password: string | undefined,
  command: readonly string[],
): Promise<Reply> {
  const [reply] = await converse(host, address, password, [command])
  if (reply instanceof RespError) throw new AskError(`${addressText(address)}: ${sentenceOf(reply)}`)
  return reply!
}

/** Without the code that clients look at. */
export function sentenceOf({ line }: RespError): string {
  return wordToText(line.slice(line.indexOf(' ') + 1))
}
