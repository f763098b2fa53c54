/**
 * open.ts: the coordinator that settings name: an etcd, or a folder on one machine.
 */
import type { SettingValues } from '../config/table.ts'
import type { Env } from '../env.ts'
import { EtcdCoordinator } from './etcd.ts'
import type { EtcdSettings } from './etcd-gateway.ts'
import { LocalFileCoordinator } from './local-file.ts'
import type { Coordinator } from './port.ts'

/** Before every key in an etcd that others may use as well. */
const ROOT = ''
const FOLDER = 'file:'

export type CoordinatorSettings = Pick<
  SettingValues,
  'coordinator' | 'coordinator-user' | 'coordinator-password'
>

/** The folder that all nodes of the region share; undefined: it is an etcd. */
export function folderOf({ coordinator }: CoordinatorSettings): string | undefined {
  return coordinator.startsWith(FOLDER) ? coordinator.slice(FOLDER.length) : undefined
}

/** @param deadlineMs  longest wait for a call @throws DiskError when the folder cannot be made */
export function openCoordinator(settings: CoordinatorSettings, deadlineMs: number, env: Env): Coordinator {
  const folder = folderOf(settings)
  if (folder !== undefined) return new LocalFileCoordinator({ folder, deadlineMs }, env)
  return new EtcdCoordinator(etcdSettings(settings, deadlineMs), env)
}

export function etcdSettings(settings: CoordinatorSettings, deadlineMs: number): EtcdSettings {
  const user = settings['coordinator-user']
  return {
    endpoints: settings.coordinator.split(' ').map((url) => url.replace(/\/$/, '')),
    root: ROOT,
    attemptMs: Math.floor(deadlineMs / 2),
    deadlineMs,
    ...(user === '' ? {} : { credentials: { user, password: settings['coordinator-password'] } }),
  }
}
