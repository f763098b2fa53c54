/**
 * errors.test.ts: the registry of errors: form of the lines, no stacks, no doubles.
 */
import { describe, expect, test } from 'vitest'
import {
  CommandError,
  commandError,
  errors,
  ProtocolError,
  protocolErrors,
} from '../../../region-node/errors.ts'

describe('the registry', () => {
  const constants = [...Object.entries(errors), ...Object.entries(protocolErrors)].filter(
    (entry): entry is [string, CommandError] => entry[1] instanceof CommandError,
  )

  test.each(constants)('%s is one line that begins with a code', (_, error) => {
    expect(error.line).toMatch(/^[A-Z]+ [^\r\n]+$/)
    expect(error.line.startsWith(`${error.code} `)).toBe(true)
  })

  test('no two entries say the same', () => {
    const lines = constants.map(([, error]) => error.line)
    expect(new Set(lines).size).toBe(lines.length)
  })

  test('nothing records a stack, and the limit of others is left alone', () => {
    const before = Error.stackTraceLimit
    expect(errors.wrongArity('get').stack).not.toContain(' at ')
    expect(Error.stackTraceLimit).toBe(before)
  })
})

describe('texts with parameters', () => {
  test('an unknown command is quoted with the beginning of its words', () => {
    expect(errors.unknownCommand(['foo']).line).toBe("ERR unknown command 'foo', with args beginning with: ")
    expect(errors.unknownCommand(['foo', 'a', 'b']).line).toBe(
      "ERR unknown command 'foo', with args beginning with: 'a' 'b' ",
    )
  })

  test('it is cut as Redis cuts it', () => {
    const line = errors.unknownCommand(['f'.repeat(200), 'a'.repeat(100), 'b'.repeat(100), 'c']).line
    expect(line).toBe(
      `ERR unknown command '${'f'.repeat(128)}', with args beginning with: ` +
        `'${'a'.repeat(100)}' '${'b'.repeat(25)}' `,
    )
  })

  test('a client cannot put a line end into an error', () => {
    expect(errors.unknownCommand(['a\r\n+OK']).line).not.toMatch(/[\r\n]/)
    expect(commandError('ERR a\nb').line).toBe('ERR a b')
  })

  test('names come as Redis writes them', () => {
    expect(errors.wrongArity('config|get').line).toBe(
      "ERR wrong number of arguments for 'config|get' command",
    )
    expect(errors.unknownSubcommand('client', 'X').line).toBe("ERR unknown subcommand 'X'. Try CLIENT HELP.")
    expect(errors.invalidExpire('set').line).toBe("ERR invalid expire time in 'set' command")
    expect(protocolErrors.notABulk(0x78).line).toBe("ERR Protocol error: expected '$', got 'x'")
  })

  test('a protocol error is a command error of its own kind', () => {
    expect(protocolErrors.badBulkLength).toBeInstanceOf(ProtocolError)
    expect(protocolErrors.badBulkLength.code).toBe('ERR')
  })
})
