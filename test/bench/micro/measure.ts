/**
 * measure.ts: nanoseconds per thing, for loops that are too short for a profiler.
 *
 * Many short rounds; the fastest and the median are printed. On a busy machine the fastest says more.
 */

const ROUNDS = 60

/** @param round  does `count` things and returns a number made of them, so that none can be left out */
export function measure(name: string, count: number, round: () => number): void {
  const nanoseconds: number[] = []
  let result = 0
  for (let i = 0; i < ROUNDS; i++) {
    const start = process.hrtime.bigint()
    result += round()
    nanoseconds.push(Number(process.hrtime.bigint() - start) / count)
  }
  nanoseconds.sort((a, b) => a - b)
  // The result is printed so that the work cannot be optimized away.
  console.log(
    name.padEnd(40),
    `${nanoseconds[0]!.toFixed(1)} ns at best`.padStart(16),
    `${nanoseconds[ROUNDS >> 1]!.toFixed(1)} ns median`.padStart(18),
    result % 2 === 0 ? '' : '.',
  )
}
