import { expect, it } from 'vitest'
import { ManualClock } from '../../harness/manual-clock.ts'
import { MemoryHost, memoryNode } from '../../harness/memory-host.ts'
import { MemoryNetwork } from '../../harness/memory-transport.ts'
const NAMES = ['A', 'B', 'C', 'D', 'E']
it('sweep', async () => {
  const bad: string[] = []
  const codes = new Map<string, number>()
  for (let seed = 1; seed <= 250; seed++) {
    const count = 2 + (seed % 4)
    const clock = new ManualClock(seed)
    const network = new MemoryNetwork(clock, { delayMsMin: 1, delayMsMax: seed % 3 ? 80 : 5, bytesPerMs: seed % 5 ? Infinity : 300 })
    const names = NAMES.slice(0, count)
    const make = (name: string, i: number, old?: MemoryHost) => {
      const host = new MemoryHost(clock, name, i + 1)
      if (old) { // restart: its log but the last few records
        const keep = Math.floor(old.log.records.length * (0.7 + 0.3 * clock.random()))
        for (const r of old.log.records.slice(0, keep)) {
          const origin = host.origins.intern(r.span.origin.id)
          host.log.append({ bytes: r.bytes, span: { ...r.span, origin } })
          host.applied.advance(origin, r.span.firstSeq + r.span.opCount - 1)
        }
      }
      return memoryNode(clock, network, host, names.filter((o) => o !== name), { causalBufferBytesMax: seed % 2 ? 4000 : 64e6, unsentBytesMax: seed % 3 ? 1e6 : 500, sliceBytesMax: seed % 3 ? 1e5 : 100, releaseBytesMax: 300 })
    }
    const nodes = names.map((n, i) => make(n, i))
    for (const { mesh } of nodes) await mesh.start()
    const pick = (n: number) => Math.floor(clock.random() * n)
    try {
      for (let step = 0; step < 500; step++) {
        const [a, b] = [names[pick(count)]!, names[pick(count)]!]
        const dice = clock.random()
        if (dice < 0.5) nodes[pick(count)]!.host.write(1 + pick(3), pick(300))
        else if (dice < 0.6 && a !== b) network.cut(a, b)
        else if (dice < 0.75) network.heal(a, b)
        else if (dice < 0.78 && a !== b) network.stall(a, b)
        else if (dice < 0.82) network.unstall(a, b)
        else if (dice < 0.85 && a !== b) network.drop(a, b)
        else if (dice < 0.86 && seed % 2 === 0) {
          const i = pick(count)
          network.crash(names[i]!)
          nodes[i] = make(names[i]!, i, nodes[i]!.host)
          await nodes[i]!.mesh.start()
        }
        clock.advance(pick(60))
        for (const { mesh } of nodes) for (const l of mesh.links()) if (l.lastError) codes.set(l.lastError.code, (codes.get(l.lastError.code) ?? 0) + 1)
      }
      for (const a of names) for (const b of names) { network.heal(a, b); network.unstall(a, b) }
      clock.advance(40_000)
      const want = JSON.stringify(nodes[0]!.host.applied.toWire())
      for (const { host, mesh } of nodes) {
        if (JSON.stringify(host.applied.toWire()) !== want) bad.push(`seed ${seed} ${host.identity.region}`)
        if (!(mesh.settledClockMs() > clock.wallMs() - 1500)) bad.push(`clock ${seed} ${host.identity.region} ${clock.wallMs() - mesh.settledClockMs()}`)
        for (const l of mesh.links()) if (l.pull !== 'streaming' || l.serve !== 'streaming' || l.relays.length || l.behindOps || l.lagOps) bad.push(`link ${seed} ${host.identity.region} ${JSON.stringify({...l, acknowledged: 0})}`)
      }
    } catch (e) { bad.push(`seed ${seed}: ${(e as Error).stack}`) }
  }
  console.log([...codes])
  console.log(bad.slice(0, 20).join('\n'), bad.length)
  expect(bad).toEqual([])
}, 300_000)
