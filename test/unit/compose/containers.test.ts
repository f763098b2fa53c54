/**
 * containers.test.ts: the play for containers asks the engine and Prometheus in their own words, mends
 * what it has cut, and the image and the compose file set what a node takes.
 */
import { describe, expect, it } from 'vitest'
import { byNetwork, Cut } from '../../../compose/containers/cut.ts'
import { ContainerEngine, findEngine, type RunProgram } from '../../../compose/containers/engine.ts'
import { Prometheus } from '../../../compose/containers/prometheus.ts'
import { until } from '../../../compose/containers/until.ts'
import { loadSettings } from '../../../region-node/config.ts'
import { machineSettings } from '../../../region-node/machine/machine-settings.ts'
import { readRoot } from '../../tidy/source.ts'

/** An engine that notes what it is asked and always answers the same. */
function engineThatSays(answer: string): { engine: ContainerEngine; asked: string[] } {
  const asked: string[] = []
  const run: RunProgram = async (program, words) => {
    asked.push([program, ...words].join(' '))
    return answer
  }
  return { engine: new ContainerEngine('podman', run), asked }
}

describe('ContainerEngine', () => {
  it('is the first one that answers', async () => {
    const run: RunProgram = async (program) => {
      if (program === 'docker') throw new Error('Cannot connect to the Docker daemon')
      return ''
    }
    expect((await findEngine(run)).name).toBe('podman')
    const none: RunProgram = () => Promise.reject(new Error('not found'))
    await expect(findEngine(none)).rejects.toThrow('no container engine answers here')
  })

  it('finds where a port is published, in one line or one for each family of addresses', async () => {
    const { engine, asked } = engineThatSays('127.0.0.1:7111\n')
    expect(await engine.publishedPort('causeway-a', 6379)).toBe(7111)
    expect(asked).toEqual(['podman port causeway-a 6379/tcp'])
    const both = engineThatSays('0.0.0.0:7111\n[::]:7111\n').engine
    expect(await both.publishedPort('causeway-a', 6379)).toBe(7111)
    await expect(engineThatSays('').engine.publishedPort('causeway-a', 6379)).rejects.toThrow(
      'publishes no port',
    )
  })

  it('finds all ports that are published, whatever the engine puts beside them', async () => {
    const { engine } = engineThatSays(
      '7000/tcp -> 127.0.0.1:7311\n9000/tcp -> [::1]:7411\n53/udp -> 0.0.0.0:53\n',
    )
    expect([...(await engine.publishedPorts('causeway-a1'))]).toEqual([
      [7000, 7311],
      [9000, 7411],
    ])
  })

  it('reads a variable with its spaces', async () => {
    expect(await engineThatSays('a secret \n').engine.variable('causeway-a', 'X')).toBe('a secret')
  })
})

describe('Prometheus', () => {
  const answering = (body: unknown) => new Prometheus(9111, async () => JSON.stringify(body))

  it('gives the number of an answer, or none while nothing was collected', async () => {
    const sample = { metric: {}, value: [1_795_315_607.628, '2'] }
    const result = (samples: unknown[]) => ({ status: 'success', data: { result: samples } })
    expect(await answering(result([sample])).number('sum(up)')).toBe(2)
    expect(await answering(result([])).number('sum(up)')).toBeUndefined()
  })

  it('asks with the query in the address, and says why one was refused', async () => {
    const urls: string[] = []
    const refusing = new Prometheus(9111, async (url) => {
      urls.push(url)
      return '{"status":"error","error":"parse error"}'
    })
    await expect(refusing.number('sum(x{y="z"})')).rejects.toThrow('parse error')
    expect(urls).toEqual(['http://127.0.0.1:9111/api/v1/query?query=sum(x%7By%3D%22z%22%7D)'])
  })
})

describe('Cut', () => {
  it('by network names the network and the container', async () => {
    const { engine, asked } = engineThatSays('')
    const cut = byNetwork(engine, 'causeway-wan', 'causeway-c')
    await cut.cut()
    await cut.mend()
    expect(asked).toEqual([cut.done, cut.undone])
    expect(cut.done).toBe('podman network disconnect causeway-wan causeway-c')
  })

  it('is mended once, only if it was made, and not made again after that', async () => {
    const { engine, asked } = engineThatSays('')
    const never = byNetwork(engine, 'causeway-wan', 'causeway-c')
    await never.mend()
    await expect(never.cut()).rejects.toThrow('is over')
    expect(asked).toEqual([])
    const made = byNetwork(engine, 'causeway-wan', 'causeway-c')
    await made.cut()
    await Promise.all([made.mend(), made.mend()])
    expect(asked).toHaveLength(2)
  })

  it('is mended after it was made, also when it is not known whether it was', async () => {
    const order: string[] = []
    let fail: (error: Error) => void = () => {}
    const cut = new Cut({
      name: 'slow',
      done: '',
      undone: '',
      cut: () =>
        new Promise((_, reject) => {
          fail = reject
        }),
      mend: async () => order.push('mended'),
    })
    const cutting = cut.cut().catch(() => order.push('cut failed'))
    const mending = cut.mend()
    fail(new Error('timed out'))
    await Promise.all([cutting, mending])
    expect(order).toEqual(['cut failed', 'mended'])
  })
})

