/**
 * puller.test.ts: a mesh that pulls from a peer played by the test.
 *
 * The test says what a faulty or unlucky server would say, and sees what the puller answers.
 */
import { describe, expect, it } from 'vitest'
import { Mesh } from '../../../sync/mesh.ts'
import {
  type ControlMessage,
  decodeMessage,
  encodeMessage,
  encodeOps,
  type Message,
} from '../../../sync/messages.ts'
import { CATCH_UP_SHARE } from '../../../sync/pace.ts'
import type { Link, LinkEvents, Transport } from '../../../sync/ports.ts'
import { ServeSession } from '../../../sync/serve-session.ts'
import { SYNC_DEFAULTS } from '../../../sync/settings.ts'
import { ManualClock } from '../../harness/manual-clock.ts'
import { MemoryHost } from '../../harness/memory-host.ts'

/** Plays region B for a mesh of region A. */
class Script {
  readonly clock = new ManualClock()
  readonly host = new MemoryHost(this.clock, 'A', 1)
  readonly peer = new MemoryHost(this.clock, 'B', 2)
  /** What the puller said since the handshake. */
  heard: Message[] = []
  closedWith: string[] = []
  /** When the link was not to be read. */
  readonly rests: ('pause' | 'resume')[] = []
  dials = 0
  readonly mesh: Mesh
  #events: LinkEvents | undefined

  constructor() {
    const transport: Transport = {
      dial: (_url, opened) => {
        this.clock.after(1, () => this.#connect(opened))
      },
      listen: async () => {},
      close: async () => {},
    }
    this.mesh = new Mesh(this.host, transport, this.clock, {
      ...SYNC_DEFAULTS,
      secret: 's',
      peers: [{ name: 'B', url: 'b' }],
    })
  }

  async start(): Promise<this> {
    await this.mesh.start()
    this.clock.advance(2)
    return this
  }

  say(message: ControlMessage | Uint8Array): void {
    this.#events?.message(message instanceof Uint8Array ? message : encodeMessage(message))
  }

  status(): void {
    this.say({
      type: 'status',
      applied: this.peer.applied.toWire(),
      clockMs: 1,
      atMs: 1,
      standings: [],
      unheard: [],
      cut: [],
      announced: [],
      nodes: [],
    })
  }

  get subscriptions(): number {
    return this.heard.filter(({ type }) => type === 'relay').length
  }

  #connect(opened: (link: Link) => LinkEvents): void {
    this.dials++
    this.heard = []
    const server = new ServeSession(this.peer, {
      secret: 's',
      judge: () => undefined,
      judgeHearer: () => undefined,
      elsewhere: () => [],
      applied: () => this.peer.applied.toWire(),
      joined: () => [],
      isBehind: () => false,
    })
    const link: Link = {
      remote: 'B',
      unsentBytes: 0,
      receivedBytes: 0,
      send: (bytes) => {
        const message = decodeMessage(bytes)
        if (message.type !== 'hello') this.heard.push(message)
        else for (const action of server.receive(bytes)) if (action.do === 'send') this.say(action.message)
      },
      pause: () => this.rests.push('pause'),
      resume: () => this.rests.push('resume'),
      close: (reason) => this.closedWith.push(reason),
    }
    this.#events = opened(link)
    for (const action of server.open()) if (action.do === 'send') this.say(action.message)
  }
}

