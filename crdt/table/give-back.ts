/**
 * give-back.ts: memory of an array that has been copied to a larger one, given back at once.
 *
 * An engine counts the memory of arrays apart from its heap and does not know when it is free but by a collection of
 * all of its heap. Tables that grow leave a multiple of what they hold behind, and V8 marked a heap of 20 MB ten
 * times a second for that: a sixth of the processor time of INCR on new keys. Memory that is transferred to an object
 * that nobody keeps goes with the next collection of the young.
 *
 * `structuredClone` is the one way to do that in every engine that is in use (HTML standard, 2.7.10);
 * ArrayBuffer.prototype.transfer would do once Node 20 is gone.
 */

/** What is smaller costs more to transfer (1.4 us) than to leave to the collector. */
const BYTES_MIN = 4096

/** Nobody may look at the array any more: it has no elements afterwards. */
export function giveBack({ buffer }: { readonly buffer: ArrayBufferLike }): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= BYTES_MIN)
    structuredClone(buffer, { transfer: [buffer] })
}
