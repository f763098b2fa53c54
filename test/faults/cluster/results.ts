/**
 * results.ts: what a run of the faults has found, as a document with tables.
 */
import { availableParallelism, loadavg, totalmem } from 'node:os'
import { CLIENT_SENTENCE } from '../../../compose/cluster/writer.ts'
import type { FailoversReport } from './failovers.ts'
import { REGIONS } from './scene.ts'
import type { FaultTitle, Report } from './trial.ts'
import type { Window } from './windows.ts'

const SECOND_MS = 1000

export class Results {
  readonly #beganMs = performance.now()
  readonly #loadBefore = loadavg()[0]!
  readonly #faults: string[] = []
  readonly #windows: string[] = []
  readonly #failovers: string[] = []
  readonly #notes: string[] = []
  failures = 0

  fault({ number, fault, done, ack }: FaultTitle, report: Report): void {
    const { windowMs, errors, acknowledged, found, failures, remarks } = report
    const window = windowMs === undefined ? 'not measured' : `${Math.round(windowMs)} ms`
    this.#faults.push(
      row(
        ...[number, fault, done, ack, window, count(errors), count(acknowledged), count(found)],
        count(acknowledged - found),
        this.#verdict(failures),
      ),
    )
    for (const text of [...remarks, ...failures])
      this.#notes.push(`- ${number}, ${ack}: ${text.replace(/\.$/, '')}.`)
  }

  window({ kind, ack, limitMs, gapsMs, errors }: Window): void {
    const sorted = [...gapsMs].sort((a, b) => a - b)
    const worst = sorted.at(-1)!
    const over = gapsMs.filter((gapMs) => gapMs > limitMs).length
    const failures = over === 0 ? [] : [`${kind}: ${over} of ${gapsMs.length} above ${limitMs} ms`]
    for (const text of failures) this.#notes.push(`- ${text}, ${ack}.`)
    this.#windows.push(
      row(
        ...[kind, ack, String(gapsMs.length), `${Math.round(median(sorted))} ms`, `${Math.round(worst)} ms`],
        ...[`${limitMs} ms`, count(errors), this.#verdict(failures)],
      ),
    )
  }

  failovers({ ack, byKind, acknowledged, lost, failures }: FailoversReport): void {
    const kinds = [...byKind].map(([kind, times]) => `${times} ${kind}`).join(', ')
    const total = [...byKind.values()].reduce((sum, times) => sum + times, 0)
    const all = lost === 0 ? failures : [...failures, `${lost} acknowledged writes are lost`]
    for (const text of all) this.#notes.push(`- random failovers, ${ack}: ${text}.`)
    this.#failovers.push(row(ack, String(total), kinds, count(acknowledged), count(lost), this.#verdict(all)))
  }

  #verdict(failures: readonly string[]): string {
    this.failures += failures.length
    return failures.length === 0 ? 'holds' : 'DOES NOT HOLD'
  }

  text(): string {
    const minutes = ((performance.now() - this.#beganMs) / (60 * SECOND_MS)).toFixed(0)
    const shape = [...REGIONS].map(([name, zones]) => `${name} of ${zones.length} nodes`).join(', ')
    return [
      '# Faults inside a region',
      '',
      `${new Date().toISOString().slice(0, 10)}, ${availableParallelism()} cores, ` +
        `${Math.round(totalmem() / 2 ** 30)} GiB of memory, Linux, Node ${process.version}; ${minutes} minutes. ` +
        `Load average of a minute: ${this.#loadBefore.toFixed(1)} before, ${loadavg()[0]!.toFixed(1)} at the end.`,
      '',
      `Written by \`npm run faults:cluster\`. Regions ${shape}, each node in a zone of its own; with an etcd of`,
      'three members, the relays between them and the clients they share the machine: with a load average far',
      'above the number of cores, read a window as an upper bound. failover-profile is high, appendfsync everysec.',
      `The client is ${CLIENT_SENTENCE}.`,
      'A window is its longest time without an acknowledgement; errors are commands that it gave up. Found is',
      'counted on all nodes of both regions, when everything runs again.',
      ...section('Faults', FAULT_HEADINGS, this.#faults),
      ...(this.#faults.length > 0 ? ['', MACHINES] : []),
      ...section('Windows', WINDOW_HEADINGS, this.#windows),
      ...section('Random failovers', FAILOVER_HEADINGS, this.#failovers),
      ...(this.#notes.length > 0 ? ['', '## Remarks', '', ...this.#notes] : []),
      '',
    ].join('\n')
  }
}

/** Numbers are those of the list of faults in the design. */
const FAULT_HEADINGS = [
  ...['#', 'fault', 'what was done', 'replica-ack', 'window', 'errors', 'acknowledged', 'found', 'lost'],
  'verdict',
]
const WINDOW_HEADINGS = ['what', 'replica-ack', 'times', 'median', 'worst', 'promised', 'errors', 'verdict']
const FAILOVER_HEADINGS = ['replica-ack', 'failovers', 'of them', 'acknowledged', 'lost', 'verdict']
const MACHINES =
  'Numbers 21, 22 and 23b have machines, four partitions and an etcd of one member. Number 22 changes over how many\n' +
  'machines a region is placed: the number of partitions is chosen at the beginning, for all regions. The others have\n' +
  'one partition, and nodes that were started one by one.'

function section(title: string, headings: readonly string[], rows: readonly string[]): string[] {
  if (rows.length === 0) return []
  return ['', `## ${title}`, '', row(...headings), row(...headings.map(() => '---')), ...rows]
}

function row(...cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

function median(sorted: readonly number[]): number {
  const middle = sorted.length / 2
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2
}

function count(number: number): string {
  return number.toLocaleString('en-US')
}
