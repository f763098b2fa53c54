/**
 * sweep.ts: runs schedules by the thousand, outside the tests: `node dist/test/cluster/sweep.js <first> <count>`.
 *
 * Tells which seeds failed and why; of a single one, everything that happened.
 */
import { runSchedule } from './schedule.ts'

const [first = 1, count = 100] = process.argv.slice(2).map(Number)
const sum = { schedules: count, failed: 0, terms: 0, neededOperator: 0 }
for (let seed = first; seed < first + count; seed++) {
  const { faults, notes, terms, neededOperator } = runSchedule(seed)
  sum.terms += terms
  if (neededOperator) sum.neededOperator++
  if (faults.length > 0) {
    sum.failed++
    console.log(`seed ${seed}: ${faults.slice(0, 3).join('; ')}`)
  }
  if (count === 1) console.log(notes.join('\n'))
}
console.log(sum)
