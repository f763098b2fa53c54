/**
 * version.ts: the version of this program, as `causeway --version`, INFO and the admin API show it.
 *
 * Invariant: equal to the version in package.json (a unit test compares them). It is a constant so
 * that no code has to find package.json from wherever it was built or bundled to.
 */
export const VERSION = '0.1.0'
