/**
 * mutants.ts: bugs that others have shipped, as patches to the compiled code. The simulation has to notice
 * every one of them, or it proves nothing.
 *
 * `find` stands exactly once in the file below `dist/`. A mutant may live for `seeds` seeds, several times
 * as many as it took to notice it when it was written. One that only shows in rare company names that company
 * as the `focus` of its runs.
 */
import { type Focus, FURTHER_FAMILIES } from './options.ts'

export interface Patch {
  readonly file: string
  readonly find: string
  readonly replace: string
}

export interface Mutant {
  readonly name: string
  readonly patches: readonly Patch[]
  /** 1 where nothing is said. */
  readonly firstSeed?: number
  /** How many. */
  readonly seeds: number
  readonly focus?: Focus
  readonly without?: Focus
}

/** Their seeds were counted in runs without the further families. */
const IN_FIRST_FAMILIES: readonly Mutant[] = [
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
        find: 'last !== undefined && last.endedAt === logEnd',
        replace: 'last !== undefined',
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
        find: 'return firstSeq > limit || Math.min(lastSeq(header), limit) <= applied.get(origin)',
        replace: 'return firstSeq > limit',
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
        find: 'removeCovered(registers, at);',
        replace:
          'const hidden = registers.splice(1); removeCovered(registers, at); registers.push(...hidden);',
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
        file: 'region-node/engine/due-removals.js',
        find: 'removableMs < settledMs && ',
        replace: '',
      },
    ],
    firstSeed: 70,
    seeds: 300,
    focus: ['jump', 'expiry'],
  },
  {
    name: 'a due key is removed while a member has not heard of its deadline',
    patches: [
      { file: 'region-node/engine/due-removals.js', find: '&& all.every(isDurableEverywhere)', replace: '' },
    ],
    seeds: 300,
    focus: ['cut', 'expiry'],
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
    firstSeed: 30,
    seeds: 40,
  },
  {
    name: 'the stable cut is taken over regions and not over origins',
    patches: [
      {
        file: 'sync/stable-cut.js',
        find: 'for (const origin of this.origins()) {',
        replace: 'for (const origin of []) {',
      },
    ],
    seeds: 200,
    focus: ['wall', 'kill'],
  },
  {
    name: 'a node put back from a backup mints before it has asked what it lacks',
    patches: [
      {
        file: 'region-node/persistence/identity.js',
        find: 'last === undefined || isCopy ? hasPeers : last.lacking === true',
        replace: 'last === undefined ? hasPeers : last.lacking === true',
      },
      // Others would take nothing of it, and it would mint that again.
      { file: 'sync/stable-cut.js', find: '|| deps.covers(this.#cut)', replace: '|| true' },
    ],
    seeds: 200,
    focus: ['restore', 'stall', 'counters'],
  },
  {
    name: 'a late tail is applied under its old dots',
    patches: [
      {
        file: 'crdt/membership.js',
        find: 'const end = this.#seals.get(origin)?.end;',
        replace: 'return Number.POSITIVE_INFINITY;',
      },
    ],
    seeds: 40,
    focus: ['dark'],
  },
  {
    name: 'a late tail is minted again at every start',
    patches: [
      {
        file: 'crdt/membership.js',
        find: 'return this.#reminted.get(origin) ?? 0',
        replace: 'return 0',
      },
    ],
    firstSeed: 118,
    seeds: 400,
    focus: ['dark', 'restart', 'counters'],
  },
  {
    name: 'two regions with one friend between them suspend each other',
    patches: [
      {
        file: 'region-node/horizon-keeper.js',
        find: 'if (!others.every((other) => this.#agrees(other, regionId)))',
        replace: 'if (false)',
      },
    ],
    firstSeed: 150,
    seeds: 350,
    focus: ['wall', 'heal'],
  },
  {
    name: 'a due key is removed by a region that has not heard the others',
    patches: [
      {
        file: 'sync/expiry-peers.js',
        find: 'settledMs = Math.min(settledMs, settled.settledMs(regionId, this.#parts.host.applied))',
        replace: 'settledMs = this.#parts.host.expiryClockMs()',
      },
      { file: 'sync/expiry-peers.js', find: '|| !settled.hadFsynced(origin, seq)', replace: '' },
    ],
    seeds: 80,
    focus: ['cut', 'expiry'],
  },
  {
    name: 'a digest counts what each region reclaims at its own pace',
    patches: [
      {
        file: 'crdt/key.js',
        find: 'state.fingerprint(part);',
        replace: 'state.fingerprint(part); if (state.registers) part.number(state.registers.length);',
      },
    ],
    seeds: 300,
    focus: ['cut', 'strings'],
  },
  {
    name: 'hidden types are reclaimed below the cut',
    patches: [
      {
        file: 'crdt/reclaim.js',
        find: 'const rest = withoutLosers(state, isStable, isAnnounced);',
        replace:
          'const rest = state !== entry.state && !state.isGone && isStable(state.latest()) ? undefined' +
          ' : withoutLosers(state, isStable, isAnnounced);',
      },
    ],
    seeds: 20,
  },
  {
    name: 'losers above the cut are reclaimed',
    patches: [
      {
        file: 'region-node/engine/engine.js',
        find: 'const isStable = (dot) => dot.seq <= cut.get(dot.origin)',
        replace: 'const isStable = () => true',
      },
      { file: 'region-node/engine/reclaimer.js', find: '|| !cut.covers(this.#target)', replace: '' },
    ],
    seeds: 200,
    focus: ['cut', 'keys'],
  },
  {
    name: 'a pop of several elements answers those of the right end in the order of the list',
    patches: [
      {
        file: 'region-node/commands/list-pops.js',
        find: 'return atLeft ? values : values.reverse()',
        replace: 'return values',
      },
    ],
    seeds: 40,
    focus: ['lists'],
  },
  {
    name: 'a deadline of a field that was refused is answered as set',
    patches: [
      { file: 'region-node/commands/hash-expiry.js', find: 'return REFUSED', replace: 'return DONE' },
    ],
    seeds: 40,
    focus: ['hashes', 'expiry'],
  },
  {
    name: 'who waits for a key does not hear of what other regions write to it',
    patches: [
      {
        file: 'region-node/engine/engine.js',
        find: 'this.#journal.received(record, batch.header);\n        this.commands.settle();',
        replace: 'this.#journal.received(record, batch.header);',
      },
    ],
    seeds: 60,
    focus: ['lists'],
  },
  {
    name: 'a due key is there until it is removed',
    patches: [
      {
        file: 'region-node/engine/context.js',
        find: 'return visibleState(entry) === undefined || deadlineOf(entry) < this.#clock.nowMs ? undefined : entry',
        replace: 'return visibleState(entry) === undefined ? undefined : entry',
      },
    ],
    seeds: 40,
    focus: ['expiry'],
  },
]

