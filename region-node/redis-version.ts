/**
 * redis-version.ts: the Redis release whose behaviour clients may rely on, as HELLO and INFO tell them.
 *
 * The version of this program is another thing: `version.ts`.
 */
export const REDIS_VERSION = '7.2.5'
