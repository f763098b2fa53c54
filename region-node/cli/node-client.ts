/**
 * node-client.ts: says some commands to a running node, for the subcommands that change or show one.
 *
 * One connection, plain or inside TLS, the commands in one go, their replies, the end. One of the few places that open
 * sockets. Inside TLS a node has to show a certificate for the name or the address that it is reached at, as nodes do
 * to each other (`tls-replication`).
 */
import { connect, isIP, type Socket } from 'node:net'
import { type SecureContext, connect as tlsConnect } from 'node:tls'
import type { Env } from '../env.ts'
import { type Reply, ReplyParser } from '../resp/parse-reply.ts'
import { requestText } from '../resp/request.ts'

/** A node that does not answer by then is not there, or not well. */
const ANSWER_MS_MAX = 10_000

export interface NodeAddress {
  readonly host: string
  readonly port: number
}

/** What is shown to nodes inside TLS, and which of theirs is trusted. */
export interface NodeTls {
  readonly secureContext: SecureContext
  /** False: any certificate will do, of whatever name. */
  readonly rejectUnauthorized: boolean
  /** Where to say whose signatures are trusted, and which certificate is shown: for people. */
  readonly said: { readonly trusted: string; readonly shown: string }
}

/**
 * @param commands  words of one latin1 character per byte
 * @param tls  undefined: without TLS
 * @returns the reply to each. @throws AskError
 */
export type AskNode = (
  address: NodeAddress,
  commands: readonly (readonly string[])[],
  tls: NodeTls | undefined,
) => Promise<Reply[]>

/** The node cannot be reached, or does not answer; the message says so in one sentence, for people. */
export class AskError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'AskError'
  }
}

export function nodeClient(env: Env): AskNode {
  return (address, commands, tls) =>
    new Promise((resolve, reject) => {
      const { host, port } = address
      const replies: Reply[] = []
      const parser = new ReplyParser()
      const socket = tls === undefined ? connect(port, host) : secured(address, tls)
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
      socket.on('error', (error) => fail(failureOf(error, address, tls)))
      socket.on('close', () => {
        const isMute = replies.length === 0
        fail(`the node at ${host}:${port} closed the connection${isMute ? guessOf(tls) : ''}`)
      })
      socket.on(tls === undefined ? 'connect' : 'secureConnect', () =>
        socket.write(commands.map(requestText).join(''), 'latin1'),
      )
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

function secured({ host, port }: NodeAddress, { secureContext, rejectUnauthorized }: NodeTls): Socket {
  // Names are told to the other side, which may have several certificates; an address may not be told.
  const name = isIP(host) === 0 ? { servername: host } : {}
  return tlsConnect({ host, port, secureContext, rejectUnauthorized, ...name })
}

/** Why a connection was not made, or was cut, and what to do. */
function failureOf(
  error: Error & { readonly code?: string; readonly reason?: string },
  { host, port }: NodeAddress,
  tls: NodeTls | undefined,
): string {
  const place = `${host}:${port}`
  const { code = '', message } = error
  if (code === 'ECONNRESET') return `cannot reach a node at ${place}: ${message}${guessOf(tls)}`
  if (tls === undefined) return `cannot reach a node at ${place}: ${message}`
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER')
    return `no TLS is spoken at ${place}: name the port for clients that speak TLS (tls-port)`
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `${place} shows a certificate that does not name ${host}: reach it by a name that is in it, or renew it`
  if (/EXPIRED|NOT_YET_VALID/.test(code))
    return `${place} shows a certificate that does not count (${message}): renew it, and look at both clocks`
  if (/^(SELF_SIGNED|DEPTH_ZERO|UNABLE_TO|CERT)_/.test(code))
    return `${place} shows a certificate that is not trusted (${message}): name who signed it with ${tls.said.trusted}`
  // What OpenSSL says of itself is for those who work on it: the reason is the part for others.
  return `cannot reach a node at ${place}: ${error.reason ?? message}${code.includes('ALERT') ? guessOf(tls) : ''}`
}

/** Whoever speaks no TLS where it is spoken, or shows no certificate that counts, is not told so. */
function guessOf(tls: NodeTls | undefined): string {
  if (tls === undefined) return '; is TLS spoken there (--tls)?'
  return `; does it want a certificate that it trusts (${tls.said.shown})?`
}
