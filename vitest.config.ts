/**
 * vitest.config.ts: three groups of tests, one after another.
 *
 *   unit        within one process, no I/O worth mentioning: files run side by side
 *   simulation  whole meshes on a virtual clock: busy processors, no real time; beside them the coordinators, which
 *               wait for leases to end and need no processor meanwhile
 *   processes   real nodes and clients, real time: one file at a time, so that what a test waits for
 *               does not wait for a processor that another test keeps busy
 */
import { defineConfig } from 'vitest/config'

/** Seconds of real processes on a busy machine of two cores, and still an end to a test that hangs. */
const PROCESS_TEST_MS_MAX = 120_000
const SIMULATION_TEST_MS_MAX = 600_000

const PROCESS_TESTS = [
  'test/conformance/{live,restart}.test.ts',
  'test/clients/**/*.test.ts',
  'test/faults/**/*.test.ts',
  'test/cluster/{last-will,partitions}.test.ts',
  'test/machine/machine-processes.test.ts',
]
const SIMULATION_TESTS = [
  'test/simulation/**/*.test.ts',
  'test/conformance/simulated.test.ts',
  'test/coordinator/{etcd,etcd-members,local-file}.test.ts',
]

export default defineConfig({
  test: {
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...PROCESS_TESTS, ...SIMULATION_TESTS],
          sequence: { groupOrder: 0 },
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'simulation',
          include: SIMULATION_TESTS,
          // Two that work, and one that waits.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          testTimeout: SIMULATION_TEST_MS_MAX,
          hookTimeout: PROCESS_TEST_MS_MAX,
        },
      },
      {
        extends: true,
        test: {
          name: 'processes',
          include: PROCESS_TESTS,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
          testTimeout: PROCESS_TEST_MS_MAX,
          hookTimeout: PROCESS_TEST_MS_MAX,
        },
      },
    ],
  },
})
