/**
 * sync-url.ts: addresses at which nodes reach each other: `ws://host:port`, or `wss://host:port` inside TLS.
 */

export function isSyncUrl(url: string): boolean {
  if (!/^wss?:\/\//.test(url) || !URL.canParse(url)) return false
  const { hostname, username, password, search, hash } = new URL(url)
  return hostname !== '' && username === '' && password === '' && search === '' && hash === ''
}

/** @param address  `host:port`, with an IPv6 address in brackets */
export function syncUrlOf(address: string, isTls: boolean): string {
  return `${isTls ? 'wss' : 'ws'}://${address}`
}

/** `host:port` of it. */
export function addressIn(syncUrl: string): string {
  return syncUrl.replace(/^wss?:\/\//, '')
}
