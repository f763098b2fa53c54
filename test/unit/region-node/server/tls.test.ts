/**
 * tls.test.ts: the TLS door: who is let in, and what is said when the files are wrong.
 */
import { readFileSync } from 'node:fs'
import { connect as connectPlain } from 'node:net'
import { connect } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { User } from '../../../../region-node/acl/user.ts'
import { ClientListener } from '../../../../region-node/server/listener.ts'
import { tlsOptions } from '../../../../region-node/server/tls.ts'
import { NO_OUTPUT_LIMITS } from '../../../harness/no-output-limits.ts'
import {
  CERTIFICATE_DISK as disk,
  CERTIFICATES as FOLDER,
  tlsSettingsOf,
} from '../../../harness/tls-files.ts'

const SETTINGS = tlsSettingsOf('node')

const cleanUps: Array<() => unknown> = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

/** A listener that answers every command with OK, if it knows that its client speaks TLS. */
async function door(settings: Parameters<typeof tlsOptions>[0]): Promise<ClientListener> {
  const listener = new ClientListener(
    { host: '127.0.0.1', port: undefined, tls: { port: 0, options: tlsOptions(settings, disk) } },
    {
      env: { after: () => ({ cancel() {} }), defer: (task) => setImmediate(task), wallMs: () => 0 },
      sink: {
        open: (session) => {
          session.user = new User('default')
        },
        execute: (session) => (session.isTls ? session.out.ok() : session.out.simple('PLAIN')),
        close: () => {},
      },
      turn: { touch: (connection) => setImmediate(() => connection.flush()) },
      limits: {
        clientsMax: 10,
        isProtected: () => false,
        keepaliveSeconds: 0,
        bulkBytesMax: 1 << 20,
        wordsMax: 1000,
        queryBytesMax: 1 << 20,
        output: NO_OUTPUT_LIMITS,
        idleSecondsMax: 0,
      },
      log: { warn: () => {} },
      peers: undefined,
    },
  )
  await listener.listen()
  cleanUps.push(() => listener.close())
  return listener
}

/** @returns what a client hears that sends a PING; an error's code when it is not let in */
function ping(port: number, as?: 'client' | 'stranger'): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: readFileSync(`${FOLDER}/ca.pem`),
      ...(as === undefined
        ? {}
        : { cert: readFileSync(`${FOLDER}/${as}.pem`), key: readFileSync(`${FOLDER}/${as}.key`) }),
    })
    let heard = ''
    socket.on('secureConnect', () => socket.write('PING\r\n'))
    socket.on('data', (bytes) => {
      heard += bytes
      socket.end()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    socket.on('close', () => resolve(heard))
  })
}

describe('the TLS door', () => {
  it('lets in who shows a certificate that is trusted', async () => {
    const { tlsPort } = await door(SETTINGS)
    expect(await ping(tlsPort, 'client')).toBe('+OK\r\n')
    expect(await ping(tlsPort, 'stranger')).not.toBe('+OK\r\n')
    expect(await ping(tlsPort)).not.toBe('+OK\r\n')
  })

  it('asks nobody for a certificate when told not to', async () => {
    const { tlsPort } = await door({ ...SETTINGS, 'tls-auth-clients': 'no' })
    expect(await ping(tlsPort)).toBe('+OK\r\n')
  })

  it('takes none, but no wrong one, where it is optional', async () => {
    const { tlsPort } = await door({ ...SETTINGS, 'tls-auth-clients': 'optional' })
    expect(await ping(tlsPort)).toBe('+OK\r\n')
    expect(await ping(tlsPort, 'client')).toBe('+OK\r\n')
    expect(await ping(tlsPort, 'stranger')).not.toBe('+OK\r\n')
  })

  it('takes up new certificates without a restart', async () => {
    const listener = await door({ ...SETTINGS, 'tls-auth-clients': 'no' })
    expect(await ping(listener.tlsPort)).toBe('+OK\r\n')
    listener.renewTls(
      tlsOptions(
        {
          ...SETTINGS,
          'tls-cert-file': `${FOLDER}/stranger.pem`,
          'tls-key-file': `${FOLDER}/stranger.key`,
          'tls-auth-clients': 'no',
        },
        disk,
      ),
    )
    expect(await ping(listener.tlsPort)).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
  })

  it('counts who speaks no TLS as rejected, and goes on', async () => {
    const listener = await door({ ...SETTINGS, 'tls-auth-clients': 'no' })
    await new Promise<void>((resolve) => {
      const socket = connectPlain(listener.tlsPort, '127.0.0.1', () => socket.write('PING\r\nPING\r\n'))
      socket.on('error', () => {})
      socket.on('close', () => resolve())
    })
    expect(listener.rejectedConnections).toBe(1)
    expect(await ping(listener.tlsPort)).toBe('+OK\r\n')
  })
})

describe('the files', () => {
  it.each([
    [{ 'tls-cert-file': '' }, 'TLS needs a certificate: set tls-cert-file and tls-key-file'],
    [{ 'tls-key-file': '/missing' }, 'tls-key-file names a file that does not exist: /missing'],
    [{ 'tls-ca-cert-file': '' }, 'tls-auth-clients yes needs to know whose certificates to trust'],
    [{ 'tls-protocols': 'TLSv1.2 SSLv3' }, 'tls-protocols may name: TLSv1 TLSv1.1 TLSv1.2 TLSv1.3'],
  ])('%j: %s', (wrong, sentence) => {
    expect(() => tlsOptions({ ...SETTINGS, ...wrong }, disk)).toThrow(sentence)
  })

  it('of a folder are all trusted', () => {
    const options = tlsOptions({ ...SETTINGS, 'tls-ca-cert-file': '', 'tls-ca-cert-dir': FOLDER }, disk)
    expect(options.ca).toHaveLength(4)
  })
})
