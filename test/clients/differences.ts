/**
 * differences.ts: where Causeway answers otherwise than redis-server, on purpose, and why.
 *
 * Everything else that differs is a bug. A row with `explains` is met by the differential test, which
 * counts it; one without is here for the reader: the random commands keep away from it.
 */
import { integerIn } from '../harness/reply-text.ts'

export interface Difference {
  readonly name: string
  readonly reason: string
  readonly explains?: (words: readonly string[], redis: string, ours: string) => boolean
  /** Both servers hold different data from there on, so that later replies say nothing. */
  readonly parts?: boolean
}

const DEADLINE_READERS: ReadonlySet<string> = new Set(['ttl', 'pttl', 'expiretime', 'pexpiretime'])
const DEADLINE_WRITERS: ReadonlySet<string> = new Set(['expire', 'pexpire', 'expireat', 'pexpireat'])
/** In milliseconds, or, a thousand times smaller, in seconds: near the last deadline there can be. */
const LAST_DEADLINES_MS = 2 ** 52
const LAST_DEADLINES_S = LAST_DEADLINES_MS / 1000

export const DIFFERENCES: readonly Difference[] = [
  {
    name: 'last deadline',
    reason:
      'Deadlines end at 2^53 ms (year 287396), where the op codec ends, and not at 2^63 ms. Later ones are ' +
      'accepted and cut to it.',
    explains: (words, redis, ours) => {
      const name = words[0]!.toLowerCase()
      const least = name.startsWith('p') ? LAST_DEADLINES_MS : LAST_DEADLINES_S
      if (DEADLINE_READERS.has(name)) {
        // In a script, 2^63 - 1 comes back as -2^63.
        return Math.abs(integerIn(redis) ?? 0) > least && (integerIn(ours) ?? 0) > least
      }
      // With GT or LT: which of two last moments is the later one.
      return DEADLINE_WRITERS.has(name) && words.length > 3 && Number(words[2]) > least
    },
  },
  {
    name: 'DBSIZE of due keys',
    reason: 'A key that is due does not count here; in Redis it does until somebody stumbles over it.',
    explains: (words, redis, ours) =>
      words[0]!.toLowerCase() === 'dbsize' && (integerIn(redis) ?? 0) > (integerIn(ours) ?? Infinity),
  },
  {
    name: 'the lowest RANK',
    reason:
      'LPOS with the RANK -2^63 counts from the end, where nothing is; 7.0 forgets its sign, 7.2 refuses it.',
    explains: ([name, ...words]) =>
      name!.toLowerCase() === 'lpos' &&
      words.some((word, i) => word.toLowerCase() === 'rank' && words[i + 1] === '-9223372036854775808'),
  },
  {
    name: 'keys of wrong commands',
    reason:
      'COMMAND GETKEYS of a command with a wrong number of keys answers those that are sure, such as the ' +
      'destination; Redis finds it invalid, cuts a number of keys to its last 32 bits, and reads `1e3` as 1.',
    explains: ([, getKeys, ...words], redis) =>
      getKeys?.toLowerCase() === 'getkeys' &&
      (redis.startsWith('-ERR Invalid arguments') ||
        words.some((word) => Math.abs(Number(word)) >= 2 ** 31 || isReadByHalf(word))),
  },
  {
    name: 'damaged HyperLogLogs',
    reason:
      'A HyperLogLog whose bytes were changed by SETBIT, SETRANGE or the like is read whole here before anything is ' +
      'done with it, refused when it is not one, and kept with runs of equal registers joined; Redis notices what ' +
      'it stumbles over.',
    explains: ([name], redis, ours) =>
      name!.toLowerCase().startsWith('pf') &&
      ([redis, ours].some((reply) => reply.startsWith('-INVALIDOBJ')) ||
        registersOf(redis) === registersOf(ours)),
    parts: true,
  },
  {
    name: 'unbalanced streams',
    reason: 'The words are those of 7.2, which name the command; 7.0 calls both of them XREAD.',
    explains: (_words, redis, ours) =>
      redis.startsWith('-ERR Unbalanced XREAD list') && ours.startsWith("-ERR Unbalanced 'xread"),
  },
  {
    name: 'streams that are emptied',
    reason:
      'A stream whose last entry goes and that has no groups does not exist any more, and forgets its last id. ' +
      'In Redis it stays.',
  },
  {
    name: 'ids that * makes',
    reason: 'Their sequence carries the number of the region, so that no two regions make the same one.',
  },
  {
    name: 'consumers of streams, as of 7.2',
    reason:
      'XREADGROUP, XCLAIM and XAUTOCLAIM make their consumer in any case, and XINFO shows when one was last ' +
      'active; 7.0 makes it when there is something for it. XSETID is held to what XDEL took.',
  },
  {
    name: 'blocks of a stream',
    reason:
      'XTRIM with ~ and XINFO STREAM speak of blocks of a hundred entries counted from the beginning; in Redis ' +
      'they lie where they came to lie.',
  },
  {
    name: 'exact floats',
    reason:
      'INCRBYFLOAT and HINCRBYFLOAT sum decimals exactly, so that regions agree whatever the order of ' +
      'arrival; Redis rounds every sum to a long double. Digits differ past the 19th significant one, ' +
      'and hexadecimal numbers are no floats here.',
  },
  {
    name: 'exact scores',
    reason:
      'What several ZADDs and ZINCRBYs add up to is summed exactly and rounded once, so that regions agree; ' +
      'Redis rounds every sum. The last digit may differ, a sum past the range of doubles comes back, -0 is ' +
      'stored as 0, and hexadecimal numbers are no scores.',
  },
  {
    name: 'ZRANK WITHSCORE',
    reason: 'ZRANK and ZREVRANK take WITHSCORE, as in Redis 7.2.',
  },
  {
    name: 'limited repetition',
    reason:
      'SRANDMEMBER, HRANDFIELD and ZRANDMEMBER draw at most 2^20 times with repetition and answer "value is out of ' +
      'range" beyond; Redis goes on until its memory is full.',
  },
  {
    name: 'WATCH and adds',
    reason:
      'An SADD of members that are all there is a write here, so that it can beat a concurrent SREM; it ' +
      'makes the EXEC of whoever watches the set fail. In Redis it changes nothing. Likewise ZADD and ZINCRBY.',
  },
  {
    name: 'steps of SCAN',
    reason:
      'Cursors and the number of elements a call returns are private to the server. The guarantee is the ' +
      'same: what is there all the time is returned at least once.',
  },
  {
    name: 'texts with NUL',
    reason: 'Errors that quote a word of the client quote all of it; Redis stops at a byte 0.',
  },
  {
    name: 'SORT after a range error',
    reason:
      'Redis 7.0 and 7.2 look at an errno that nobody has cleared: after INCRBYFLOAT of a number out of ' +
      'range, SORT takes any number for out of range.',
    explains: ([name], redis, ours) =>
      name!.toLowerCase().startsWith('sort') && redis.includes("can't be converted") && ours.startsWith('*'),
  },
  {
    name: 'SORT ALPHA of equals',
    reason:
      'Elements that ALPHA or BY find to be alike come in the order of their bytes here, the same in all ' +
      'regions. Redis leaves their order open, and ends its comparison at a byte 0.',
  },
  {
    name: 'bits that stay',
    reason:
      'SETBIT and BITFIELD that change nothing write nothing, as in Redis 7.2. One that fails and has made the ' +
      'string longer writes that, which in Redis a watcher of the key does not notice.',
  },
  {
    name: 'OBJECT',
    reason:
      'ENCODING names what Redis would choose for a value of that size, and never what it was before; ' +
      'IDLETIME is 0 and REFCOUNT 1.',
  },
  {
    name: 'CLIENT UNPAUSE',
    reason: 'It runs during a CLIENT PAUSE ALL; in Redis it waits for the end, as everything does.',
  },
  {
    name: 'double star',
    reason: 'The pattern `**` matches the empty word here, as `*` does; in Redis it does not.',
  },
]

/** The difference that explains why two replies are not the same. */
export function differenceFor(words: readonly string[], redis: string, ours: string): Difference | undefined {
  return DIFFERENCES.find(({ explains }) => explains?.(words, redis, ours) === true)
}

/** C's `atoi` finds a number in it, though the word as a whole is none in Redis's spelling. */
function isReadByHalf(word: string): boolean {
  const value = Number.parseInt(word, 10)
  return !Number.isNaN(value) && String(value) !== word
}

/** The registers that a reply of PFDEBUG DECODE lists, however it cuts them into runs; else the reply itself. */
function registersOf(reply: string): string {
  const runs = [...reply.matchAll(/\b(?:[zZ]:|v:(\d+),)(\d+)/g)]
  return runs.length === 0
    ? reply
    : runs.map(([, value = '0', count]) => `${value},`.repeat(Number(count))).join('')
}
