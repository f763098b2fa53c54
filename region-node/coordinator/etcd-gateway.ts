/**
 * etcd-gateway.ts: talks to the members of an etcd through their JSON gateways, one after another.
 *
 * A client of etcd must have deadlines of its own: a member without a quorum holds a call for seven seconds, and
 * one that is frozen holds it for ever. So each member is given `attemptMs`; then the next one is asked, unless
 * the call must not be made twice. A call ends after one round, or at `deadlineMs`.
 *
 * What went wrong is told apart by what it says of the call: it did not leave (`unsent`), etcd refused to do it
 * (`refused`), or nobody knows (`unclear`).
 *
 * Certificates of a private authority are known to Node by NODE_EXTRA_CA_CERTS; a certificate of the client cannot
 * be shown.
 *
 * Invariant: after `close` nothing is under way.
 */
import type { Env } from '../env.ts'
import type { Answer } from './port.ts'

export interface EtcdSettings {
  /** `http://host:2379` or `https://...`, at least one. */
  readonly endpoints: readonly string[]
  /** Stands before every key. A user needs the permission to read and write what begins so. */
  readonly root: string
  readonly credentials?: EtcdCredentials
  /** Longest wait for one member, milliseconds. A third of the shortest lease, or less. */
  readonly attemptMs: number
  /** Longest wait for a call, milliseconds. */
  readonly deadlineMs: number
}

export interface EtcdCredentials {
  readonly user: string
  readonly password: string
}

export type GatewayClock = Pick<Env, 'monoMs' | 'after'>

/** Asks the member that this attempt is for. @throws EtcdError */
export type Ask = <Reply>(path: string, body: object) => Promise<Reply>

export class EtcdError extends Error {
  readonly outcome: 'unsent' | 'refused' | 'unclear'
  /** As gRPC numbers them; -1 when etcd did not say. */
  readonly code: number

  constructor(outcome: EtcdError['outcome'], message: string, code = -1) {
    super(message)
    this.name = 'EtcdError'
    this.outcome = outcome
    this.code = code
  }
}

export const NOT_FOUND = 5
const INVALID_ARGUMENT = 3
const UNAUTHENTICATED = 16
/**
 * INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, FAILED_PRECONDITION, OUT_OF_RANGE, UNIMPLEMENTED,
 * UNAUTHENTICATED. Not RESOURCE_EXHAUSTED: the change that fills etcd's quota is made, and answered with an error.
 */
const REFUSALS: ReadonlySet<number> = new Set([INVALID_ARGUMENT, NOT_FOUND, 6, 7, 9, 11, 12, UNAUTHENTICATED])

/** No connection came about. */
const UNSENT: ReadonlySet<string> = new Set([
  ...['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENOTFOUND', 'EAI_AGAIN'],
  ...[
    'UND_ERR_CONNECT_TIMEOUT',
    'CERT_HAS_EXPIRED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
  ],
  ...['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'ERR_TLS_CERT_ALTNAME_INVALID'],
])

const CLOSED = 'the client is closed'

export class EtcdGateway {
  readonly settings: EtcdSettings
  readonly clock: GatewayClock
  readonly #underWay = new Set<AbortController>()
  /** The member that is asked first: the last one that did not fail. */
  #current = 0
  #token: string | undefined
  #isClosed = false

  constructor(settings: EtcdSettings, clock: GatewayClock) {
    this.settings = settings
    this.clock = clock
  }

  get endpoint(): string {
    return this.settings.endpoints[this.#current]!
  }

  /** Does `work` with one member, and if it fails with the next one. `once`: not if it may have been done. */
  async perform<Result>(
    how: 'repeatable' | 'once',
    work: (ask: Ask) => Promise<Result>,
  ): Promise<Answer<Result>> {
    const { endpoints, attemptMs, deadlineMs } = this.settings
    const endMs = this.clock.monoMs() + deadlineMs
    const first = this.#current
    let code: 'timeout' | 'unavailable' = 'unavailable'
    let sentence = ''
    for (let tries = 0; tries < endpoints.length; tries++) {
      const leftMs = endMs - this.clock.monoMs()
      if (leftMs <= 0) break
      const endpoint = endpoints[(first + tries) % endpoints.length]!
      try {
        return { ok: true, result: await this.attempt(endpoint, work, Math.min(attemptMs, leftMs)) }
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error
        sentence = error.message
        if (error.outcome === 'refused') break
        this.leave(endpoint)
        if (error.outcome === 'unclear') code = 'timeout'
        if (code === 'timeout' && how === 'once') break
      }
    }
    return { ok: false, failure: { code, sentence } }
  }

  /** Does `work` with this member only. @throws EtcdError */
  attempt<Result>(
    endpoint: string,
    work: (ask: Ask) => Promise<Result>,
    ms = this.settings.attemptMs,
  ): Promise<Result> {
    return this.#abortable(async (controller) => {
      const tooLate = new EtcdError('unclear', `${endpoint} did not answer within ${Math.ceil(ms)} ms`)
      const timer = this.clock.after(ms, () => controller.abort(tooLate))
      try {
        return await work(async <Reply>(path: string, body: object) => {
          const response = await this.#post(endpoint, path, body, controller.signal)
          return parsed(await textOf(response, controller.signal)) as Reply
        })
      } finally {
        timer.cancel()
      }
    })
  }

  /**
   * Hands on what a member streams, one JSON text each line, until the stream ends.
   * @param begun  is given what ends it, with the reason to throw
   * @throws EtcdError
   */
  stream(
    endpoint: string,
    path: string,
    body: object,
    begun: (abort: (reason: EtcdError) => void) => void,
    take: (frame: unknown) => void,
  ): Promise<void> {
    return this.#abortable(async (controller) => {
      begun((reason) => controller.abort(reason))
      const response = await this.#post(endpoint, path, body, controller.signal)
      for await (const line of linesOf(response, controller.signal)) take(parsed(line))
    })
  }

  /** This member has failed: others are asked first. */
  leave(endpoint: string): void {
    if (this.endpoint === endpoint) this.#current = (this.#current + 1) % this.settings.endpoints.length
  }

  close(): void {
    this.#isClosed = true
    for (const controller of this.#underWay) controller.abort(new EtcdError('unclear', CLOSED))
  }

  async #abortable<Result>(work: (controller: AbortController) => Promise<Result>): Promise<Result> {
    if (this.#isClosed) throw new EtcdError('unsent', CLOSED)
    const controller = new AbortController()
    this.#underWay.add(controller)
    try {
      return await work(controller)
    } finally {
      this.#underWay.delete(controller)
      // Ends what was not read to its end.
      controller.abort()
    }
  }

  /** With a token, where there are credentials; once more with a new one when etcd does not know it any more. */
  async #post(endpoint: string, path: string, body: object, signal: AbortSignal): Promise<Response> {
    const { credentials } = this.settings
    if (credentials === undefined) return post(endpoint, path, body, '', signal)
    const token = this.#token ?? (await this.#authenticate(endpoint, credentials, signal))
    try {
      return await post(endpoint, path, body, token, signal)
    } catch (error) {
      if (!(error instanceof EtcdError && isStaleToken(error))) throw error
      return post(endpoint, path, body, await this.#authenticate(endpoint, credentials, signal), signal)
    }
  }

  /** Several calls at once may each do so; any of the tokens serves all. */
  async #authenticate(
    endpoint: string,
    { user, password }: EtcdCredentials,
    signal: AbortSignal,
  ): Promise<string> {
    const response = await post(endpoint, '/v3/auth/authenticate', { name: user, password }, '', signal)
    const { token } = parsed(await textOf(response, signal)) as { token: string }
    this.#token = token
    return token
  }
}

