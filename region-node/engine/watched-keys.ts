/**
 * watched-keys.ts: which sessions WATCH which keys.
 *
 * An effect on a watched key, local or from another region, makes its watchers' next EXEC fail; but not the removal
 * of a key that was due when it was watched. The keyspace calls here only while somebody watches something.
 */
import type { Session, WatchedKey } from '../commands/session.ts'

export class WatchedKeys {
  readonly #watchers = new Map<string, Set<Session>>()

  get isEmpty(): boolean {
    return this.#watchers.size === 0
  }

  add(session: Session, db: number, key: string): void {
    const name = nameOf(db, key)
    const watchers = this.#watchers.get(name)
    if (watchers === undefined) this.#watchers.set(name, new Set([session]))
    else watchers.add(session)
  }

  /** Forgets all that the session watched. */
  release(session: Session): void {
    for (const { db, key } of session.watched) {
      const name = nameOf(db, key)
      const watchers = this.#watchers.get(name)
      watchers?.delete(session)
      if (watchers?.size === 0) this.#watchers.delete(name)
    }
    session.watched = []
    session.watchDirty = false
  }

  /**
   * An effect has touched a key. One that was not there for the watcher and is not now has not changed: a key that
   * was due already has been removed.
   */
  touched(db: number, key: string, isThere: boolean): void {
    for (const session of this.#watchers.get(nameOf(db, key)) ?? []) {
      const isWatched = (one: WatchedKey): boolean => one.existed && one.db === db && one.key === key
      if (isThere || session.watched.some(isWatched)) session.watchDirty = true
    }
  }

  /** A flush of one database, or of all (`db` < 0), touched every key there was. */
  flushed(db: number): void {
    for (const watchers of this.#watchers.values()) {
      for (const session of watchers) {
        if (session.watched.some((one) => one.existed && (db < 0 || one.db === db))) session.watchDirty = true
      }
    }
  }
}

function nameOf(db: number, key: string): string {
  return `${db}:${key}`
}
