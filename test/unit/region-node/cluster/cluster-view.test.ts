/**
 * cluster-view.test.ts: who is told of a topology, and what there is before the first one.
 */
import { describe, expect, it } from 'vitest'
import { ClusterView } from '../../../../region-node/cluster/cluster-view.ts'
import type { Topology } from '../../../../region-node/cluster/topology.ts'
import { errors } from '../../../../region-node/errors.ts'
import { clusterNode, topologyOf } from '../../../harness/fake-cluster.ts'

describe('a view', () => {
  it('is empty until it is told, and tells others when it has changed', () => {
    const view = new ClusterView()
    const told: [Topology, Topology | undefined][] = []
    view.onChange((topology) => told.push([topology, view.topology]))
    expect(view.topology).toBeUndefined()
    const topology = topologyOf([clusterNode(1)])
    view.become(topology)
    expect(told).toEqual([[topology, topology]])
  })

  it('begins no failover until somebody can', () => {
    const view = new ClusterView()
    expect(view.failover('forced')).toBe(errors.clusterOff)
    view.failover = () => undefined
    expect(view.failover('forced')).toBeUndefined()
  })
})
