/**
 * command-line.ts: the options of a script for developers, and a sentence with its usage for what it does not know.
 */
import { type ParseArgsConfig, parseArgs } from 'node:util'

type Options = NonNullable<ParseArgsConfig['options']>
type Values<T extends Options> = ReturnType<typeof parseArgs<{ args: string[]; options: T }>>['values']

/** @returns undefined when there is something that the script does not know: it has been said why */
export function readOptions<const T extends Options>(
  argv: readonly string[],
  usage: string,
  options: T,
): Values<T> | undefined {
  try {
    return parseArgs({ args: [...argv], options }).values
  } catch (error) {
    // Those of parseArgs say which word they mean. Anything else is a mistake of ours.
    if (!(error instanceof TypeError)) throw error
    console.error(`${error.message.split('. ', 1)[0]}\n${usage}`)
    return undefined
  }
}
