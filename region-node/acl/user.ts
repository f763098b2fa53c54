/**
 * user.ts: one user: his passwords, as hashes, and his selectors. A request is allowed when one selector alone
 * allows all of it.
 */
import { type Denial, Permissions, type Request } from './permissions.ts'

export class User {
  readonly name: string
  isEnabled = false
  /** Any password will do. */
  needsNoPassword = false
  /** SHA-256 of each password, 64 hexadecimal digits. */
  readonly passwordHashes = new Set<string>()
  sanitizesPayload = true
  root = new Permissions()
  selectors: Permissions[] = []
  /** Nothing is refused to him: kept up to date by `settle`. */
  isUnrestricted = false

  constructor(name: string) {
    this.name = name
  }

  /** To be changed as a whole, or not at all. */
  copy(): User {
    const copy = new User(this.name)
    copy.become(this)
    return copy
  }

  become(other: User): void {
    this.isEnabled = other.isEnabled
    this.needsNoPassword = other.needsNoPassword
    const hashes = [...other.passwordHashes]
    this.passwordHashes.clear()
    for (const hash of hashes) this.passwordHashes.add(hash)
    this.sanitizesPayload = other.sanitizesPayload
    this.root = other.root.copy()
    this.selectors = other.selectors.map((selector) => selector.copy())
    this.settle()
  }

  /** Called after every change. */
  settle(): void {
    this.isUnrestricted = this.root.isUnrestricted
  }

  /** @returns why not, for the selector that allows most of it; undefined when one allows all of it */
  denies(request: Request): Denial | undefined {
    let closest: Denial | undefined
    for (const selector of [this.root, ...this.selectors]) {
      const denial = selector.denies(request)
      if (denial === undefined) return undefined
      if (closest === undefined || RANK[denial.reason] > RANK[closest.reason]) closest = denial
    }
    return closest
  }

  get flags(): string[] {
    const flags = [this.isEnabled ? 'on' : 'off']
    if (this.needsNoPassword) flags.push('nopass')
    flags.push(this.sanitizesPayload ? 'sanitize-payload' : 'skip-sanitize-payload')
    return flags
  }

  /** As ACL LIST shows him, and as a file holds him. */
  get text(): string {
    const hashes = [...this.passwordHashes].map((hash) => `#${hash}`)
    const selectors = this.selectors.map(({ text }) => `(${text})`)
    return ['user', this.name, ...this.flags, ...hashes, this.root.text, ...selectors].join(' ')
  }
}

/** How far a request came before it was refused. */
const RANK: Readonly<Record<Denial['reason'], number>> = { command: 0, key: 1, channel: 2 }
