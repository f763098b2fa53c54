/**
 * channels.test.ts: who is told what, and what is left of a session that has gone.
 */
import { describe, expect, it } from 'vitest'
import { Session } from '../../../../region-node/commands/session.ts'
import { Channels } from '../../../../region-node/engine/channels.ts'

function world() {
  const channels = new Channels()
  const sessions = [1, 2].map((id) => new Session(id, `127.0.0.1:${id}`, '127.0.0.1:7101', 0))
  return { channels, a: sessions[0]!, b: sessions[1]! }
}

describe('channels', () => {
  it('tells a client once for its channel and once for each pattern that matches', () => {
    const { channels, a, b } = world()
    channels.listen(a, 'channel', 'news')
    channels.listen(a, 'pattern', 'n*')
    channels.listen(b, 'pattern', 'x*')
    expect(channels.tell('channel', 'news', 'hello')).toBe(2)
    channels.handOut()
    expect(a.out.take()).toBe(
      '*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n' +
        '*4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$5\r\nhello\r\n',
    )
    expect(b.out.take()).toBe('')
  })

  it('keeps shard channels apart from channels of the same name', () => {
    const { channels, a, b } = world()
    channels.listen(a, 'shard', 'news')
    channels.listen(b, 'pattern', '*')
    expect(channels.tell('shard', 'news', 'x')).toBe(1)
    channels.handOut()
    expect(a.out.take()).toContain('smessage')
    expect(b.out.take()).toBe('')
  })

  it('hands out nothing before it is asked to, and wakes the connection then', () => {
    const { channels, a } = world()
    let woken = 0
    a.resume = () => woken++
    channels.listen(a, 'channel', 'c')
    channels.tell('channel', 'c', 'm')
    expect([channels.isDue, a.out.length, woken]).toEqual([true, 0, 0])
    channels.handOut()
    expect([channels.isDue, a.out.length > 0, woken]).toEqual([false, true, 1])
  })

  it('forgets a session that has gone, and names nobody listens to', () => {
    const { channels, a } = world()
    channels.listen(a, 'channel', 'c')
    channels.listen(a, 'channel', 'c')
    channels.listen(a, 'pattern', 'p*')
    channels.listen(a, 'shard', 's')
    expect(a.subscriptions).toBe(3)
    channels.leaveAll(a)
    expect(a.subscriptions).toBe(0)
    expect([...channels.names('channel'), ...channels.names('pattern'), ...channels.names('shard')]).toEqual(
      [],
    )
    expect(channels.tell('channel', 'c', 'm')).toBe(0)
  })
})
