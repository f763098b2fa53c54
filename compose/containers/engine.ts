/**
 * engine.ts: the container engine's command, docker or podman: the few words that mean the same to both.
 */
import { execFile } from 'node:child_process'

/** Runs a program to its end. @returns what it printed  @throws Error with what it complained about */
export type RunProgram = (program: string, words: readonly string[], timeoutMs?: number) => Promise<string>

const ENGINES = ['docker', 'podman'] as const
/** Longest time for one answer of the engine, milliseconds. */
const ANSWER_MS_MAX = 30_000

export class ContainerEngine {
  readonly name: string
  readonly #run: RunProgram

  constructor(name: string, run: RunProgram) {
    this.name = name
    this.#run = run
  }

  /** The port of this machine at which a port of a container is published. @throws Error when there is none */
  async publishedPort(container: string, port: number): Promise<number> {
    const places = await this.#run(this.name, ['port', container, `${port}/tcp`])
    const [, published] = /:(\d+)\s*$/m.exec(places) ?? []
    if (published === undefined)
      throw new Error(`container ${container} publishes no port ${port}: does it run?`)
    return Number(published)
  }

  /** All of its ports that are published, each with the port of this machine. */
  async publishedPorts(container: string): Promise<ReadonlyMap<number, number>> {
    const lines = await this.#run(this.name, ['port', container])
    return new Map(
      [...lines.matchAll(/^(\d+)\/tcp -> .*:(\d+)\s*$/gm)].map(([, port, published]) => [
        Number(port),
        Number(published),
      ]),
    )
  }

  /** Runs a program in a container. @returns what it printed  @throws Error with what it complained about */
  exec(container: string, words: readonly string[], timeoutMs = ANSWER_MS_MAX): Promise<string> {
    return this.#run(this.name, ['exec', container, ...words], timeoutMs)
  }

  /** As a loss of power: all that runs in it ends at once. */
  async kill(container: string): Promise<void> {
    await this.#run(this.name, ['kill', container])
  }

  /** Does nothing to one that runs. */
  async start(container: string): Promise<void> {
    await this.#run(this.name, ['start', container])
  }

  /** A variable of a container's environment. @throws Error when it is not set */
  async variable(container: string, name: string): Promise<string> {
    return (await this.exec(container, ['printenv', name])).trimEnd()
  }

  /** Takes a container's interface to a network away; its connections there hear nothing any more. */
  async disconnect(network: string, container: string): Promise<void> {
    await this.#run(this.name, ['network', 'disconnect', network, container])
  }

  /** Gives it back, with a new address if need be. */
  async connect(network: string, container: string): Promise<void> {
    await this.#run(this.name, ['network', 'connect', network, container])
  }
}

/** The first engine that answers: a client alone, with no engine behind it, does not. @throws Error */
export async function findEngine(run: RunProgram = runProgram): Promise<ContainerEngine> {
  for (const name of ENGINES) {
    try {
      await run(name, ['info'])
      return new ContainerEngine(name, run)
    } catch {
      // The next one may be there.
    }
  }
  throw new Error(`no container engine answers here: ${ENGINES.join(' or ')} is needed`)
}

function runProgram(program: string, words: readonly string[], timeoutMs = ANSWER_MS_MAX): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, words, { timeout: timeoutMs }, (error, printed, complaint) => {
      if (error === null) resolve(printed)
      else reject(new Error(complaint.trimEnd() || error.message))
    })
  })
}