describe('until', () => {
  it('asks until it is so, and takes a failure for a no', async () => {
    const answers = [() => false, () => Promise.reject(new Error('too early')), () => true]
    let asked = 0
    expect(await until(async () => answers[asked++]!(), 60_000)).toBeGreaterThan(0)
    expect(asked).toBe(3)
  })

  it('gives up at the deadline', async () => {
    expect(await until(async () => false, 0)).toBeUndefined()
  })
})

describe('the image and the compose file', () => {
  const variables = (text: string, pattern: RegExp): Record<string, string> =>
    Object.fromEntries([...text.matchAll(pattern)].map(([, name, value]) => [name!, value!]))
  const image = variables(readRoot('compose/Dockerfile'), /(CAUSEWAY_\w+)=(\S+)/g)
  const compose = readRoot('compose/compose.yaml')
  const defaults = /\$\{\w+:-([^}]*)\}/g
  const shared = compose.slice(compose.indexOf('x-shared:'), compose.indexOf('services:'))
  const services = compose
    .slice(compose.indexOf('services:'))
    .split(/\n {2}(?=[abc]:\n)/)
    .slice(1)

  it('set what a node takes: three regions, each with the other two as peers', () => {
    const all = services.map((service) => {
      const text = `${shared}${service}`.replace(defaults, '$1')
      const environment = { ...image, ...variables(text, /^ +(CAUSEWAY_\w+): ["']?(.*?)["']?$/gm) }
      return loadSettings({ argv: [], environment, readFile: () => undefined }).values
    })
    expect(all.map(({ region, 'region-id': id }) => [region, id])).toEqual([
      ['A', 1],
      ['B', 2],
      ['C', 3],
    ])
    for (const values of all) {
      expect([values.dir, values.bind, values.requirepass === '', values['sync-secret'] === '']).toEqual([
        '/data',
        '0.0.0.0',
        false,
        false,
      ])
      const others = all.filter((other) => other !== values)
      expect(values.peer).toEqual(
        others.map(({ region, 'sync-port': port }) => ({
          name: region,
          url: `ws://causeway-${region.toLowerCase()}:${port}`,
        })),
      )
    }
  })

  it('let Prometheus collect from the admin port of each', () => {
    const targets = [...readRoot('compose/prometheus.yml').matchAll(/\b(causeway-\w:\d+)/g)].map(
      ([, at]) => at,
    )
    expect(targets).toEqual(['a', 'b', 'c'].map((name) => `causeway-${name}:${image.CAUSEWAY_ADMIN_PORT}`))
  })
})

describe('the compose file of machines', () => {
  const compose = readRoot('compose/compose-cluster.yaml').replace(/\$\{\w+:-([^}]*)\}/g, '$1')
  const dockerfile = readRoot('compose/Dockerfile')
  /** Up to what belongs to the image of a node alone. */
  const image = dockerfile.slice(0, dockerfile.indexOf('\nFROM machine'))
  const variables = (text: string): Record<string, string> =>
    Object.fromEntries(
      [...text.matchAll(/^.*?(CAUSEWAY_\w+)(?:=|: )["']?(.*?)["']?(?: \\)?$/gm)].map(([, name, value]) => [
        name!,
        value!,
      ]),
    )
  const part = (name: string): string => {
    const from = compose.indexOf(`\n${name}:`)
    return compose.slice(from, compose.indexOf('\n\n', from))
  }

  it('starts three machines in three zones in each region, by settings that a machine takes', () => {
    for (const [region, id] of [
      ['a', 1],
      ['b', 2],
    ] as const) {
      const environment = {
        ...variables(image),
        ...variables(part('x-shared')),
        ...variables(part(`x-region-${region}`)),
      }
      const machines = [1, 2, 3].map((at) => {
        const [, command = ''] =
          new RegExp(
            `container_name: causeway-${region}${at}\\s+command:\\s*\\[\\s*machine,([^\\]]*)\\]`,
          ).exec(compose) ?? []
        const argv = command.match(/[^\s,"]+/g) ?? []
        return machineSettings({ argv, environment, readFile: () => undefined })
      })
      expect(machines.map(({ self }) => [self.name, self.zone, self.host, self.firstPort])).toEqual(
        [1, 2, 3].map((at) => [`${region}${at}`, `zone-${at}`, `causeway-${region}${at}`, 7000]),
      )
      for (const { values } of machines) {
        expect([values.region, values['region-id'], values.peer.length]).toEqual([
          region.toUpperCase(),
          id,
          3,
        ])
        expect(values.coordinator.split(' ')).toEqual(
          [1, 2, 3].map((at) => `http://causeway-etcd-${region}${at}:2379`),
        )
      }
    }
  })
})
