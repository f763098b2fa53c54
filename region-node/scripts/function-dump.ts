/**
 * function-dump.ts: what FUNCTION DUMP answers and FUNCTION RESTORE takes, in the form of a Redis database file:
 *
 *   dump = (opcode (245) code)* version (2) checksum (8)
 *
 * Source: functionDumpCommand in functions.c and rdbSaveFunctions in rdb.c of Redis 7.2.
 */
import { DecodeError, type Latin1 } from '../../crdt/codec/bytes.ts'
import { errors } from '../errors.ts'
import { openPayload, sealPayload } from '../rdb/payload.ts'
import { RdbWriter } from '../rdb/rdb-bytes.ts'

const OPCODE_FUNCTION = 245

/** @param texts  the code of libraries, shebangs included */
export function dumpLibraries(texts: readonly string[], latin1: Latin1): string {
  const out = new RdbWriter(latin1)
  for (const text of texts) {
    out.byte(OPCODE_FUNCTION)
    out.text(text)
  }
  return sealPayload(out, latin1)
}

/** @returns the code of the libraries @throws CommandError */
export function readDump(payload: string, latin1: Latin1): string[] {
  const from = openPayload(payload, latin1)
  if (from === undefined) throw errors.dumpPayload
  const texts: string[] = []
  try {
    while (from.more) {
      if (from.byte() !== OPCODE_FUNCTION) throw errors.functionOpcode
      texts.push(from.text())
    }
  } catch (error) {
    if (error instanceof DecodeError) throw errors.functionPayload
    throw error
  }
  return texts
}