async function post(
  endpoint: string,
  path: string,
  body: object,
  token: string,
  signal: AbortSignal,
): Promise<Response> {
  let response: Response
  try {
    response = await fetch(endpoint + path, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: token === '' ? {} : { Authorization: token },
      redirect: 'error',
      signal,
    })
  } catch (error) {
    throw failureOf(error, signal, endpoint)
  }
  if (!response.ok) throw refusalOf(endpoint, response.status, await textOf(response, signal))
  return response
}

async function textOf(response: Response, signal: AbortSignal): Promise<string> {
  let text = ''
  for await (const part of partsOf(response, signal)) text += part
  return text
}

async function* linesOf(response: Response, signal: AbortSignal): AsyncGenerator<string> {
  let rest = ''
  for await (const part of partsOf(response, signal)) {
    const lines = (rest + part).split('\n')
    rest = lines.pop()!
    yield* lines
  }
}

/**
 * What comes, as it comes.
 *
 * The body is cancelled by hand. Once a response is there, what ties the signal to its body is held weakly, and may
 * be collected as garbage (undici 6): after that, a stream of a frozen member would never end.
 * @throws EtcdError  the reason of the signal, for one
 */
async function* partsOf({ body, url }: Response, signal: AbortSignal): AsyncGenerator<string> {
  if (body === null) return
  const decoder = new TextDecoder()
  const chunks = body.getReader()
  const cancel = (): void => void chunks.cancel().catch(() => {})
  signal.addEventListener('abort', cancel)
  try {
    while (!signal.aborted) {
      const { done, value } = await chunks.read()
      if (done) break
      yield decoder.decode(value, { stream: true })
    }
  } catch (error) {
    throw failureOf(error, signal, url)
  } finally {
    signal.removeEventListener('abort', cancel)
    cancel()
  }
  if (signal.aborted) throw signal.reason
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new EtcdError('unclear', `this is not an answer of etcd: ${text.slice(0, 80)}`)
  }
}

function failureOf(error: unknown, signal: AbortSignal, where: string): EtcdError {
  if (signal.aborted) return signal.reason as EtcdError
  const { cause = error } = error as { cause?: unknown }
  const { code = '', message = '' } = cause as { code?: string; message?: string }
  const why = message === '' ? code : message
  return new EtcdError(UNSENT.has(code) ? 'unsent' : 'unclear', `${where} cannot be reached: ${why}`)
}

function refusalOf(endpoint: string, status: number, text: string): EtcdError {
  let said: { code?: number; message?: string; error?: string } = {}
  try {
    said = JSON.parse(text) as typeof said
  } catch {
    // Something else than etcd answers there.
  }
  const { code = -1, message = said.error ?? `HTTP status ${status}` } = said
  return new EtcdError(REFUSALS.has(code) ? 'refused' : 'unclear', `${endpoint}: ${message}`, code)
}

/** It has expired, its member was started anew, or users were changed since. */
function isStaleToken({ code, message }: EtcdError): boolean {
  return code === UNAUTHENTICATED || (code === INVALID_ARGUMENT && message.includes('auth store is old'))
}
