/**
 * words.ts: reads the words behind a subcommand: names, `--option value`, `--option=value`, and switches.
 *
 * Whoever asks says which options there are; anything else is refused in a sentence that says what to write.
 */
import { closest, distance } from 'fastest-levenshtein'
import type { NodeAddress } from './node-client.ts'

/** What is wrong with the words of the command line, for people. */
export class UsageError extends Error {}

/** `many`: may be given several times. `switch`: has no value. */
export type OptionKind = 'one' | 'many' | 'switch'

export interface Grammar {
  /** The subcommand, as in `cluster status`: for refusals. */
  readonly command: string
  /** Where its help is, as in `causeway cluster --help`. */
  readonly help: string
  readonly options: Readonly<Record<string, OptionKind>>
}

const DEFAULT_PORT = '6379'
/** More wrong letters than that are no typing error. */
const TYPING_ERRORS_MAX = 2

export class Words {
  /** What is no option, in order. */
  readonly names: string[] = []
  readonly #values = new Map<string, string[]>()

  /** @throws UsageError */
  constructor(argv: readonly string[], grammar: Grammar) {
    for (let at = 0; at < argv.length; at++) {
      const word = argv[at]!
      if (!word.startsWith('--')) {
        this.names.push(word)
        continue
      }
      const equals = word.indexOf('=')
      const option = word.slice(2, equals < 0 ? undefined : equals)
      const kind = kindOf(option, grammar)
      const before = this.#values.get(option) ?? []
      if (before.length > 0 && kind !== 'many') throw new UsageError(`--${option} is given twice`)
      if (kind === 'switch' && equals >= 0) throw new UsageError(`--${option} takes no value`)
      const value = kind === 'switch' ? 'yes' : equals < 0 ? argv[++at] : word.slice(equals + 1)
      if (value === undefined || value === '') throw new UsageError(`--${option} needs a value`)
      this.#values.set(option, [...before, value])
    }
  }

  has(option: string): boolean {
    return this.#values.has(option)
  }

  /** The value of an option; undefined when it is not given. */
  get(option: string): string | undefined {
    return this.#values.get(option)?.[0]
  }

  all(option: string): readonly string[] {
    return this.#values.get(option) ?? []
  }
}

function kindOf(option: string, { command, help, options }: Grammar): OptionKind {
  const kind = Object.hasOwn(options, option) ? options[option] : undefined
  if (kind !== undefined) return kind
  const nearest = closest(option, Object.keys(options))
  const isNear = distance(option, nearest) <= TYPING_ERRORS_MAX
  throw new UsageError(
    `'${command}' takes no --${option}: ${isNear ? `did you mean '--${nearest}'?` : `see '${help}'`}`,
  )
}

/** @param option  that it was given with @throws UsageError */
export function addressOf(text: string, option: string): NodeAddress {
  const url = URL.canParse(`tcp://${text}`) ? new URL(`tcp://${text}`) : undefined
  if (url === undefined || url.hostname === '' || url.host !== text)
    throw new UsageError(`'${text}' is no address of a node: write --${option} HOST:PORT`)
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return { host, port: Number(url.port || DEFAULT_PORT) }
}

export function addressText({ host, port }: NodeAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
