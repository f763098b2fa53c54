/**
 * permissions.ts: what one selector of a user lets him do: which commands, on which keys, on which channels.
 *
 * Rules about commands are kept in the order in which they were given, because the last one that speaks of a
 * command decides; what they come to is kept beside them, as a set of names.
 *
 * Invariant: `commands` is what `rules` allow, for every command that the catalog knows.
 * Source: acl.c of Redis 7.2 and its page on access control lists.
 */
import { globMatch } from '../commands/glob.ts'

/** What the rules speak about: the command table, as access control sees it. */
export interface Catalog {
  /** A command by its full name (`get`, `config|get`), and what belongs to it; undefined when there is none. */
  get(name: string): CatalogEntry | undefined
  /** Every command and subcommand of a category; undefined for an unknown one. */
  category(name: string): readonly string[] | undefined
  /** Every command and subcommand. */
  all(): Iterable<string>
}

export interface CatalogEntry {
  readonly name: string
  /** Full names of its subcommands. */
  readonly subcommands: readonly string[]
}

/** What a command does to a key. */
export interface KeyAccess {
  readonly key: string
  readonly reads: boolean
  readonly writes: boolean
}

/** What a command does to a channel. A pattern has to be among the user's patterns, letter for letter. */
export interface ChannelAccess {
  readonly channel: string
  readonly isPattern: boolean
}

/** What a command is about to do. */
export interface Request {
  readonly command: string
  readonly words: readonly string[]
  readonly keys: readonly KeyAccess[]
  readonly channels: readonly ChannelAccess[]
}

export type Denial =
  | { readonly reason: 'command'; readonly object: string }
  | { readonly reason: 'key'; readonly object: string }
  | { readonly reason: 'channel'; readonly object: string }

interface KeyPattern {
  readonly pattern: string
  readonly reads: boolean
  readonly writes: boolean
}

export class Permissions {
  #rules: string[] = ['-@all']
  #allowsAll = false
  readonly #commands = new Set<string>()
  /** First words that a command is allowed with: `+select|0`. */
  readonly #firstWords = new Map<string, Set<string>>()
  #keys: KeyPattern[] = []
  #channels: string[] = []
  allKeys = false
  allChannels = false

  /** Nothing is refused to who has this. */
  get isUnrestricted(): boolean {
    return this.#allowsAll && this.allKeys && this.allChannels
  }

  copy(): Permissions {
    const copy = new Permissions()
    copy.#rules = [...this.#rules]
    copy.#allowsAll = this.#allowsAll
    for (const name of this.#commands) copy.#commands.add(name)
    for (const [name, words] of this.#firstWords) copy.#firstWords.set(name, new Set(words))
    copy.#keys = [...this.#keys]
    copy.#channels = [...this.#channels]
    copy.allKeys = this.allKeys
    copy.allChannels = this.allChannels
    return copy
  }

  /** `+@all` or `-@all`: nothing said before counts any more. */
  setAll(allows: boolean, catalog: Catalog): void {
    this.#rules = [allows ? '+@all' : '-@all']
    this.#allowsAll = allows
    this.#firstWords.clear()
    this.#commands.clear()
    if (allows) for (const name of catalog.all()) this.#commands.add(name)
  }

  /** @returns false when there is no such category */
  setCategory(allows: boolean, category: string, catalog: Catalog): boolean {
    const names = catalog.category(category)
    if (names === undefined) return false
    for (const name of names) this.#set(allows, name)
    this.#note(`${allows ? '+' : '-'}@${category}`)
    return true
  }

  /** @param entry  with its subcommands, when it has any */
  setCommand(allows: boolean, { name, subcommands }: CatalogEntry): void {
    for (const one of [name, ...subcommands]) this.#set(allows, one)
    // What was said of its parts is overruled.
    this.#rules = this.#rules.filter((rule) => !rule.slice(1).startsWith(`${name}|`))
    this.#note(`${allows ? '+' : '-'}${name}`)
  }

  #set(allows: boolean, name: string): void {
    if (allows) {
      this.#commands.add(name)
      return
    }
    this.#allowsAll = false
    this.#commands.delete(name)
    this.#firstWords.delete(name)
  }

  /** Allows a command that has no subcommands, but only with this first word. */
  allowFirstWord(name: string, word: string): void {
    const words = this.#firstWords.get(name)
    if (words === undefined) this.#firstWords.set(name, new Set([word]))
    else words.add(word)
    this.#note(`+${name}|${word}`)
  }

  /** The latest rule about a thing stands last, and alone. */
  #note(rule: string): void {
    const about = rule.slice(1)
    this.#rules = [...this.#rules.filter((one) => one.slice(1) !== about), rule]
  }

  addKeys(pattern: string, reads: boolean, writes: boolean): void {
    this.#keys = this.#keys.filter((one) => one.pattern !== pattern)
    this.#keys.push({ pattern, reads, writes })
  }

  addChannels(pattern: string): void {
    if (!this.#channels.includes(pattern)) this.#channels.push(pattern)
  }

  resetKeys(): void {
    this.allKeys = false
    this.#keys = []
  }

  resetChannels(): void {
    this.allChannels = false
    this.#channels = []
  }

  /** @returns why not; undefined when all of it is allowed */
  denies({ command, words, keys, channels }: Request): Denial | undefined {
    if (!this.mayRun(command, words)) return { reason: 'command', object: command }
    for (const access of keys) if (!this.#mayUse(access)) return { reason: 'key', object: access.key }
    for (const access of channels)
      if (!this.mayHear(access)) return { reason: 'channel', object: access.channel }
    return undefined
  }

  mayRun(command: string, words: readonly string[]): boolean {
    if (this.#commands.has(command)) return true
    const firstWords = this.#firstWords.get(command)
    return firstWords !== undefined && words.length > 1 && firstWords.has(words[1]!.toLowerCase())
  }

  #mayUse({ key, reads, writes }: KeyAccess): boolean {
    if (this.allKeys) return true
    return this.#keys.some(
      (one) => (one.reads || !reads) && (one.writes || !writes) && globMatch(one.pattern, key),
    )
  }

  mayHear({ channel, isPattern }: ChannelAccess): boolean {
    if (this.allChannels) return true
    return this.#channels.some((pattern) => (isPattern ? pattern === channel : globMatch(pattern, channel)))
  }

  /** Command rules, as ACL GETUSER shows them. */
  get commandText(): string {
    return this.#rules.join(' ')
  }

  get keyText(): string {
    return this.allKeys ? '~*' : this.#keys.map(keyPatternText).join(' ')
  }

  get channelText(): string {
    return this.allChannels ? '&*' : this.#channels.map((pattern) => `&${pattern}`).join(' ')
  }

  /** Everything, as ACL LIST shows it, which is what makes the same of a new user. */
  get text(): string {
    const parts = [this.keyText]
    if (!this.allChannels) parts.push('resetchannels')
    parts.push(this.channelText, this.commandText)
    return parts.filter((part) => part !== '').join(' ')
  }
}

function keyPatternText({ pattern, reads, writes }: KeyPattern): string {
  if (reads && writes) return `~${pattern}`
  return `%${reads ? 'R' : 'W'}~${pattern}`
}
