/**
 * region-list.ts: what CRDT.REGION LIST answers, read, and shown as a table for people.
 */
import { wordToText } from '../config/kinds.ts'
import { duration } from '../regions.ts'
import type { Reply } from '../resp/parse-reply.ts'
import { textTable } from './text-table.ts'

/** What a node knows of one region; '-' for what it does not know. */
export interface RegionRow {
  readonly name: string
  readonly id: string
  readonly status: string
  readonly epoch: string
  readonly mode: string
  readonly heard: string
  readonly lag: string
  readonly behind: string
  readonly takesWrites: string
  readonly url: string
}

/** The rows of one node. */
export interface RegionList {
  /** Undefined where there are no partitions. */
  readonly partition: number | undefined
  readonly rows: readonly RegionRow[]
}

const COLUMNS = ['name', 'id', 'status', 'epoch', 'mode', 'heard', 'lag', 'behind', 'takes writes', 'url']

export function listText(lists: readonly RegionList[]): string {
  const isParted = lists.some(({ partition }) => partition !== undefined)
  const heading = isParted ? ['partition', ...COLUMNS] : COLUMNS
  const cells = lists.flatMap(({ partition, rows }) =>
    rows.map((row) => (isParted ? [String(partition ?? '-'), ...Object.values(row)] : Object.values(row))),
  )
  return textTable([heading, ...cells])
}

export function rowsOf(reply: Reply): RegionRow[] {
  return (reply as Reply[][]).map((pairs) => rowOf(fieldsOf(pairs)))
}

/** A map, as nodes answer it to whoever has not said HELLO 3. */
export function fieldsOf(pairs: readonly Reply[]): Map<Reply, Reply> {
  const fields = new Map<Reply, Reply>()
  for (let i = 0; i + 1 < pairs.length; i += 2) fields.set(pairs[i]!, pairs[i + 1]!)
  return fields
}

function rowOf(fields: ReadonlyMap<Reply, Reply>): RegionRow {
  const shown = (field: string): string => {
    const value = fields.get(field)
    return value === null || value === undefined || value === '' ? '-' : wordToText(String(value))
  }
  const heard = fields.get('heard-ms-ago')
  const lagOps = fields.get('lag-ops')
  const behindOps = fields.get('behind-ops')
  return {
    name: shown('name'),
    id: shown('id'),
    status: shown('status'),
    epoch: shown('epoch'),
    mode: shown('mode'),
    heard: typeof heard === 'number' ? `${duration(heard)} ago` : '-',
    lag: typeof lagOps === 'number' ? `${lagOps} ops, ${shown('lag-ms')} ms` : '-',
    behind: typeof behindOps === 'number' ? `${behindOps} ops` : '-',
    takesWrites: takesWrites(shown('mode'), shown('lacking')),
    url: shown('url'),
  }
}

function takesWrites(mode: string, lacking: string): string {
  return mode === 'passive' ? 'no' : ({ yes: 'not yet', no: 'yes' }[lacking] ?? '-')
}
