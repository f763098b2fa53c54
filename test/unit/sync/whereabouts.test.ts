/**
 * whereabouts.test.ts: in which order addresses are tried, and that whoever names them cannot keep a search busy.
 */
import { describe, expect, it } from 'vitest'
import { isSyncUrl } from '../../../sync/sync-url.ts'
import { NODES_MAX, Whereabouts } from '../../../sync/whereabouts.ts'

/** Dials until a pause, with nobody there. */
function round(where: Whereabouts, dialed: (url: string) => void = () => {}): string[] {
  const urls = [where.url]
  dialed(where.url)
  while (where.next()) {
    urls.push(where.url)
    dialed(where.url)
  }
  return urls
}

describe('a search', () => {
  it('goes through the seeds, and again behind a pause', () => {
    const where = new Whereabouts(['ws://1', 'ws://2'])
    expect(round(where)).toEqual(['ws://1', 'ws://2'])
    expect(round(where)).toEqual(['ws://1', 'ws://2'])
  })

  it('goes at once where it is sent, and keeps that for the next round', () => {
    const where = new Whereabouts(['ws://1', 'ws://2'])
    where.learn(['ws://3', 'ws://4'])
    expect(round(where)).toEqual(['ws://1', 'ws://3', 'ws://4', 'ws://2'])
    expect(round(where)).toEqual(['ws://3', 'ws://4', 'ws://1', 'ws://2'])
  })

  it('remembers who named the others, and forgets what was named before', () => {
    const where = new Whereabouts(['ws://1'])
    where.learn(['ws://2'])
    where.next()
    where.learn(['ws://3'])
    where.next()
    expect(where.url).toBe('ws://3')
    where.next()
    expect(round(where)).toEqual(['ws://3', 'ws://2', 'ws://1'])
  })

  it('tries the place of a lost link last', () => {
    const where = new Whereabouts(['ws://1', 'ws://2'])
    where.arrived()
    where.learn(['ws://3'])
    where.next()
    expect(round(where)).toEqual(['ws://3', 'ws://2', 'ws://1'])
  })

  it('tries last where nothing has answered, whoever names it, until somebody does', () => {
    const where = new Whereabouts(['ws://1', 'ws://2'])
    where.learn(['ws://nat', 'ws://3'])
    const silent = (url: string): void => {
      if (url === 'ws://nat') where.silent()
    }
    expect(round(where, silent)).toEqual(['ws://1', 'ws://nat', 'ws://3', 'ws://2'])
    where.learn(['ws://nat', 'ws://3'])
    expect(round(where, silent)).toEqual(['ws://3', 'ws://1', 'ws://2', 'ws://nat'])
    expect(round(where, () => where.answered())).toEqual(['ws://3', 'ws://1', 'ws://2', 'ws://nat'])
    expect(round(where)).toEqual(['ws://nat', 'ws://3', 'ws://1', 'ws://2'])
  })

  it('does not go in a circle when two nodes send it to each other', () => {
    const where = new Whereabouts(['ws://1'])
    const sends: Record<string, string> = { 'ws://1': 'ws://2', 'ws://2': 'ws://3', 'ws://3': 'ws://2' }
    expect(round(where, (url) => where.learn([sends[url]!]))).toEqual(['ws://1', 'ws://2', 'ws://3'])
  })

  it('ends although new addresses are named without end', () => {
    const where = new Whereabouts(['ws://1', 'ws://2'])
    let n = 0
    const hostile = () => where.learn(Array.from({ length: 100 }, () => `ws://evil-${n++}`))
    for (let rounds = 0; rounds < 3; rounds++) {
      const dialed = round(where, hostile)
      expect(dialed.length).toBeLessThanOrEqual(18)
      expect(dialed).toEqual(expect.arrayContaining(['ws://1', 'ws://2']))
    }
    expect(round(where).length).toBeLessThanOrEqual(2 + NODES_MAX)
  })

  it('takes no address that is none, nor one that would leave TLS', () => {
    const where = new Whereabouts(['wss://1'])
    where.learn(['ws://2', 'http://3', `wss://${'4'.repeat(600)}`, 'wss://5', 'wss://user:word@6'])
    expect(round(where)).toEqual(['wss://1', 'wss://5'])
  })
})

it.each([
  ['ws://10.0.0.1:7379', true],
  ['wss://sync.example', true],
  ['ws://[::1]:1', true],
  ['http://10.0.0.1', false],
  ['ws://a:b@c', false],
  ['ws://a?b', false],
  ['ws://', false],
])('%s as an address of a sync port: %s', (url, isOne) => {
  expect(isSyncUrl(url)).toBe(isOne)
})
