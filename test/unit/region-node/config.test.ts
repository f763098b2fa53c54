/**
 * config.test.ts: settings from their four sources, what is refused and in which words, and CONFIG.
 */
import { describe, expect, it } from 'vitest'
import {
  configGet,
  configSet,
  databaseConfiguration,
  loadSettings,
  type Settings,
  type SettingValues,
  settingsOf,
} from '../../../region-node/config.ts'
import { StartError } from '../../../region-node/start-error.ts'

const IDENTITY = ['--region', 'A', '--region-id', '1']
const CONFIG = ['--config', 'x.conf']

function load(
  argv: readonly string[],
  file?: string,
  environment: Readonly<Record<string, string>> = {},
): SettingValues {
  const readFile = (path: string): Uint8Array | undefined =>
    path === 'x.conf' && file !== undefined ? Buffer.from(file) : undefined
  return loadSettings({ argv, environment, readFile }).values
}

function refusal(...given: Parameters<typeof load>): string {
  try {
    load(...given)
  } catch (error) {
    expect(error).toBeInstanceOf(StartError)
    return (error as StartError).message
  }
  throw new Error('the settings were accepted')
}

describe('loadSettings', () => {
  it('takes the defaults where nothing else is said', () => {
    const values = load(IDENTITY)
    expect(values).toMatchObject({ region: 'A', 'region-id': 1, port: 6379, bind: '127.0.0.1', peer: [] })
    expect(values.appendfsync).toBe('everysec')
    expect(values['log-segment-bytes']).toBe(64 * 1024 * 1024)
    expect(values['proto-max-bulk-len']).toBe(2 ** 29 - 24)
  })

  it('lets the environment overrule the file, and the command line both', () => {
    const file = 'region F\nport 1001\ndatabases 2\ntimeout 10\n'
    const environment = {
      CAUSEWAY_PORT: '1002',
      CAUSEWAY_TIMEOUT: '20',
      CAUSEWAY_REGION_ID: '7',
      PATH: '/bin',
    }
    const values = load([...CONFIG, '--port=1003'], file, environment)
    expect(values).toMatchObject({ region: 'F', 'region-id': 7, port: 1003, timeout: 20, databases: 2 })
  })

  it('reads a file as redis.conf is written', () => {
    const file = [
      '# a comment',
      '',
      '  REGION A',
      'region-id 1\r',
      'requirepass "pass \\x41\\" word"',
      "dir 'a folder'",
      'peer B@ws://10.0.0.2:7201',
      'peer C@wss://c.example:443',
      'sync-port 7200',
      'client-output-buffer-limit normal 1mb 512kb 5',
      'client-output-buffer-limit pubsub 0 0 0',
      'save ""',
    ].join('\n')
    const values = load(CONFIG, file)
    expect(values.requirepass).toBe('pass A" word')
    expect(values.dir).toBe('a folder')
    expect(values.peer).toEqual([
      { name: 'B', url: 'ws://10.0.0.2:7201' },
      { name: 'C', url: 'wss://c.example:443' },
    ])
    expect(values['client-output-buffer-limit']).toMatchObject({
      normal: { hardBytes: 1048576, softBytes: 524288, softSeconds: 5 },
      pubsub: { hardBytes: 0, softBytes: 0, softSeconds: 0 },
      slave: { hardBytes: 268435456 },
    })
  })

  it('lets a later source replace the peers of an earlier one', () => {
    const file = 'peer B@ws://b:1\nsync-port 7200'
    const values = load([...IDENTITY, ...CONFIG, '--peer', 'C@ws://c:1', '--peer=D@ws://d:1'], file)
    expect(values.peer.map(({ name }) => name)).toEqual(['C', 'D'])
  })

  it('keeps passwords as the bytes a client will send, and paths as text', () => {
    const values = load([...IDENTITY, '--requirepass', 'pässword', '--dir', 'dätä'])
    expect(values.requirepass).toBe('p\xc3\xa4ssword')
    expect(values.dir).toBe('dätä')
  })

  it('leaves alone what Kubernetes says of a service of our name', () => {
    const environment = { CAUSEWAY_PORT: 'tcp://10.0.0.1:6379', CAUSEWAY_SERVICE_HOST: '10.0.0.1' }
    expect(load(IDENTITY, undefined, environment).port).toBe(6379)
  })

  it.each([
    [[], 'region is missing: name this region, for example --region A'],
    [['--region', 'A'], 'region-id is missing'],
    [
      [...IDENTITY, '--apendfsync', 'no'],
      "unknown setting 'apendfsync' (command line): did you mean 'appendfsync'?",
    ],
    [[...IDENTITY, '--confg', 'f'], "did you mean 'config'?"],
    [
      [...IDENTITY, '--zzzzzzzzzzzz', 'no'],
      "unknown setting 'zzzzzzzzzzzz' (command line): 'causeway node --help'",
    ],
    [['nonsense'], "unexpected word 'nonsense' (command line)"],
    [['--config', 'absent.conf'], 'there is no file absent.conf'],
    [[...IDENTITY, '--port'], "'port' needs a value (command line)"],
    [[...IDENTITY, '--port', '1', '2'], "'port' takes one value (command line)"],
    [
      [...IDENTITY, '--port', '65536'],
      "bad value '65536' for 'port' (command line): argument must be between 0 and 65535",
    ],
    [[...IDENTITY, '--port', '1e3'], "argument couldn't be parsed into an integer"],
    [
      [...IDENTITY, '--appendfsync', 'often'],
      'argument(s) must be one of the following: everysec, always, no',
    ],
    [[...IDENTITY, '--log-segment-bytes', '64mib'], 'argument must be a memory value'],
    [[...IDENTITY, '--maxmemory', '1gib'], 'argument must be a memory value'],
    [[...IDENTITY, '--maxmemory-policy', 'lru'], 'argument(s) must be one of the following: volatile-lru'],
    [[...IDENTITY, '--partitions', '3'], 'must be a power of two'],
    [[...IDENTITY, '--partitions', '4'], 'nobody says which node serves which'],
    [
      [...IDENTITY, '--bind', '0.0.0.0', '--requirepass', 'x', '--sync-port', '1'],
      'set the same sync-secret',
    ],
    [[...IDENTITY, '--peer', 'B@ws://b:1'], 'there are peers but no sync-port'],
    [[...IDENTITY, '--sync-port', '1', '--peer', 'A@ws://b:1'], 'the name of this region itself'],
    [
      [...IDENTITY, '--sync-port', '1', '--peer', 'B@ws://b:1', '--peer', 'B@ws://b:1'],
      'the address ws://b:1 is given twice',
    ],
    [
      [...IDENTITY, '--sync-port', '1', '--peer', 'B@ws://b:1', '--peer', 'C@ws://b:1'],
      'the address ws://b:1 is given twice',
    ],
    [[...IDENTITY, '--sync-port', '1', '--peer', 'http://b'], 'argument must be NAME@ws://HOST:PORT'],
    [[...IDENTITY, '--sync-port', '6379'], 'port and sync-port are both 6379'],
    [
      [...IDENTITY, '--tls-port', '7000', '--sentinel-tls-port', '7000'],
      'tls-port and sentinel-tls-port are both 7000',
    ],

    [
      [...IDENTITY, '--drift-warn-ms', '5000', '--max-drift-ms', '1000'],
      'drift-warn-ms is above max-drift-ms',
    ],
  ])('refuses %j', (argv, sentence) => {
    expect(refusal(argv)).toContain(sentence)
  })

  it('says where in a file or in the environment the mistake is', () => {
    expect(refusal(CONFIG, 'region A\n\napendfsync no')).toBe(
      "unknown setting 'apendfsync' (line 3 of x.conf): did you mean 'appendfsync'?",
    )
    expect(refusal(CONFIG, 'port "1')).toBe('unbalanced quotes (line 1 of x.conf)')
    expect(refusal(CONFIG, 'port 1 # my port')).toContain("'port' takes one value (line 1 of x.conf)")
    expect(refusal([], undefined, { CAUSEWAY_REGION_IDD: '1' })).toBe(
      "unknown setting 'CAUSEWAY_REGION_IDD' (environment): did you mean 'CAUSEWAY_REGION_ID'?",
    )
  })

  it('never shows a secret', () => {
    const secret = 'hunter2'
    for (const argv of [
      ['--requirepas', secret],
      ['--requirepass', secret, secret],
      ['--sync-secret', secret, '--port', 'x'],
      ['--peer', `B@ws://me:${secret}@b:1`],
    ]) {
      expect(refusal([...IDENTITY, ...argv])).not.toContain(secret)
    }
  })
})

