/**
 * machine-settings.test.ts: what a machine takes for itself, what it gives to its nodes, and what it refuses.
 */
import { describe, expect, it } from 'vitest'
import { loadSettings } from '../../../../region-node/config.ts'
import { machineSettings } from '../../../../region-node/machine/machine-settings.ts'

const PLACE = '--name m1 --first-port 7000 --region A --region-id 1 --coordinator http://127.0.0.1:2379'

function settings(line: string, environment: Readonly<Record<string, string>> = {}, file = '') {
  return machineSettings({
    argv: line.split(' ').filter((word) => word !== ''),
    environment,
    readFile: () => Buffer.from(file),
  })
}

/** What a node makes of the words that it is given. */
function nodeValues(line: string, partition = 3) {
  const argv = settings(line).wordsOf(partition, 8, `data/partition-${partition}`)
  return loadSettings({ argv, environment: {}, readFile: () => undefined }).values
}

describe('the settings of a machine', () => {
  it('say where it is', () => {
    const { self } = settings(`${PLACE} --zone z1 --bind 10.0.0.1 --sync-secret s`)
    expect(self).toMatchObject({ name: 'm1', zone: 'z1', host: '10.0.0.1', firstPort: 7000 })
  })

  it('give each node a folder, ports and a partition of its own', () => {
    const values = nodeValues(
      `${PLACE} --dir d --first-admin-port=8000 --first-tls-port 9000 --tls-cert-file c`,
    )
    expect(values).toMatchObject({
      ...{ partition: 3, partitions: 8, dir: 'data/partition-3', port: 7003 },
      ...{ 'admin-port': 8003, 'tls-port': 9003, 'tls-cert-file': 'c', 'sync-port': 0 },
    })
  })

  it('give all else to each node as it was written', () => {
    const line = `${PLACE} --maxmemory 1gb --save 900 1 300 10 --zone z1 --peer B@ws://127.0.0.1:1`
    const values = nodeValues(line)
    expect(values).toMatchObject({ maxmemory: 2 ** 30, zone: 'z1', region: 'A' })
    expect(values.save).toHaveLength(2)
    expect(values.peer).toHaveLength(1)
  })

  it('tell the nodes the address that others reach them at', () => {
    const line = `${PLACE} --bind 0.0.0.0 --replica-announce-ip 10.0.0.7 --sync-secret s`
    expect(settings(line).self.host).toBe('10.0.0.7')
    expect(nodeValues(line)).toMatchObject({ bind: '0.0.0.0', 'replica-announce-ip': '10.0.0.7' })
  })

  it.each([
    ['--port 7000', 'port (command line) is not for a machine: each node has its own: write --first-port'],
    ['--admin-port=1', 'write --first-admin-port'],
    ['--tls-port 1', 'write --first-tls-port'],
    ['--proxy-port 1', 'write --first-proxy-port'],
    ['--sentinel-tls-port 1', 'run such a node with causeway node'],
    ['--sync-announce-url ws://h:1', 'with --replica-announce-ip'],
    ['--partition 0', 'partition (command line) is not for a machine: the placement says'],
    ['--partitions 4', "'causeway cluster create' says how many there are"],
    ['--sync-port 7201', 'other regions reach a node at its port for clients'],
    ['--bind 0.0.0.0 --sync-secret s', 'name its address with --replica-announce-ip'],
    ['--first-port 7001', '--first-port is given twice'],
    ['--first-admin-port', '--first-admin-port needs a value'],
    ['--first-admin-port 99999', "'99999' is no port"],
    ['--nmae m1', "unknown setting 'nmae'"],
  ])('refuse %s with a sentence', (words, sentence) => {
    expect(() => settings(`${PLACE} ${words}`)).toThrow(sentence)
  })

  it.each(['name', 'first-port', 'coordinator', 'region'])('refuse to be without %s', (option) => {
    const line = PLACE.replace(new RegExp(`--${option} \\S+`), '')
    expect(() => settings(line)).toThrow(`${option} is missing`)
  })

  it('refuse what a file or the environment says of ports just the same', () => {
    expect(() => settings(PLACE, { CAUSEWAY_ADMIN_PORT: '1' })).toThrow('admin-port (environment) is not for')
    expect(() => settings(`${PLACE} --config f`, {}, 'port 1\n')).toThrow('port (line 1 of f) is not for')
  })
})
