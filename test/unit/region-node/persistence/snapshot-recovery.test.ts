/**
 * snapshot-recovery.test.ts: what a start makes of snapshots that are damaged, missing, or do not fit the log.
 */
import { expect, it } from 'vitest'
import { FOLDER, LoggedEngine, simulatedMachine } from './log-fixture.ts'

type Machine = ReturnType<typeof simulatedMachine>

const OPTIONS = { segmentBytes: 1024 }

/** Four snapshots with some writes between and behind them, and then a kill. The last two are there, newest last. */
function prepared(): { machine: Machine; digest: string; paths: string[]; logs: string[] } {
  const machine = simulatedMachine()
  const node = new LoggedEngine(machine, OPTIONS)
  for (let i = 0; i < 4; i++) {
    for (let turn = 0; turn < 12; turn++) {
      node.turn([
        ['SET', `key ${turn}`, `${i} ${'x'.repeat(80)}`],
        ['SADD', 'set', `${i} ${turn}`],
        ['INCR', 'count'],
        ['EXPIRE', `key ${turn}`, '1000'],
      ])
      machine.clock.advance(1100)
    }
    let isOver = false
    node.snapshotter.make(() => {
      isOver = true
    })
    machine.clock.advance(60_000, () => isOver)
  }
  for (let turn = 0; turn < 20; turn++) {
    node.turn([['SET', 'last', `word ${'x'.repeat(80)}`]])
    machine.clock.advance(2000)
  }
  const names = node.disk.list(FOLDER)
  const pathsOf = (suffix: string) =>
    names.filter((name) => name.endsWith(suffix)).map((name) => `${FOLDER}/${name}`)
  machine.disk.kill()
  return {
    machine,
    digest: node.engine.keyspace.digest(),
    paths: pathsOf('.snapshot'),
    logs: pathsOf('.log'),
  }
}

/** Flips a bit in the middle of a file. */
function damage({ disk }: Machine, path: string): void {
  const mounted = disk.mount()
  const bytes = mounted.readFile(path)!
  bytes[bytes.length >> 1]! ^= 8
  mounted.replaceFile(path, bytes)
}

it('a damaged newest snapshot is passed over, named and put aside', () => {
  const { machine, digest, paths } = prepared()
  expect(paths).toHaveLength(2)
  damage(machine, paths[1]!)
  const node = new LoggedEngine(machine, OPTIONS)
  expect(node.engine.keyspace.digest()).toBe(digest)
  expect(node.warnings).toHaveLength(1)
  expect(node.warnings[0]).toContain(paths[1])
  expect(node.warnings[0]).toContain('a checksum that does not match')
  expect(node.disk.list(FOLDER)).toContain(`${paths[1]!.slice(FOLDER.length + 1)}.unusable`)
  expect(node.store.newest?.path).toBe(paths[0])
})

it('a snapshot that was cut short is passed over, wherever it was cut', () => {
  const { machine, digest, paths } = prepared()
  const whole = machine.disk.mount().readFile(paths[1]!)!
  for (let length = 0; length < whole.length; length += 97) {
    machine.disk.mount().replaceFile(paths[1]!, whole.slice(0, length))
    expect(new LoggedEngine(machine, OPTIONS).engine.keyspace.digest()).toBe(digest)
    machine.disk.kill()
  }
})

it('without any whole snapshot a trimmed log refuses the start, and says what to do', () => {
  const { machine, paths } = prepared()
  for (const path of paths) damage(machine, path)
  expect(() => new LoggedEngine(machine, OPTIONS)).toThrow(/no snapshot leads up to it.*Put the files back/)
  // Nothing was put aside: it is for people to decide now.
  for (const path of paths) expect(machine.disk.mount().exists(path)).toBe(true)
})

it('a log that ends before the snapshot refuses the start: durable ops are missing', () => {
  const { machine, paths, logs } = prepared()
  const position = Number.parseInt(paths[0]!.slice(FOLDER.length + 1), 16)
  const mounted = machine.disk.mount()
  for (const path of logs)
    if (Number.parseInt(path.slice(FOLDER.length + 1), 16) > position) mounted.removeFile(path)
  mounted.removeFile(paths[0]!)
  expect(() => new LoggedEngine(machine, OPTIONS)).toThrow(/the log ends before/)
})

it('a snapshot alone, without a log, is a state to begin from', () => {
  const { machine, paths, logs } = prepared()
  for (const path of logs) machine.disk.mount().removeFile(path)
  const node = new LoggedEngine(machine, OPTIONS)
  const position = Number.parseInt(paths[1]!.slice(FOLDER.length + 1), 16)
  expect(node.log.start).toBe(position)
  node.turn([['SET', 'last', 'words']])
  machine.disk.kill()
  const again = new LoggedEngine(machine, OPTIONS)
  expect(again.engine.keyspace.digest()).toBe(node.engine.keyspace.digest())
  expect(again.get('last')).toBe('$5\r\nwords\r\n')
})

it('damage in the log behind the snapshot still refuses the start', () => {
  const { machine, logs } = prepared()
  const path = logs.at(-2)!
  const mounted = machine.disk.mount()
  const bytes = mounted.readFile(path)!
  mounted.replaceFile(path, bytes.slice(0, bytes.length - 3))
  expect(() => new LoggedEngine(machine, OPTIONS)).toThrow(
    /the log is damaged|a log file is missing|the log ends/,
  )
})
