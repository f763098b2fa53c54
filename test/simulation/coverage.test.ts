/**
 * coverage.test.ts: no command that writes is forgotten by the simulation: it has a model of what it replies and
 * leaves, and clients of a run use it. That its replies were then compared is asked at the end of simulation.test.ts.
 */
import { describe, expect, it } from 'vitest'
import { Prng } from '../harness/prng.ts'
import type { Words } from '../harness/redis-model/plain-data.ts'
import { commandName, isModelled } from '../harness/redis-model/redis-model.ts'
import { drawOptions, FAMILIES } from './options.ts'
import { partsOfScript } from './script-words.ts'
import { UNJUDGED, WRITING } from './unjudged.ts'
import { Workload } from './workload.ts'

const DRAWS = 20_000

/** A client's words, or those that its script runs. */
function commandsIn(words: Words): readonly Words[] {
  const isRunner = words[0] === 'EVAL' || words[0] === 'EVALSHA' || words[0] === 'FCALL'
  return isRunner ? [words, ...partsOfScript(words, '')!.commands] : [words]
}

describe('every command that writes', () => {
  const excepted = new Set(UNJUDGED.flatMap(({ commands }) => commands))
  const judged = WRITING.filter((name) => !excepted.has(name)).map((name) => name.toUpperCase())

  it('has a model, or a reason not to have one', () => {
    expect(judged.filter((name) => !isModelled(name))).toEqual([])
    for (const name of excepted) {
      expect(WRITING).toContain(name)
      expect(isModelled(name.toUpperCase()), name).toBe(false)
    }
  })

  it('is drawn by clients', () => {
    const options = { ...drawOptions(1, undefined, { focus: FAMILIES }), flushes: true }
    const workload = new Workload(new Prng(1), options)
    const drawn = Array.from({ length: DRAWS }, () => workload.next(0)).flat()
    const names = new Set(drawn.flatMap(commandsIn).map(commandName))
    expect([...judged, 'EVAL', 'EVALSHA', 'FCALL', 'EXEC'].filter((name) => !names.has(name))).toEqual([])
  })
})
