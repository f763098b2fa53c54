/**
 * event-classes.ts: the letters of `notify-keyspace-events`.
 *
 * K and E say on which channels events are told, n and m have to be asked for by name, and A stands for all the
 * others. Source: notify.c of Redis 7.2.
 */
/** The letters of `notify-keyspace-events` that stand for kinds of events. */
export type EventClass = 'g' | '$' | 'l' | 's' | 'h' | 'z' | 'x' | 'e' | 't' | 'm' | 'n'

/** The order in which CONFIG GET shows the letters, as Redis does. */
const ALL_CLASSES = 'g$lshzxet'
const LETTERS = `${ALL_CLASSES}dKEmn`

/** @returns the setting in full, A written out; undefined when a letter means nothing */
export function parseEventFlags(text: string): string | undefined {
  const flags = new Set<string>()
  for (const letter of text) {
    if (letter === 'A') for (const one of `${ALL_CLASSES}d`) flags.add(one)
    else if (LETTERS.includes(letter)) flags.add(letter)
    else return undefined
  }
  return [...flags].join('')
}

/** As Redis prints it: A for all that it stands for. */
export function formatEventFlags(flags: string): string {
  const isAll = [...ALL_CLASSES, 'd'].every((letter) => flags.includes(letter))
  const classes = isAll ? 'A' : [...`${ALL_CLASSES}d`].filter((letter) => flags.includes(letter)).join('')
  return classes + [...'nKEm'].filter((letter) => flags.includes(letter)).join('')
}