describe('CONFIG', () => {
  const fresh = (values: Partial<SettingValues> = {}): Settings =>
    settingsOf({ region: 'A', 'region-id': 1, ...values })

  it('GET answers names and patterns, each setting once', () => {
    expect(configGet(fresh(), ['save', 'appendonly'])).toEqual(['save', '3600 1', 'appendonly', 'yes'])
    expect(configGet(fresh(), ['APPEND[fz]*', 'appendfsync'])).toEqual(['appendfsync', 'everysec'])
    expect(configGet(fresh(), ['nothing'])).toEqual([])
    expect(configGet(fresh(), ['client-output*'])[1]).toBe(
      'normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60',
    )
  })

  it('GET hides secrets', () => {
    const shown = configGet(fresh({ requirepass: 'hunter2' }), ['*'])
    expect(shown).not.toContain('hunter2')
    expect(shown[shown.indexOf('requirepass') + 1]).toBe('********')
    expect(shown[shown.indexOf('sync-secret') + 1]).toBe('')
  })

  it('SET takes effect in the record that readers hold, and tells listeners', () => {
    const settings = fresh()
    const { values } = settings
    const changed: string[] = []
    settings.onChange((name) => changed.push(name))
    expect(
      configSet(settings, ['AppendFsync', 'ALWAYS', 'timeout', '5', 'maxclients', '10000']),
    ).toBeUndefined()
    expect(values.appendfsync).toBe('always')
    expect(values.timeout).toBe(5)
    expect(changed.sort()).toEqual(['appendfsync', 'timeout'])
  })

  it('save is written as in Redis', () => {
    const settings = fresh()
    for (const [text, shown] of [
      ['', ''],
      ['900 1', '900 1'],
      ['3600 1 300 100  60 10000', '3600 1 300 100 60 10000'],
    ]) {
      expect(configSet(settings, ['save', text!])).toBeUndefined()
      expect(configGet(settings, ['save'])).toEqual(['save', shown])
    }
    expect(settings.values.save[1]).toEqual({ seconds: 300, changes: 100 })
    for (const text of ['1', '1 2 3', '0 2', '5 -2', 'a b'])
      expect(configSet(settings, ['save', text])).toContain("argument 'save') - Invalid save parameters")
    const file = 'region A\nregion-id 1\nsave 900 1\nsave 60 100'
    expect(load(CONFIG, file).save).toHaveLength(2)
  })

  it('SET allows saying what is so anyway', () => {
    expect(configSet(fresh(), ['appendonly', 'yes', 'port', '6379'])).toBeUndefined()
  })

  it.each([
    [['timeout'], 'ERR syntax error'],
    [['timeout', '5', 'foo', '1'], "ERR Unknown option or number of arguments for CONFIG SET - 'foo'"],
    [['timeout', '5', 'timeout', '6'], "'timeout') - duplicate parameter"],
    [
      ['timeout', '5', 'databases', '3'],
      "(possibly related to argument 'databases') - can't set immutable config",
    ],
    [['timeout', '5', 'maxclients', 'abc'], "'maxclients') - argument couldn't be parsed into an integer"],
    [['timeout', '-1'], "'timeout') - argument must be between 0 and 2147483647 inclusive"],
    [['timeout', '5', 'appendonly', 'no'], "'appendonly') - can't set immutable config"],
    [['timeout', '5', 'max-drift-ms', '1'], "'drift-warn-ms') - drift-warn-ms is above max-drift-ms"],
    [
      ['client-output-buffer-limit', 'normal 0 0'],
      'Wrong number of arguments in buffer limit configuration.',
    ],
  ])('SET %j changes nothing', (words, error) => {
    const settings = fresh()
    const before = { ...settings.values }
    expect(configSet(settings, words)).toContain(error)
    expect(settings.values).toEqual(before)
  })

  it('gives the settings all regions must share', () => {
    expect(databaseConfiguration(fresh())).toEqual({
      databases: '16',
      partitions: '1',
      'stream-id-mode': 'semi-strict',
    })
  })
})
