/**
 * cli-run.ts: the command line in a test, with nodes that are functions and a coordinator in memory.
 */
import { runCauseway } from '../../region-node/cli/causeway.ts'
import type { AskNode, NodeAddress } from '../../region-node/cli/node-client.ts'
import { addressText } from '../../region-node/cli/words.ts'
import { encode, Keys, type NodeDocument, type StateDocument } from '../../region-node/cluster/documents.ts'
import { MemoryStore } from '../../region-node/coordinator/memory.ts'
import type { Change, Coordinator } from '../../region-node/coordinator/port.ts'
import { nodeEnv } from '../../region-node/env-node.ts'
import { type Reply, RespError } from '../../region-node/resp/parse-reply.ts'

/** Where the coordinator in memory is said to be. */
export const COORDINATOR = 'http://memory:2379'

const CONNECTION = { deadlineMs: 2000, delayMs: 0 }

/** What a node at an address answers to one command. @throws AskError */
export type FakeNode = (command: readonly string[]) => Reply | Promise<Reply>

export interface CliRun {
  readonly code: number
  readonly out: string
  readonly errors: string
}

export class CliDesk {
  readonly environment: Record<string, string> = {}
  readonly nodes = new Map<string, FakeNode>()
  /** Every command, as `host:port words`, with `tls ` before it where it was said so. */
  readonly asked: string[] = []
  readonly keys = new Keys('causeway', 'A')
  /** What somebody else does between what the command line reads and what it writes. */
  beforeCommit: (() => Promise<void>) | undefined
  readonly #env = nodeEnv()
  readonly #store = new MemoryStore(this.#env)
  readonly coordinator: Coordinator = this.#store.connect(CONNECTION)

  async run(line: string): Promise<CliRun> {
    let out = ''
    let errors = ''
    const code = await runCauseway(line.split(' '), {
      env: this.#env,
      environment: this.environment,
      print: (text) => {
        out += text
      },
      complain: (text) => {
        errors += text
      },
      onSignal: () => {},
      exitNow: () => {},
      startNode: () => Promise.reject(new Error('no node is started here')),
      askNode: this.#askNode,
      openCoordinator: () => this.#connect(),
      startChild: () => {
        throw new Error('no child is started here')
      },
      openLog: () => () => {},
    })
    return { code, out, errors }
  }

  #connect(): Coordinator {
    const coordinator = this.#store.connect(CONNECTION)
    const commit = coordinator.commit.bind(coordinator)
    coordinator.commit = (...commitment) => {
      if (this.beforeCommit === undefined) commit(...commitment)
      else void this.beforeCommit().then(() => commit(...commitment))
    }
    return coordinator
  }

  readonly #askNode: AskNode = async (address: NodeAddress, commands, tls) => {
    const place = addressText(address)
    const way = tls === undefined ? '' : 'tls '
    const node = this.nodes.get(place)
    const replies: Reply[] = []
    for (const command of commands) {
      this.asked.push(`${way}${place} ${command.join(' ')}`)
      replies.push(node === undefined ? new RespError('ERR nobody is here') : await node(command))
    }
    return replies
  }

  /** Changes documents; an undefined one is deleted. */
  store(documents: Readonly<Record<string, object | undefined>>): Promise<void> {
    const changes = Object.entries(documents).map(
      ([key, document]): Change =>
        document === undefined
          ? { do: 'delete', key: this.keys.prefix + key }
          : { do: 'put', key: this.keys.prefix + key, value: JSON.stringify(document) },
    )
    return new Promise((resolve, reject) => {
      this.coordinator.commit([], changes, (answer) => {
        if (answer.ok) resolve()
        else reject(new Error(answer.failure.sentence))
      })
    })
  }

  read(key: string): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      this.coordinator.read(this.keys.prefix + key, (answer) => {
        if (answer.ok) resolve(answer.result.entries[0]?.value)
        else reject(new Error(answer.failure.sentence))
      })
    })
  }
}

export function nodeDocument(nodeId: string, port: number, more: Partial<NodeDocument> = {}): NodeDocument {
  return {
    nodeId,
    host: '127.0.0.1',
    port,
    tlsPort: 0,
    syncUrl: `ws://127.0.0.1:${port + 100}`,
    partition: 0,
    partitions: 1,
    zone: '',
    version: '0.1.0',
    opCount: 100,
    term: 1,
    edition: 1,
    isWhole: true,
    ...more,
  }
}

export function stateDocument(primary: string, inSync: readonly string[], term = 1): StateDocument {
  return {
    term,
    edition: 1,
    primary,
    hasEnded: false,
    heldTerm: term,
    isWhole: true,
    inSync,
    members: inSync,
  }
}

export function leaderDocument(nodeId: string, term = 1): object {
  return JSON.parse(encode({ nodeId, term, leaseId: `lease of ${nodeId}` }))
}
