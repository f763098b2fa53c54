/**
 * node-client.ts: says some commands to a running node, for the subcommands that change or show one.
 *
 * One connection, the commands in one go, their replies, the end. One of the few places that open sockets.
 */
import { connect } from 'node:net'
import type { Env } from '../env.ts'
import { type Reply, ReplyParser } from '../resp/parse-reply.ts'
import { requestText } from '../resp/request.ts'

/** A node that does not answer by then is not there, or not well. */
const ANSWER_MS_MAX = 10_000

export interface NodeAddress {
  readonly host: string
  readonly port: number
}

/** @param commands  words of one latin1 character per byte @returns the reply to each. @throws AskError */
export type AskNode = (address: NodeAddress, commands: readonly (readonly string[])[]) => Promise<Reply[]>

/** The node cannot be reached, or does not answer; the message says so in one sentence, for people. */
export class AskError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'AskError'
  }
}

export function nodeClient(env: Env): AskNode {
  return ({ host, port }, commands) =>
    new Promise((resolve, reject) => {
      const replies: Reply[] = []
      const parser = new ReplyParser()
      const socket = connect(port, host)
      const timer = env.after(ANSWER_MS_MAX, () => {
        fail(`${host}:${port} has not answered for ${ANSWER_MS_MAX / 1000} seconds`)
      })
      const end = (): void => {
        timer.cancel()
        socket.destroy()
      }
      const fail = (sentence: string): void => {
        end()
        reject(new AskError(sentence))
      }
      socket.setEncoding('latin1')
      socket.on('error', ({ message }) => fail(`cannot reach a node at ${host}:${port}: ${message}`))
      socket.on('close', () => fail(`the node at ${host}:${port} closed the connection`))
      socket.on('connect', () => socket.write(commands.map(requestText).join(''), 'latin1'))
      socket.on('data', (text: string) => {
        try {
          parser.feed(text)
          for (let reply = parser.next(); reply !== undefined; reply = parser.next())
            replies.push(reply.value)
        } catch {
          fail(`what answers at ${host}:${port} is no node: name the port for Redis clients with --to`)
          return
        }
        if (replies.length < commands.length) return
        end()
        resolve(replies)
      })
    })
}
