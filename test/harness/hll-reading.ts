/**
 * hll-reading.ts: the registers in the bytes of a HyperLogLog, worked out for the oracle without a line of crdt/.
 */
const REGISTERS = 16384
const HEADER_BYTES = 16
const DENSE = 0

/** By register, those above 0. @param text  as Redis keeps it, sparse or dense */
export function registersIn(text: string): Map<number, number> {
  const body = text.slice(HEADER_BYTES)
  return text.charCodeAt(4) === DENSE ? denseIn(body) : sparseIn(body)
}

/** Its body says something of every register, and of no more. */
export function isWhole(text: string): boolean {
  const body = text.slice(HEADER_BYTES)
  if (text.charCodeAt(4) === DENSE) return body.length === (REGISTERS * 6) / 8
  let [at, count] = [0, 0]
  while (at < body.length) {
    const byte = body.charCodeAt(at++)
    if (byte < 64) count += byte + 1
    else if (byte >= 128) count += (byte % 4) + 1
    else count += (byte - 64) * 256 + body.charCodeAt(at++) + 1
  }
  return count === REGISTERS
}

function denseIn(body: string): Map<number, number> {
  const registers = new Map<number, number>()
  for (let index = 0; index < REGISTERS; index++) {
    let level = 0
    for (let bit = 0; bit < 6; bit++) {
      const at = index * 6 + bit
      if ((body.charCodeAt(at >> 3) >> (at & 7)) & 1) level += 2 ** bit
    }
    if (level > 0) registers.set(index, level)
  }
  return registers
}

function sparseIn(body: string): Map<number, number> {
  const registers = new Map<number, number>()
  let index = 0
  for (let at = 0; at < body.length; at++) {
    const byte = body.charCodeAt(at)
    if (byte < 64) {
      index += byte + 1
    } else if (byte < 128) {
      index += (byte - 64) * 256 + body.charCodeAt(++at) + 1
    } else {
      for (let left = (byte % 4) + 1; left > 0; left--) registers.set(index++, ((byte - 128) >> 2) + 1)
    }
  }
  return registers
}

/** One line for registers, the same whatever order they were raised in. */
export function registersText(registers: ReadonlyMap<number, number>): string {
  const sorted = [...registers].sort(([a], [b]) => a - b)
  return sorted.map(([index, level]) => `${index}:${level}`).join(' ')
}