const IN_ALL_FAMILIES: readonly Mutant[] = [
  {
    name: 'of several elements that went one is counted',
    patches: [
      {
        file: 'region-node/commands/lists.js',
        find: 'ctx.write.list.removeRanges(words[1], ranges.list);\n    ctx.out.integer(removed);',
        replace:
          'ctx.write.list.removeRanges(words[1], ranges.list);\n    ctx.out.integer(Math.min(removed, 1));',
      },
    ],
    firstSeed: 20,
    seeds: 200,
    focus: ['lists', 'spellings'],
  },
  {
    name: 'an acknowledgement of what is pending nowhere is counted',
    patches: [
      {
        file: 'region-node/commands/streams-groups.js',
        find: 'if (isPending)\n            count++;',
        replace: 'count++;',
      },
    ],
    seeds: 30,
    focus: ['readers'],
  },
  {
    name: 'a group does not read what came late from another region',
    patches: [
      {
        file: 'crdt/stream-group.js',
        find: 'if (isNews && at.origin.region !== at.home && compareIds(entry, this.cursor) <= 0)',
        replace: 'if (false)',
      },
    ],
    firstSeed: 18,
    seeds: 100,
    focus: ['readers'],
  },
  {
    name: 'an acknowledgement is for the region in which it was made',
    patches: [
      {
        file: 'crdt/effects/stream-group-effects.js',
        find: 'group.settle(id);\n            break;\n        case TAG.STREAM_DELIVER',
        replace: 'if (effect.isOwn) group.settle(id);\n            break;\n        case TAG.STREAM_DELIVER',
      },
      {
        file: 'crdt/effects/stream-effects.js',
        find: 'return isOnEntries(effect)',
        replace: 'effect.isOwn = at.origin.region === at.home;\n    return isOnEntries(effect)',
      },
    ],
    firstSeed: 43,
    seeds: 150,
    focus: ['readers'],
  },
  {
    name: 'a field whose deadline has passed already is answered as given one',
    patches: [
      {
        file: 'region-node/commands/hash-expiry.js',
        find: 'return isPast ? REMOVED : DONE',
        replace: 'return DONE',
      },
    ],
    seeds: 40,
    focus: ['deadlines'],
  },
  {
    name: 'FLUSHALL takes the function libraries with it',
    patches: [
      {
        file: 'region-node/engine/keyspace.js',
        find: '(which === EVERY_DB && index !== LIBRARY_DB)',
        replace: 'which === EVERY_DB',
      },
    ],
    seeds: 100,
    focus: ['libraries', 'keys'],
  },
  {
    name: 'a due key is removed while its deadline can still be lost with the power',
    patches: [
      { file: 'sync/expiry-peers.js', find: 'host.durable.get(origin) < seq || ', replace: '' },
      { file: 'sync/settled-clock.js', find: 'this.#oldest.durable', replace: 'this.#oldest.applied' },
      // No fault in itself: every op waits for company, which leaves the moment open that few seeds meet otherwise.
      { file: 'sync/departures.js', find: ' || env.monoMs() >= this.#nextMs', replace: '' },
      {
        file: 'sync/departures.js',
        find: 'Math.max(0, this.#nextMs - env.monoMs())',
        replace: 'this.#ports.settings.lingerMs',
      },
    ],
    firstSeed: 4530,
    seeds: 1,
    focus: ['dark', 'expiry'],
  },
]

export const MUTANTS: readonly Mutant[] = [
  ...IN_FIRST_FAMILIES.map((mutant) => ({ ...mutant, without: FURTHER_FAMILIES })),
  ...IN_ALL_FAMILIES,
]
