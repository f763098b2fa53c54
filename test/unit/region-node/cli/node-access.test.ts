/**
 * node-access.test.ts: the words and the environment that let the subcommands in at nodes, and the settings that let a
 * machine in.
 */
import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACCESS_OPTIONS, accessBySettings, accessOf } from '../../../../region-node/cli/node-access.ts'
import { Words } from '../../../../region-node/cli/words.ts'
import { defaultValues } from '../../../../region-node/config/table.ts'
import { nodeEnv } from '../../../../region-node/env-node.ts'
import { CERTIFICATE_DISK, CERTIFICATES, tlsSettingsOf } from '../../../harness/tls-files.ts'

const GRAMMAR = { command: 'try', help: 'try --help', options: ACCESS_OPTIONS }

/** @param line  `@name` is a file of the tests */
function access(line: string, environment: Readonly<Record<string, string>> = {}) {
  const words = new Words(line.replaceAll('@', `${CERTIFICATES}/`).split(' ').filter(Boolean), GRAMMAR)
  return accessOf(words, { env: nodeEnv(), environment } as Parameters<typeof accessOf>[1])
}

describe('words and environment', () => {
  it('ask for no TLS by themselves', () => {
    expect(access('')).toEqual({ password: undefined, tls: undefined })
    const environment = {
      CAUSEWAY_REQUIREPASS: 'inherited',
      CAUSEWAY_TLS_CERT_FILE: '/missing',
    }
    expect(access('', environment)).toEqual({ password: 'inherited', tls: undefined })
    expect(access('--password given', environment).password).toBe('given')
  })

  it('say whose certificates are trusted, and what is shown', () => {
    expect(access('--tls').tls?.rejectUnauthorized).toBe(true)
    expect(access('--tls --insecure').tls?.rejectUnauthorized).toBe(false)
    expect(access('--tls --cacert @ca.pem --cert @client.pem --key @client.key').tls).toBeDefined()
  })

  it('may name files in one and some in the other', () => {
    const environment = {
      CAUSEWAY_TLS_CERT_FILE: '/missing',
      CAUSEWAY_TLS_KEY_FILE: `${CERTIFICATES}/client.key`,
    }
    expect(() => access('--tls', environment)).toThrow(
      'CAUSEWAY_TLS_CERT_FILE names a file that does not exist: /missing',
    )
    expect(access('--tls --cert @client.pem', environment).tls).toBeDefined()
  })

  it.each([
    ['--cacert @ca.pem', '--cacert is for TLS: add --tls, or leave it out'],
    ['--insecure', '--insecure is for TLS: add --tls, or leave it out'],
    ['--tls --cert @client.pem', '--cert is half of what is shown: give --key FILE too'],
    ['--tls --key @client.key', '--key is half of what is shown: give --cert FILE too'],
    ['--tls --cacert /missing', '--cacert names a file that does not exist: /missing'],
    ['--tls --cacert @', '--cacert cannot be read: '],
    [
      '--tls --cacert @node.key',
      '@node.key holds no certificate: name the PEM file of who signs those of the nodes',
    ],
    [
      '--tls --cert @client.pem --key @node.key',
      '--cert @client.pem and --key @node.key cannot be used (key values mismatch): name PEM files, and the key',
    ],
    ['--tls --cert @client.key --key @client.key', 'cannot be used (no start line)'],
  ])('%s: say what is wrong', (line, sentence) => {
    expect(() => access(line)).toThrow(sentence.replaceAll('@', `${CERTIFICATES}/`))
  })
})

describe('an encrypted key', () => {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-key-'))
  const file = join(folder, 'encrypted.key')
  beforeAll(() => {
    const key = createPrivateKey(readFileSync(`${CERTIFICATES}/client.key`))
    writeFileSync(
      file,
      key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open' }),
    )
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('is opened by the passphrase of the environment', () => {
    const line = `--tls --cert @client.pem --key ${file}`
    expect(() => access(line)).toThrow('the passphrase of an encrypted one is CAUSEWAY_TLS_KEY_FILE_PASS')
    expect(access(line, { CAUSEWAY_TLS_KEY_FILE_PASS: 'open' }).tls).toBeDefined()
  })
})

describe('the settings of a machine', () => {
  const values = (more: object) => ({ ...defaultValues(), ...tlsSettingsOf('node'), ...more })

  it('let it speak to nodes as these do to each other', () => {
    expect(accessBySettings(values({}), CERTIFICATE_DISK)).toEqual({ password: undefined, tls: undefined })
    const { password, tls } = accessBySettings(
      values({ 'tls-replication': true, requirepass: 'p' }),
      CERTIFICATE_DISK,
    )
    expect([password, tls?.rejectUnauthorized]).toEqual(['p', true])
  })

  it('say what is wrong with its files', () => {
    expect(() =>
      accessBySettings(values({ 'tls-replication': true, 'tls-key-file': '/missing' }), CERTIFICATE_DISK),
    ).toThrow('tls-key-file names a file that does not exist: /missing')
  })
})
