/**
 * reason.ts: why a link ended, by name.
 *
 * The one list of codes; PROTOCOL.md explains each to people, and a test compares the two. A code is for
 * programs, the sentence beside it for whoever reads the status of a link.
 */
const REFUSAL_CODES = [
  'protocol-version',
  'wrong-secret',
  'same-node',
  'same-region',
  'duplicate-region-id',
  'partition-count',
  'other-partition',
  'configuration',
  'unknown-region',
  'region-left',
  'region-behind',
  'wrong-region',
  'not-primary',
  'older-term',
  'link-down',
  'log-unavailable',
] as const

export const REASON_CODES = [
  // Refusals of the handshake.
  ...REFUSAL_CODES,
  // Ends of a link.
  'malformed-message',
  'unexpected-message',
  'malformed-record',
  'record-too-large',
  'buffer-full',
  'silent',
  'handshake-timeout',
  'too-many-handshakes',
  'superseded',
  'disk-full',
  'stopping',
  'lost',
] as const

export type ReasonCode = (typeof REASON_CODES)[number]

export interface Reason {
  /** One of `REASON_CODES`, or a code that a newer peer knows. */
  readonly code: string
  /** One sentence for people, without a secret in it. */
  readonly sentence: string
}

export function reason(code: ReasonCode, sentence: string): Reason {
  return { code, sentence }
}

/** A peer's bytes that mean nothing here: the link ends, the node goes on. */
export class ProtocolViolation extends Error {
  readonly code: ReasonCode

  constructor(code: ReasonCode, sentence: string) {
    super(sentence)
    this.name = 'ProtocolViolation'
    this.code = code
  }
}

/** The two ends do not agree to be linked; dialing again helps only when somebody changes something. */
export function isRefusal({ code }: Reason): boolean {
  return REFUSAL_CODES.some((refusal) => refusal === code)
}

export function hasLeft(region: string): Reason {
  return reason('region-left', `region ${region} was removed from the database`)
}

/** @param own  where the operator was who cut it */
export function linkDown(own: string, region: string): Reason {
  return reason('link-down', `the link between regions ${own} and ${region} was cut by an operator in ${own}`)
}
