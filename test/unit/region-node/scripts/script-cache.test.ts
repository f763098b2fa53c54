/**
 * script-cache.test.ts: a script is compiled once, and the cache ends somewhere.
 */
import { describe, expect, it } from 'vitest'
import type { Script, ScriptHost } from '../../../../region-node/scripts/port.ts'
import { SCRIPT_BYTES_MAX, SCRIPTS_MAX, ScriptCache } from '../../../../region-node/scripts/script-cache.ts'

/** Knows no Lua: a script that begins with `bad` does not compile. */
class CountingHost implements Partial<ScriptHost> {
  compiled = 0
  readonly forgotten: string[] = []

  sha1(text: string): string {
    return `sha of ${text.slice(0, 20)}`
  }

  compile({ source }: Script): string | undefined {
    this.compiled++
    return source.startsWith('bad') ? 'a complaint' : undefined
  }

  forget(sha: string): void {
    this.forgotten.push(sha)
  }
}

function newCache(): { cache: ScriptCache; host: CountingHost & ScriptHost } {
  return { cache: new ScriptCache(), host: new CountingHost() as CountingHost & ScriptHost }
}

describe('the script cache', () => {
  it('compiles a text once', () => {
    const { cache, host } = newCache()
    const first = cache.take('return 1', host)
    expect(cache.take('return 1', host)).toBe(first)
    expect(host.compiled).toBe(1)
    expect(cache.get('sha of return 1')).toBe(first)
  })

  it('compiles a text again that was dropped, though it came last', () => {
    const { cache, host } = newCache()
    cache.take('return 1', host)
    cache.take('return 1', host)
    cache.clear()
    cache.take('return 1', host)
    expect(host.compiled).toBe(2)
    expect(cache.size).toBe(1)
  })

  it('compiles a text again that was the oldest and came last', () => {
    const { cache, host } = newCache()
    for (let i = 0; i < SCRIPTS_MAX; i++) cache.take(`return ${i}`, host)
    cache.take('return 0', host)
    cache.take('new', host)
    expect(cache.get('sha of return 0')).toBeUndefined()
    cache.take('return 0', host)
    expect(host.compiled).toBe(SCRIPTS_MAX + 2)
  })

  it('keeps nothing that does not compile', () => {
    const { cache, host } = newCache()
    expect(cache.take('bad', host)).toBe('a complaint')
    expect(cache.size).toBe(0)
  })

  it('forgets the oldest when there are too many', () => {
    const { cache, host } = newCache()
    for (let i = 0; i <= SCRIPTS_MAX; i++) cache.take(`return ${i}`, host)
    expect(cache.size).toBe(SCRIPTS_MAX)
    expect(host.forgotten).toEqual(['sha of return 0'])
    expect(cache.get('sha of return 0')).toBeUndefined()
  })

  it('forgets the oldest when they are too large together, but never the one just taken', () => {
    const { cache, host } = newCache()
    cache.take('small', host)
    cache.take('x'.repeat(SCRIPT_BYTES_MAX + 1), host)
    expect(host.forgotten).toEqual(['sha of small'])
    expect(cache.size).toBe(1)
    cache.clear()
    expect([cache.size, cache.bytes]).toEqual([0, 0])
  })
})
