/**
 * digest.ts: a 128-bit fingerprint of what reads can answer.
 *
 * Two regions at one vector must give the same digest whatever the order in which ops arrived and
 * whatever each has already reclaimed, so only values, hidden types and deadlines go in, and the parts
 * of an unordered whole are added up instead of chained. It finds divergence; it is no defence against
 * somebody who builds collisions.
 *
 * Four lanes of 32 bits, mixed as in MurmurHash3 (Appleby, public domain) with four seeds.
 */
export class Fingerprint {
  readonly #lanes = new Int32Array([0x9747b28c, 0x2f0b4c47, 0x5bd1e995, 0x1b873593])

  number(value: number): this {
    const lanes = this.#lanes
    for (let i = 0; i < 4; i++) lanes[i] = mix(lanes[i]! ^ i, value | 0)
    return this
  }

  word(word: string): this {
    const lanes = this.#lanes
    let a = lanes[0]!
    let b = lanes[1]!
    let c = lanes[2]!
    let d = lanes[3]!
    for (let i = 0; i < word.length; i++) {
      const unit = word.charCodeAt(i)
      a = Math.imul(a ^ unit, 0x01000193)
      b = Math.imul(b, 31) + unit
      c = mix(c, unit)
      d = (d << 5) - d + (unit ^ (d >>> 27))
    }
    lanes[0] = a
    lanes[1] = b
    lanes[2] = c
    lanes[3] = d
    return this.number(word.length)
  }

  /** Chains another fingerprint in: position matters. */
  nested(other: Fingerprint): this {
    const lanes = this.#lanes
    for (let i = 0; i < 4; i++) lanes[i] = mix(lanes[i]!, other.#final(i))
    return this
  }

  /** Adds another fingerprint up: order does not matter. */
  sum(other: Fingerprint): this {
    const lanes = this.#lanes
    for (let i = 0; i < 4; i++) lanes[i] = lanes[i]! + other.#final(i)
    return this
  }

  hex(): string {
    let text = ''
    for (let i = 0; i < 4; i++) text += (this.#final(i) >>> 0).toString(16).padStart(8, '0')
    return text
  }

  #final(i: number): number {
    let h = this.#lanes[i]!
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    return h ^ (h >>> 16)
  }
}

function mix(lane: number, value: number): number {
  const k = Math.imul(value, 0xcc9e2d51)
  const rotated = Math.imul((k << 15) | (k >>> 17), 0x1b873593)
  const h = lane ^ rotated
  return Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64
}
