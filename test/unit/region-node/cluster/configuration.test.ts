/**
 * configuration.test.ts: a node that takes its region's configuration: what it applies, keeps, and gives back.
 */
import { describe, expect, it } from 'vitest'
import { Configuration, whyNotShared } from '../../../../region-node/cluster/configuration.ts'
import { ConfigurationWatch } from '../../../../region-node/cluster/configuration-watch.ts'
import { type ConfigDocument, Keys } from '../../../../region-node/cluster/documents.ts'
import { SETTING_ROWS } from '../../../../region-node/config/table.ts'
import { configRewrite, configSet, type SettingValues, settingsOf } from '../../../../region-node/config.ts'
import { MemoryStore } from '../../../../region-node/coordinator/memory.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'

function prepare(values: Partial<SettingValues> = {}) {
  const settings = settingsOf({ region: 'A', 'region-id': 1, ...values })
  const warnings: string[] = []
  const configuration = new Configuration(settings, {
    applied: () => {},
    warned: (text) => warnings.push(text),
  })
  const take = (version: number, texts: Readonly<Record<string, string>>): void =>
    configuration.take({ version, settings: texts })
  return { settings, configuration, warnings, take }
}

describe('the configuration of a region', () => {
  it('is applied, told of, and reported', () => {
    const { settings, configuration, take } = prepare()
    const told: string[] = []
    settings.onChange((name) => told.push(name))
    take(3, { timeout: '60', save: '3600 1' })
    expect(settings.values.timeout).toBe(60)
    expect(told).toEqual(['timeout'])
    expect(configuration.report).toEqual({ configVersion: 3, configNotApplied: [] })
  })

  it('gives a node its own value back when it says no more of it', () => {
    const { settings, configuration, take } = prepare({ timeout: 5 })
    take(1, { timeout: '60' })
    take(2, { timeout: '70' })
    take(3, {})
    expect(settings.values.timeout).toBe(5)
    take(4, { timeout: '80' })
    configuration.take(undefined)
    expect(settings.values.timeout).toBe(5)
    expect(configuration.report.configVersion).toBe(0)
  })

  it('refuses CONFIG SET of what it says, and of nothing else', () => {
    const { settings, take } = prepare()
    take(1, { timeout: '60' })
    expect(configSet(settings, ['timeout', '60'])).toBeUndefined()
    expect(configSet(settings, ['timeout', '61'])).toContain("'causeway cluster config set timeout=VALUE'")
    expect(configSet(settings, ['slowlog-max-len', '9'])).toBeUndefined()
    take(2, {})
    expect(configSet(settings, ['timeout', '61'])).toBeUndefined()
  })

  it('gets into no file, and CONFIG SET of before does', () => {
    const { settings, take } = prepare()
    configSet(settings, ['slowlog-max-len', '9'])
    take(1, { timeout: '60', 'slowlog-max-len': '10' })
    expect(configRewrite(settings, '')).not.toContain('slowlog-max-len')
    take(2, {})
    expect(configRewrite(settings, '')).toContain('slowlog-max-len 9')
    expect(configRewrite(settings, '')).not.toContain('timeout')
  })

  it('is applied as far as it can be; the rest is logged and reported', () => {
    const { settings, configuration, warnings, take } = prepare({ timeout: 5 })
    take(7, { timeout: 'soon', port: '1', unheard: 'of', 'slowlog-max-len': '9' })
    expect([settings.values.timeout, settings.values['slowlog-max-len']]).toEqual([5, 9])
    expect(configuration.report).toEqual({
      configVersion: 7,
      configNotApplied: ['port', 'timeout', 'unheard'],
    })
    expect(warnings).toHaveLength(3)
    expect(warnings[0]).toContain('configuration 7 of the region: timeout is not applied: ')
  })

  it('keeps relations, in whatever order its settings stand', () => {
    const { settings, configuration, take } = prepare()
    take(1, { 'drift-warn-ms': '70000', 'max-drift-ms': '80000' })
    expect([settings.values['drift-warn-ms'], configuration.report.configNotApplied]).toEqual([70_000, []])
    take(2, { 'drift-warn-ms': '90000', 'max-drift-ms': '80000' })
    expect(settings.values['drift-warn-ms']).toBe(70_000)
    expect(configuration.report.configNotApplied).toEqual(['drift-warn-ms'])
    take(3, {})
    expect([settings.values['drift-warn-ms'], settings.values['max-drift-ms']]).toEqual([500, 60_000])
  })

  it('takes what CONFIG SET can change, but for secrets and what is a node its own', () => {
    const shared = [...SETTING_ROWS.keys()].filter((name) => whyNotShared(name) === undefined)
    for (const name of shared) expect(SETTING_ROWS.get(name)!.change).toBe('runtime')
    expect(shared).toContain('maxmemory')
    for (const name of [
      'port',
      'dir',
      'bind',
      'zone',
      'requirepass',
      'replica-of',
      'databases',
      'hz',
      'nonsense',
    ])
      expect(whyNotShared(name), name).toBeDefined()
  })
})

describe('a node that follows the configuration', () => {
  it('hears of it at the start, of every change, and of its end', () => {
    const clock = new ManualClock()
    const coordinator = new MemoryStore(clock).connect({ deadlineMs: 500, delayMs: 1 })
    const keys = new Keys('causeway', 'A')
    const heard: (ConfigDocument | string | undefined)[] = []
    const watch = new ConfigurationWatch(coordinator, clock, keys, {
      read: (document) => heard.push(document),
      warned: () => heard.push('unreadable'),
    })
    const put = (key: string, value: string): void => {
      coordinator.commit([], [{ do: 'put', key, value }], () => {})
      clock.advance(10)
    }
    const first = { version: 1, settings: { timeout: '1' } }
    put(keys.config, JSON.stringify(first))
    watch.read()
    clock.advance(10)
    put(`${keys.config}uration`, 'of somebody else')
    put(keys.config, '{"version":"two"}')
    coordinator.commit([], [{ do: 'delete', key: keys.config }], () => {})
    clock.advance(10)
    watch.close()
    put(keys.config, JSON.stringify(first))
    expect(heard).toEqual([first, 'unreadable', undefined])
  })
})
