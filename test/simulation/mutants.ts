/**
 * mutants.ts: bugs that others have shipped, as patches to the compiled code. The simulation has to notice
 * every one of them, or it proves nothing.
 *
 * `find` stands exactly once in the file below `dist/`. A mutant may live for `seeds` seeds, several times
 * as many as it took to notice it when it was written.
 */
export interface Patch {
  readonly file: string
  readonly find: string
  readonly replace: string
}

export interface Mutant {
  readonly name: string
  readonly patches: readonly Patch[]
  readonly seeds: number
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'a tie of clocks goes to the value that came last',
    patches: [
      {
        file: 'crdt/cell.js',
        find: 'compareStamps(registers[place], register) > 0',
        replace: 'registers[place].hlc > register.hlc',
      },
    ],
    seeds: 200,
  },
  {
    name: 'the value that came last wins',
    patches: [
      { file: 'crdt/cell.js', find: 'compareStamps(registers[place], register) > 0', replace: 'false' },
    ],
    seeds: 20,
  },
  {
    name: 'a dot is used again after a restart',
    patches: [
      {
        file: 'region-node/persistence/identity.js',
        find: 'last?.endedAt === logEnd ?',
        replace: 'last !== undefined ?',
      },
    ],
    seeds: 50,
  },
  {
    name: 'a remove is applied before the add it saw',
    patches: [
      {
        file: 'sync/inbox.js',
        find: 'if (this.#buffer.missing(header) === undefined) {',
        replace: 'if (true) {',
      },
    ],
    seeds: 20,
  },
  {
    name: 'what is delivered again after a reconnect counts twice',
    patches: [
      {
        file: 'sync/inbox.js',
        find: 'return lastSeq(header) <= this.#host.applied.get(header.origin)',
        replace: 'return false',
      },
      {
        file: 'region-node/engine/engine.js',
        find: 'if (seq <= this.applied.get(origin))',
        replace: 'if (false)',
      },
    ],
    seeds: 20,
  },
  {
    name: 'a counter is reset by what its remover had seen of the origin, not of the counter',
    patches: [{ file: 'crdt/counter.js', find: 'entry.resetTotal = one.total', replace: 'void one' }],
    seeds: 60,
  },
  {
    name: 'a delete leaves hidden siblings, which show up later',
    patches: [
      {
        file: 'crdt/cell.js',
        find: 'for (const register of registers)\n        if (!at.covers(register))\n            registers[kept++] = register',
        replace:
          'for (const register of [...registers])\n        if (register !== registers[0] || !at.covers(register))\n            registers[kept++] = register',
      },
    ],
    seeds: 120,
  },
  {
    name: 'a delete takes what it had not seen',
    patches: [
      { file: 'crdt/dot.js', find: 'return dot.seq <= this.deps.get(dot.origin)', replace: 'return true' },
    ],
    seeds: 20,
  },
  {
    name: 'a torn tail is accepted',
    patches: [
      {
        file: 'region-node/persistence/segment.js',
        find: "if (check.kind === 'whole')",
        replace: "if (check.kind !== 'short')",
      },
    ],
    seeds: 60,
  },
  {
    name: 'a write is answered before it is durable',
    patches: [
      {
        file: 'region-node/persistence/op-log.js',
        find: 'this.#waiting.push(released);\n            if (!this.#syncing)',
        replace: 'released(), this.#waiting.push(() => {});\n            if (!this.#syncing)',
      },
    ],
    seeds: 60,
  },
  {
    name: 'a sync counts before it is done',
    patches: [
      {
        file: 'region-node/persistence/op-log.js',
        find: 'const position = this.#written;',
        replace: 'const position = this.#written; this.#nowDurable(position, this.#writtenVector);',
      },
    ],
    seeds: 200,
  },
  {
    name: 'the loser of a conflict is dropped at once',
    patches: [
      {
        file: 'crdt/cell.js',
        find: 'registers.splice(place, 0, register)',
        replace: 'registers.splice(place, 0, register), (registers.length = 1)',
      },
    ],
    seeds: 120,
  },
  {
    name: 'a due key is removed without asking who may extend it',
    patches: [
      {
        file: 'region-node/engine/engine.js',
        find: 'if (momentOf(winner) + headstart >= settledMs)',
        replace: 'if (false)',
      },
    ],
    seeds: 400,
  },
  {
    name: 'a due key is removed while a member has not heard of its deadline',
    patches: [
      { file: 'region-node/engine/engine.js', find: 'if (!seenByAll(winner))', replace: 'if (false)' },
    ],
    seeds: 100,
  },
  {
    name: 'a snapshot is merged key by key',
    patches: [
      {
        file: 'region-node/engine/engine.js',
        find: 'this.keyspace.become(aside.keyspace);',
        replace:
          'for (const { index, entries } of [...aside.keyspace.databases()].map((db) => ({ index: db.index, entries: [...db.entries()] })))' +
          ' for (const [key, entry] of entries) if (this.keyspace.get(index, key) === undefined) this.keyspace.restore(index, key, entry);',
      },
    ],
    seeds: 300,
  },
  {
    name: 'a snapshot takes the place of what only this node has applied',
    patches: [
      {
        file: 'region-node/adoption.js',
        find: 'work.aside.replay(openRecord(bytes, origins, latin1), engine.applied);',
        replace: '',
      },
    ],
    seeds: 30,
  },
]
