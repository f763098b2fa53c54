/**
 * transport-ws.test.ts: links over real sockets on the loopback interface.
 *
 * Real time passes here, but no test waits for it: each waits for an event.
 */
import { connect as connectTcp, createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { linkTls } from '../../../region-node/server/tls.ts'
import type { Link, LinkEvents } from '../../../sync/ports.ts'
import { syncUrlOf } from '../../../sync/sync-url.ts'
import { type LinkTls, WsTransport } from '../../../sync/transport-ws.ts'
import { CERTIFICATE_DISK, tlsSettingsOf } from '../../harness/tls-files.ts'

const env = {
  after(delayMs: number, task: () => void) {
    const handle = setTimeout(task, delayMs).unref()
    return { cancel: () => clearTimeout(handle) }
  },
}

/** One end of a link, and promises of what happens to it. */
class End {
  readonly link: Link
  readonly messages: Uint8Array[] = []
  readonly closed: Promise<string>
  drainedCount = 0
  readonly events: LinkEvents
  #arrived: () => void = () => {}

  constructor(link: Link) {
    this.link = link
    let ended: (reason: string) => void = () => {}
    this.closed = new Promise((resolve) => {
      ended = resolve
    })
    this.events = {
      message: (bytes) => {
        this.messages.push(bytes)
        this.#arrived()
      },
      drained: () => this.drainedCount++,
      closed: ended,
    }
  }

  async received(count: number): Promise<readonly Uint8Array[]> {
    while (this.messages.length < count) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve
      })
    }
    return this.messages
  }
}

const transports: WsTransport[] = []

function transport(port = 0, frameBytesMax = 1_000_000, tls?: LinkTls): WsTransport {
  const made = new WsTransport({ host: '127.0.0.1', port, frameBytesMax, env, tls })
  transports.push(made)
  return made
}

afterEach(async () => {
  await Promise.all(transports.splice(0).map((each) => each.close()))
})

interface Listening {
  readonly url: string
  readonly port: number
  /** The next accepted end. */
  next(): Promise<End>
}

async function listening(frameBytesMax?: number, tls?: LinkTls): Promise<Listening> {
  const server = transport(0, frameBytesMax, tls)
  const ends: End[] = []
  let arrived: () => void = () => {}
  await server.listen((link) => {
    const end = new End(link)
    ends.push(end)
    arrived()
    return end.events
  })
  const port = server.port!
  return {
    port,
    url: syncUrlOf(`127.0.0.1:${port}`, tls !== undefined),
    async next() {
      while (ends.length === 0) {
        await new Promise<void>((resolve) => {
          arrived = resolve
        })
      }
      return ends.shift()!
    },
  }
}

function dial(url: string, from = transport()): Promise<End> {
  return new Promise((resolve, reject) => {
    from.dial(
      url,
      (link) => {
        const end = new End(link)
        resolve(end)
        return end.events
      },
      (reason) => reject(new Error(reason)),
    )
  })
}

describe('a link', () => {
  it('carries messages both ways, whole and in order', async () => {
    const server = await listening()
    const near = await dial(server.url)
    const far = await server.next()
    for (const message of [[1], [2, 2], []]) near.link.send(Uint8Array.from(message))
    far.link.send(new Uint8Array(500_000).fill(7))
    expect((await far.received(3)).map((bytes) => [...bytes])).toEqual([[1], [2, 2], []])
    const [large] = await near.received(1)
    expect(large!.length).toBe(500_000)
    expect(large!.constructor).toBe(Uint8Array)
    expect(near.link.receivedBytes).toBeGreaterThan(500_000)
    expect(far.drainedCount).toBeGreaterThan(0)
  })

  it('takes no more than the network holds while it is paused, then all of it', async () => {
    const count = 64
    const server = await listening()
    const near = await dial(server.url)
    const far = await server.next()
    const [beside, other] = [await dial(server.url), await server.next()]
    far.link.pause()
    for (let i = 0; i < count; i++) near.link.send(new Uint8Array(500_000).fill(i))
    // By then the paused one would have got some of it.
    for (let i = 0; i < 20; i++) {
      beside.link.send(new Uint8Array(500_000))
      await other.received(i + 1)
    }
    expect(far.messages).toEqual([])
    expect(near.link.unsentBytes).toBeGreaterThan(0)
    far.link.resume()
    const all = await far.received(count)
    expect(all.map(([first]) => first)).toEqual(Array.from({ length: count }, (_, i) => i))
    near.link.close('over')
    await far.closed
    far.link.resume()
  })

  it('ends at both ends with the reason given', async () => {
    const server = await listening()
    const near = await dial(server.url)
    const far = await server.next()
    near.link.close('link-down')
    near.link.close('again')
    near.link.send(Uint8Array.of(1))
    expect(await far.closed).toBe('link-down')
    await near.closed
    expect(far.messages).toEqual([])
  })

  it('ends for a message beyond the limit', async () => {
    const server = await listening(1000)
    const near = await dial(server.url)
    const far = await server.next()
    near.link.send(new Uint8Array(1001))
    expect(await far.closed).toMatch(/max payload/i)
    await near.closed
  })
})

