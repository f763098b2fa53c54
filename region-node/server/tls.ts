/**
 * tls.ts: what clients are met with on the TLS port, and other nodes with `tls-replication`: certificates from files,
 * and who has to show one of his own.
 *
 * Names and defaults are Redis's. Files are read when the node starts and whenever one of the settings changes:
 * a renewed certificate is taken up by CONFIG SET of the same path, and by connections that are made from then on.
 */
import { createSecureContext, type SecureContextOptions, type TlsOptions } from 'node:tls'
import type { LinkTls } from '../../sync/transport-ws.ts'
import type { SettingValues } from '../config/table.ts'
import { type Disk, DiskError } from '../env.ts'

/** Settings that change what new connections are met with. */
export const TLS_SETTINGS = [
  'tls-cert-file',
  'tls-key-file',
  'tls-key-file-pass',
  'tls-ca-cert-file',
  'tls-ca-cert-dir',
  'tls-auth-clients',
  'tls-protocols',
  'tls-ciphers',
  'tls-ciphersuites',
] as const

type TlsSettings = Pick<SettingValues, (typeof TLS_SETTINGS)[number]>

const PROTOCOLS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const
type Protocol = (typeof PROTOCOLS)[number]
const CERTIFICATE_FILE = /\.(pem|crt|cer)$/

/** Something about TLS that an operator has to mend: a sentence for him. */
export class TlsError extends Error {}

/** Towards whoever connects. @throws TlsError when a file is missing, or the settings do not go together */
export function tlsOptions(settings: TlsSettings, disk: Disk): TlsOptions {
  const context = contextOf(settings, disk)
  const who = settings['tls-auth-clients']
  if (who === 'yes' && context.ca === undefined) {
    throw new TlsError(
      'tls-auth-clients yes needs to know whose certificates to trust: set tls-ca-cert-file or tls-ca-cert-dir, ' +
        'or set tls-auth-clients no',
    )
  }
  return {
    ...context,
    requestCert: who !== 'no' && context.ca !== undefined,
    rejectUnauthorized: who === 'yes',
  }
}

/** For links with other nodes: whoever is dialed has to show a certificate that is trusted, and that names his address. */
export function linkTls(settings: TlsSettings, disk: Disk): LinkTls {
  const secureContext = createSecureContext(contextOf(settings, disk))
  return { server: tlsOptions(settings, disk), client: { secureContext } }
}

function contextOf(settings: TlsSettings, disk: Disk): SecureContextOptions {
  const cert = fileOf('tls-cert-file', settings, disk)
  const key = fileOf('tls-key-file', settings, disk)
  if (cert === undefined || key === undefined) {
    throw new TlsError('TLS needs a certificate: set tls-cert-file and tls-key-file')
  }
  const ca = authorities(settings, disk)
  const { lowest, highest } = protocolsOf(settings['tls-protocols'])
  const ciphers = [settings['tls-ciphersuites'], settings['tls-ciphers']].filter((names) => names !== '')
  return {
    cert,
    key,
    minVersion: lowest,
    maxVersion: highest,
    ...(ca.length > 0 ? { ca } : {}),
    ...(ciphers.length > 0 ? { ciphers: ciphers.join(':') } : {}),
    ...(settings['tls-key-file-pass'] === '' ? {} : { passphrase: settings['tls-key-file-pass'] }),
  }
}

function authorities(settings: TlsSettings, disk: Disk): Buffer[] {
  const one = fileOf('tls-ca-cert-file', settings, disk)
  const folder = settings['tls-ca-cert-dir']
  const names = folder === '' ? [] : disk.list(folder).filter((name) => CERTIFICATE_FILE.test(name))
  const others = names.map((name) => read('tls-ca-cert-dir', `${folder}/${name}`, disk))
  return one === undefined ? others : [one, ...others]
}

function fileOf(
  name: 'tls-cert-file' | 'tls-key-file' | 'tls-ca-cert-file',
  settings: TlsSettings,
  disk: Disk,
): Buffer | undefined {
  return settings[name] === '' ? undefined : read(name, settings[name], disk)
}

function read(name: string, path: string, disk: Disk): Buffer {
  try {
    const bytes = disk.readFile(path)
    if (bytes !== undefined) return Buffer.from(bytes)
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    throw new TlsError(`${name} cannot be read: ${error.message}`)
  }
  throw new TlsError(`${name} names a file that does not exist: ${path}`)
}

/** Redis names every protocol that may be spoken; Node takes the lowest and the highest. */
function protocolsOf(text: string): { readonly lowest: Protocol; readonly highest: Protocol } {
  const wanted = text.split(/\s+/).filter((word) => word !== '')
  const known = PROTOCOLS.filter((name) => wanted.some((word) => word.toLowerCase() === name.toLowerCase()))
  if (wanted.length > known.length) throw new TlsError(`tls-protocols may name: ${PROTOCOLS.join(' ')}`)
  return { lowest: known[0] ?? 'TLSv1.2', highest: known.at(-1) ?? 'TLSv1.3' }
}
