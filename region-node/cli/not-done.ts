/**
 * not-done.ts: what somebody asked for and has not come about.
 */

/** Why nothing was changed, or not all, and what to do; for people. */
export class NotDoneError extends Error {}
