/**
 * gatekeeper.ts: which links this node opens, and lets be opened.
 *
 * What two identities say to each other is judged in `handshake.ts`; here it is put beside what this node knows: its
 * peers, who is linked already, who has left, who was suspended, and who follows whom inside the region.
 */
import { judgeFollowing, judgePeer } from './handshake.ts'
import type { Peer } from './peer.ts'
import type { Identity, SyncHost } from './ports.ts'
import { hasLeft, linkDown, type Reason, reason } from './reason.ts'

export interface GatekeeperPorts {
  readonly host: Pick<SyncHost, 'identity' | 'membership' | 'replication'>
  peer(region: string): Peer | undefined
  /** Nodes that a link is open with, in either direction. */
  linked(): Iterable<Identity>
}

export class Gatekeeper {
  readonly #ports: GatekeeperPorts

  constructor(ports: GatekeeperPorts) {
    this.#ports = ports
  }

  /** What forbids that node to pull from here. */
  judgePuller(identity: Identity): Reason | undefined {
    const { host } = this.#ports
    const { identity: me } = host
    if (identity.regionId === me.regionId && identity.role !== 'primary') {
      const why = judgeFollowing(identity, me)
      if (why?.code === 'older-term') host.replication.termHeard(identity.term)
      return why
    }
    const objection = judgePeer(me, identity, this.#ports.linked())
    const peer = this.#ports.peer(identity.region)
    if (objection !== undefined) {
      // Shown in this node's own status as well.
      peer?.failed(objection)
      return objection
    }
    if (host.membership.statusOf(identity.regionId) === 'left') return hasLeft(identity.region)
    if (peer === undefined) {
      return reason(
        'unknown-region',
        `region ${identity.region} is not a peer of region ${me.region}: add it with 'causeway region add'`,
      )
    }
    return peer.paused ? linkDown(me.region, identity.region) : undefined
  }

  /**
   * Who has what a node of another region looked for and did not find here.
   * @param why  what was said against it
   */
  elsewhere({ code }: Reason, { regionId, partition }: Identity): readonly string[] {
    const { identity: me, replication } = this.#ports.host
    const isOurs = me.role === 'primary' && me.partition === partition
    // Inside a region everybody is told by other means whom to follow.
    if (regionId === me.regionId || isOurs) return []
    return code === 'other-partition' || code === 'not-primary' ? replication.nodesOf(partition) : []
  }

  /**
   * What forbids to pull from the node that answers at the address of a peer.
   * @param areBehind  this node's region was suspended there, or called back, and has not heard so: it gets no ops,
   *   only a snapshot. Where each of two regions has suspended the other, this is the way out: the one that is called
   *   back finds that in a snapshot of the other.
   */
  judgeServer(peer: Peer, identity: Identity, areBehind: boolean): Reason | undefined {
    const { identity: me } = this.#ports.host
    if (peer.name === me.region) return judgeFollowing(me, identity)
    const objection = judgePeer(me, identity, this.#ports.linked())
    if (objection !== undefined) return objection
    if (identity.region === peer.name) return areBehind ? undefined : this.isBehind(identity)
    return reason(
      'wrong-region',
      `at the address of region ${peer.name} region ${identity.region} answers: correct the peers`,
    )
  }

  /** The peer does not know yet that its region was suspended, or that it may come back. */
  isBehind({ region, regionId, epoch }: Identity): Reason | undefined {
    const { membership } = this.#ports.host
    const known = membership.epochOf(regionId)
    // Who knows of a later change of its own was not left behind: this node was.
    if (epoch > known || (epoch === known && membership.statusOf(regionId) === 'member')) return undefined
    return reason(
      'region-behind',
      `region ${region} was away for too long and has to take a snapshot before its ops count again`,
    )
  }
}
