/**
 * node-access.ts: what lets the subcommands in at nodes: the password, and inside TLS whose certificates are trusted
 * and which one is shown. It comes from their words, or from what the environment gives to nodes themselves.
 */
import { createSecureContext } from 'node:tls'
import type { SettingValues } from '../config/table.ts'
import { type Disk, DiskError } from '../env.ts'
import { linkTls, TlsError } from '../server/tls.ts'
import { StartError } from '../start-error.ts'
import type { CliHost } from './host.ts'
import type { NodeTls } from './node-client.ts'
import { UsageError, type Words } from './words.ts'

export interface NodeAccess {
  /** Undefined: none is given. */
  readonly password: string | undefined
  /** Undefined: nodes are spoken to without TLS. */
  readonly tls: NodeTls | undefined
}

/** Options of every subcommand that speaks to nodes. */
export const ACCESS_OPTIONS = {
  password: 'one',
  tls: 'switch',
  cacert: 'one',
  cert: 'one',
  key: 'one',
  insecure: 'switch',
} as const

/** They are those of redis-cli. */
export const TLS_HELP = `  --tls                speaks TLS with the nodes, at their tls-port
  --cacert FILE        who signs their certificates, PEM (default: those whom Node.js trusts)
  --cert FILE, --key FILE   a certificate to show where nodes want one (tls-auth-clients), and its key, PEM
  --insecure           trusts whatever certificate a node shows
`

/** Behind the options. */
export const TLS_ADVICE = `With --tls a node has to show a certificate for the name or the address that it is reached at: that of the
command line, and for the nodes found from there the one that they announce (replica-announce-ip, or bind).
Files that the environment gives to nodes count here too: CAUSEWAY_TLS_CA_CERT_FILE, CAUSEWAY_TLS_CERT_FILE,
CAUSEWAY_TLS_KEY_FILE and CAUSEWAY_TLS_KEY_FILE_PASS.
`

const FILES = {
  cacert: 'CAUSEWAY_TLS_CA_CERT_FILE',
  cert: 'CAUSEWAY_TLS_CERT_FILE',
  key: 'CAUSEWAY_TLS_KEY_FILE',
} as const

/** A file, and where it was named. */
interface NamedFile {
  readonly name: string
  readonly path: string
}

/** @throws UsageError */
export function accessOf(words: Words, host: CliHost): NodeAccess {
  const password = words.get('password') ?? host.environment.CAUSEWAY_REQUIREPASS
  if (words.has('tls')) return { password, tls: tlsOf(words, host) }
  const stray = [...Object.keys(FILES), 'insecure'].find((option) => words.has(option))
  if (stray !== undefined) throw new UsageError(`--${stray} is for TLS: add --tls, or leave it out`)
  return { password, tls: undefined }
}

/**
 * The nodes of a machine, by their settings: as they reach each other.
 * @throws StartError when files of TLS cannot be used
 */
export function accessBySettings(values: SettingValues, disk: Disk): NodeAccess {
  const password = values.requirepass === '' ? undefined : values.requirepass
  if (!values['tls-replication']) return { password, tls: undefined }
  const said = { trusted: 'tls-ca-cert-file', shown: 'tls-cert-file and tls-key-file' }
  try {
    return { password, tls: { ...linkTls(values, disk).client, rejectUnauthorized: true, said } }
  } catch (error) {
    throw error instanceof TlsError ? new StartError(error.message) : error
  }
}

/** @throws UsageError */
function tlsOf(words: Words, { env: { disk }, environment }: CliHost): NodeTls {
  const [cacert, cert, key] = (['cacert', 'cert', 'key'] as const).map((option) =>
    named(option, words, environment),
  )
  const lonely = cert === undefined ? key : key === undefined ? cert : undefined
  if (lonely !== undefined) {
    const other = lonely === cert ? '--key FILE' : '--cert FILE'
    throw new UsageError(`${lonely.name} is half of what is shown: give ${other} too`)
  }
  const passphrase = environment.CAUSEWAY_TLS_KEY_FILE_PASS ?? ''
  const ca = cacert === undefined ? {} : { ca: authority(cacert, disk) }
  const own = cert && key ? { cert: read(cert, disk), key: read(key, disk), passphrase } : {}
  try {
    return {
      secureContext: createSecureContext({ ...ca, ...own }),
      rejectUnauthorized: !words.has('insecure'),
      said: { trusted: '--cacert FILE', shown: '--cert FILE --key FILE' },
    }
  } catch (error) {
    // Authorities that cannot be read are passed over in silence, so it is one of these two.
    throw new UsageError(
      `${textOf(cert!)} and ${textOf(key!)} cannot be used (${reasonIn(error)}): name PEM files, and the key of that ` +
        'certificate; the passphrase of an encrypted one is CAUSEWAY_TLS_KEY_FILE_PASS',
    )
  }
}

function named(
  option: keyof typeof FILES,
  words: Words,
  environment: CliHost['environment'],
): NamedFile | undefined {
  const path = words.get(option)
  if (path !== undefined) return { name: `--${option}`, path }
  const name = FILES[option]
  const inherited = environment[name] ?? ''
  return inherited === '' ? undefined : { name, path: inherited }
}

/** @throws UsageError */
function authority(file: NamedFile, disk: Disk): Buffer {
  const bytes = read(file, disk)
  if (bytes.includes('-----BEGIN CERTIFICATE-----')) return bytes
  throw new UsageError(
    `${textOf(file)} holds no certificate: name the PEM file of who signs those of the nodes`,
  )
}

/** @throws UsageError */
function read(file: NamedFile, disk: Disk): Buffer {
  try {
    const bytes = disk.readFile(file.path)
    if (bytes !== undefined) return Buffer.from(bytes)
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    throw new UsageError(`${file.name} cannot be read: ${error.message}`)
  }
  throw new UsageError(`${file.name} names a file that does not exist: ${file.path}`)
}

function textOf({ name, path }: NamedFile): string {
  return `${name} ${path}`
}

/** The end of what OpenSSL says, which is the part for people. */
function reasonIn(error: unknown): string {
  return String((error as Error).message)
    .split(':')
    .at(-1)!
}
