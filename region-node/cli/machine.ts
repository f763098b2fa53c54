/**
 * machine.ts: `causeway machine`: runs the nodes of one machine, those that the placements name it for.
 */
import { Keys } from '../cluster/documents.ts'
import { deadlineMsOf, PROFILES } from '../cluster/profiles.ts'
import { CopyFolders } from '../machine/copy-folders.ts'
import { Machine } from '../machine/machine.ts'
import { type MachineSettings, machineSettings } from '../machine/machine-settings.ts'
import type { NodePlace } from '../placement/steps.ts'
import { StartError } from '../start-error.ts'
import type { CliHost } from './host.ts'
import { accessBySettings } from './node-access.ts'
import { doorOf, say } from './node-talk.ts'
import { describeDefect, startFailure } from './start-failure.ts'
import { stopRequested } from './stop-request.ts'

export const MACHINE_HELP = `causeway machine: run the nodes of one machine, where the system places them

  causeway machine --name berlin-1 --zone z1 --region berlin --region-id 1 \\
    --coordinator http://10.0.1.9:2379 --bind 10.0.1.1 --first-port 7000 --dir /var/lib/causeway \\
    --sync-secret WORD --peer paris@ws://10.0.2.1:7000

One such process runs on each machine of a region. It says that the machine is there, and starts, watches and
ends the nodes of the partitions that are placed on it. Where they are placed is said once, from anywhere:

  causeway cluster create --partitions 16 --copies 2 --coordinator http://10.0.1.9:2379 --region berlin

Words of its own:

  --name NAME              of this machine: no other machine of the region has it
  --first-port PORT        partition p listens at this port plus p, for clients and for other nodes and regions
  --first-tls-port PORT    likewise for clients that speak TLS; with tls-replication yes for nodes and machines too
  --first-proxy-port PORT  likewise for clients that know of no partitions; --first-proxy-tls-port inside TLS
  --first-admin-port PORT  likewise for health, metrics and status over HTTP; without it there is none

All other words are settings of its nodes ('causeway node --help'), given to each of them: so are those of
--config FILE and of the environment. Of these the machine decides the ports, partition and partitions, and
refuses them. What counts for a node counts for each: with maxmemory 4gb and three nodes on the machine they
may take 12 GB.

  --dir FOLDER             holds a folder for each copy: FOLDER/partition-3
  --zone NAME              copies of a partition are placed in different zones
  --bind ADDRESS           also where others reach the nodes; for 0.0.0.0 add --replica-announce-ip ADDRESS

SIGTERM and Ctrl-C end the nodes in order: those that are primary hand over to other machines first. When this
process dies, its nodes end in order by themselves; when it is started again, it starts them again. When the
coordinator is out of reach they go on.
`

/** Runs a machine to its end. @returns the exit code */
export async function runMachine(argv: readonly string[], host: CliHost): Promise<number> {
  try {
    const settings = machineSettings({
      argv,
      environment: host.environment,
      readFile: (path) => host.env.disk.readFile(path),
    })
    const stopRequest = stopRequested(host)
    const stop = startMachine(settings, host)
    await stopRequest
    await stop()
    return 0
  } catch (error) {
    host.complain(`causeway: ${startFailure(error) ?? describeDefect(error)}\n`)
    return 1
  }
}

/** @returns ends it in order @throws StartError, DiskError */
function startMachine({ values, self, wordsOf }: MachineSettings, host: CliHost): () => Promise<void> {
  const { env } = host
  const { dir, region } = values
  // So that files that cannot be used are told at once. They are read anew each time: certificates are renewed.
  accessBySettings(values, env.disk)
  env.disk.makeFolder(dir)
  const lock = env.disk.lockFolder(dir)
  if ('heldBy' in lock)
    throw new StartError(
      `the folder ${dir} is used by process ${lock.heldBy}: give each machine its own --dir`,
    )
  const report = host.openLog({ region, machine: self.name })
  const profile = PROFILES[values['failover-profile']]
  const coordinator = host.openCoordinator(values, deadlineMsOf(profile))
  const folders = new CopyFolders(env.disk, dir, report)
  const sayToNode = async (node: NodePlace, words: readonly string[]): Promise<void> => {
    const access = accessBySettings(values, env.disk)
    await say(host, doorOf(node, access), access, words)
  }
  const machine = new Machine(
    {
      ...{ coordinator, env, startChild: host.startChild, folders, report },
      sayToNode: (node, words, told) => {
        sayToNode(node, words).then(
          () => told(undefined),
          (error: unknown) => told(error instanceof Error ? error.message : String(error)),
        )
      },
    },
    {
      ...{ keys: new Keys(values['database-name'], region), profile, self },
      wordsOf: (partition, partitions) => wordsOf(partition, partitions, folders.pathOf(partition)),
    },
  )
  report(
    `machine ${self.name} at ${self.host}, from port ${self.firstPort} on, asks ${coordinator.description}`,
  )
  machine.start()
  return async () => {
    report('the machine ends its nodes')
    await machine.stop()
    coordinator.close()
    lock.release()
  }
}
