/**
 * tls-files.ts: the settings that make a node speak TLS, with the certificates in test/harness/certificates.
 *
 * These are good for a hundred years. `node` names localhost and 127.0.0.1; it and `client` are signed by `ca`,
 * `stranger` by himself.
 */
import { readdirSync, readFileSync } from 'node:fs'
import type { tlsOptions } from '../../region-node/server/tls.ts'

export const CERTIFICATES = new URL('./certificates', import.meta.url).pathname

/** As much of a disk as certificates need. What is called `missing` is not there. */
export const CERTIFICATE_DISK = {
  readFile: (path: string) => (path.includes('missing') ? undefined : readFileSync(path)),
  list: (path: string) => readdirSync(path).sort(),
} as unknown as Parameters<typeof tlsOptions>[1]

/** Settings of somebody with the certificate of that name, who trusts what `ca` has signed. */
export function tlsSettingsOf(name: 'node' | 'client' | 'stranger') {
  return {
    'tls-cert-file': `${CERTIFICATES}/${name}.pem`,
    'tls-key-file': `${CERTIFICATES}/${name}.key`,
    'tls-key-file-pass': '',
    'tls-ca-cert-file': `${CERTIFICATES}/ca.pem`,
    'tls-ca-cert-dir': '',
    'tls-auth-clients': 'yes',
    'tls-protocols': '',
    'tls-ciphers': '',
    'tls-ciphersuites': '',
  } as const
}