describe('a puller', () => {
  it('asks again for what two statuses announce and no ops bring', async () => {
    const script = await new Script().start()
    script.peer.write()
    script.status()
    expect(script.subscriptions).toBe(0)
    script.status()
    expect(script.subscriptions).toBe(1)
    // Not at once again.
    script.status()
    script.status()
    expect(script.subscriptions).toBe(1)
  })

  it('does not ask again while ops come', async () => {
    const script = await new Script().start()
    const record = script.peer.write()
    script.peer.write()
    script.status()
    script.say(encodeOps([record]))
    script.status()
    expect(script.subscriptions).toBe(0)
  })

  it.each([
    [true, ['pause', 'resume']],
    [false, []],
  ])('rests for what it applied while its node joins: %s', async (isJoining, rests) => {
    const script = await new Script().start()
    const { host, clock } = script
    host.isJoining = isJoining
    const monoMs = clock.monoMs.bind(clock)
    const apply = host.apply.bind(host)
    let workedMs = 0
    clock.monoMs = () => monoMs() + workedMs
    host.apply = (record, batch) => {
      apply(record, batch)
      workedMs += 2
    }
    script.say(encodeOps([script.peer.write(), script.peer.write()]))
    expect(script.rests).toEqual(rests.slice(0, 1))
    // Two batches of two milliseconds each.
    clock.advance(4 * (1 / CATCH_UP_SHARE - 1) - 0.1)
    expect(script.rests).toEqual(rests.slice(0, 1))
    clock.advance(0.2)
    expect(script.rests).toEqual(rests)
  })

  it('keeps a batch that comes too early, and asks for the one before', async () => {
    const script = await new Script().start()
    const [first, second, third] = [script.peer.write(), script.peer.write(), script.peer.write()]
    script.say(encodeOps([second]))
    expect(script.subscriptions).toBe(1)
    script.say(encodeOps([third, second]))
    expect(script.host.applied.opCount).toBe(0)
    script.say(encodeOps([first, first]))
    script.clock.advance(1)
    expect(script.host.applied.opCount).toBe(3)
    expect(script.subscriptions).toBe(1)
  })

  it('applies a batch covered in part from where it lacks it', async () => {
    const script = await new Script().start()
    const [first] = [script.peer.write(2)]
    script.say(encodeOps([first]))
    const twin = new MemoryHost(script.clock, 'B', 2)
    twin.origin = twin.origins.intern(script.peer.origin.id)
    script.say(encodeOps([twin.write(5)]))
    expect(script.host.applied.opCount).toBe(5)
    expect(script.mesh.links()[0]!.opsIn).toBe(5)
  })

  it.each([
    ['a damaged record', (record: Uint8Array) => record.fill(0xff, -1)],
    ['a record that ends too early', (record: Uint8Array) => record.subarray(0, -1)],
    ['zeros', () => new Uint8Array(20)],
  ])('closes the link for %s, having taken what came before, and dials again', async (_name, spoil) => {
    const script = await new Script().start()
    const [good, bad] = [script.peer.write(), script.peer.write()]
    script.say(encodeOps([good, spoil(bad.slice())]))
    expect(script.host.applied.opCount).toBe(1)
    expect(script.closedWith).toEqual(['malformed-record'])
    expect(script.heard.at(-1)).toMatchObject({ type: 'bye', code: 'malformed-record' })
    script.clock.advance(200)
    expect(script.dials).toBe(2)
  })

  it('redials more and more slowly a peer whose links break before any sign of life', async () => {
    const script = await new Script().start()
    for (let i = 0; i < 60; i++) {
      script.say(Uint8Array.of(99))
      script.clock.advance(1000)
    }
    // At most 5 s apart, at least 2.5 s.
    expect(script.dials).toBeGreaterThan(12)
    expect(script.dials).toBeLessThan(32)
  })

  it('dials the primary of its region again within milliseconds: it may be about to become that', async () => {
    const clock = new ManualClock()
    const dialsMs: number[] = []
    const transport: Transport = {
      dial: (_url, _opened, failed) => {
        dialsMs.push(clock.monoMs())
        clock.after(1, () => failed('refused'))
      },
      listen: async () => {},
      close: async () => {},
    }
    const host = new MemoryHost(clock, 'A', 1)
    host.identity = { ...host.identity, role: 'replica' }
    const mesh = new Mesh(host, transport, clock, { ...SYNC_DEFAULTS, secret: 's', peers: [] })
    await mesh.start()
    mesh.follow('a')
    clock.advance(30)
    expect(dialsMs.length).toBeGreaterThan(2)
    clock.advance(60_000)
    expect(dialsMs.length).toBeLessThan(40)
  })

  it('acknowledges what is applied and, when somebody waits, asks for an fsync', async () => {
    const script = await new Script().start()
    const record = script.peer.write()
    script.say({ type: 'hurry', until: script.peer.applied.toWire() })
    expect(script.host.hurries).toBe(0)
    script.host.onDurable = () => script.mesh.durableAdvanced()
    script.heard = []
    script.say(encodeOps([record]))
    expect(script.host.hurries).toBe(1)
    script.clock.advance(2)
    const wire = script.peer.applied.toWire()
    expect(script.heard).toMatchObject([{ type: 'ack', applied: wire, durable: wire }])
  })
})