describe('inside TLS', () => {
  const tlsOf = (name: 'node' | 'client' | 'stranger'): LinkTls =>
    linkTls(tlsSettingsOf(name), CERTIFICATE_DISK)
  const from = (name: 'node' | 'client' | 'stranger'): WsTransport =>
    transport(undefined, undefined, tlsOf(name))

  it('a link carries messages both ways', async () => {
    const server = await listening(undefined, tlsOf('node'))
    const near = await dial(server.url, from('client'))
    const far = await server.next()
    near.link.send(Uint8Array.of(1))
    far.link.send(Uint8Array.of(2))
    expect([...(await far.received(1))[0]!]).toEqual([1])
    expect([...(await near.received(1))[0]!]).toEqual([2])
    expect(near.link.receivedBytes).toBeGreaterThan(0)
  })

  it('whoever shows no certificate that is trusted is let in at neither end', async () => {
    const server = await listening(undefined, tlsOf('node'))
    await expect(dial(server.url, from('stranger'))).rejects.toThrow(`cannot reach ${server.url}`)
    await expect(dial(server.url)).rejects.toThrow(/unable to verify|self-signed/)
    const other = await listening(undefined, tlsOf('stranger'))
    await expect(dial(other.url, from('client'))).rejects.toThrow('self-signed certificate')
  })

  // Others have only one address on the loopback.
  it.runIf(process.platform === 'linux')('whoever is dialed has to be named by his certificate', async () => {
    const options = { host: '127.0.0.2', port: 0, frameBytesMax: 1000, env, tls: tlsOf('node') }
    const server = new WsTransport(options)
    transports.push(server)
    await server.listen((link) => new End(link).events)
    const url = `wss://127.0.0.2:${server.port}`
    await expect(dial(url, from('client'))).rejects.toThrow(/does not match certificate/)
  })

  it('it is said when only one end speaks TLS', async () => {
    const server = await listening(undefined, tlsOf('node'))
    await expect(dial(server.url.replace('wss:', 'ws:'))).rejects.toThrow('is TLS spoken there (wss://)?')
    const plain = await listening()
    await expect(dial(plain.url.replace('ws:', 'wss:'))).rejects.toThrow('no TLS is spoken there')
  })

  it('links that begin after a renewal have other certificates, and those before go on', async () => {
    const server = await listening(undefined, tlsOf('node'))
    const near = await dial(server.url, from('client'))
    const far = await server.next()
    transports[0]!.renewTls(tlsOf('stranger'))
    await expect(dial(server.url, from('client'))).rejects.toThrow('self-signed certificate')
    near.link.send(Uint8Array.of(1))
    expect([...(await far.received(1))[0]!]).toEqual([1])
  })
})

describe('strangers', () => {
  it('that send text are closed with a reason', async () => {
    const server = await listening()
    const socket = new WebSocket(server.url)
    socket.on('open', () => socket.send('hello'))
    const far = await server.next()
    expect(await far.closed).toMatch(/text message/)
  })

  it('that send garbage before or after the upgrade only lose their own connection', async () => {
    const server = await listening()
    const good = await dial(server.url)
    const far = await server.next()
    const early = connectTcp(server.port, '127.0.0.1')
    early.end(Buffer.from([0, 255, 13, 10, 13, 10]))
    early.resume()
    await new Promise((resolve) => early.on('close', resolve))

    const late = connectTcp(server.port, '127.0.0.1')
    late.write(
      'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    )
    late.once('data', () => late.write(Buffer.alloc(64, 0xff)))
    const broken = await server.next()
    expect(await broken.closed).toBeTypeOf('string')
    late.destroy()

    good.link.send(Uint8Array.of(9))
    expect([...(await far.received(1))[0]!]).toEqual([9])
  })

  it('with a browser are told what this port is', async () => {
    const server = await listening()
    const response = await fetch(server.url.replace('ws:', 'http:'))
    expect(response.status).toBe(426)
    expect(await response.text()).toContain('WebSocket')
  })
})

describe('failures', () => {
  it('to reach a peer are reported with its address', async () => {
    const server = await listening()
    await transports[0]!.close()
    await expect(dial(server.url)).rejects.toThrow(server.url)
    await expect(dial('ws://')).rejects.toThrow('not an address')
  })

  it('to reach something that is no WebSocket server are reported', async () => {
    const other = createServer((socket) => socket.end('SSH-2.0-x\r\n'))
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const address = other.address()
    const port = typeof address === 'object' ? address?.port : 0
    await expect(dial(`ws://127.0.0.1:${port}`)).rejects.toThrow('cannot reach')
    other.close()
  })

  it('to listen name the port', async () => {
    const server = await listening()
    const second = transport(server.port)
    await expect(second.listen(() => ({ message() {}, drained() {}, closed() {} }))).rejects.toThrow(
      `127.0.0.1:${server.port}: the port is in use`,
    )
  })

  it('do not outlive close', async () => {
    const server = await listening()
    const near = await dial(server.url)
    const far = await server.next()
    await transports[0]!.close()
    expect(await near.closed).toBe('stopping')
    await far.closed
  })
})
