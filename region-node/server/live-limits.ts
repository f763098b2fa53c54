/**
 * live-limits.ts: what clients may take, as the settings say now.
 *
 * A connection looks at its limits several times for each command. So they are plain fields, renewed when a setting
 * has changed: looks through a hundred settings were 2 % of a node under INCR.
 */
import type { AccessControl } from '../acl/access-control.ts'
import type { Settings } from '../config.ts'
import type { ListenerLimits } from './listener.ts'

/** Words in one command. Redis's own limit. */
const COMMAND_WORDS_MAX = 2 ** 20

export function liveLimits(
  settings: Pick<Settings, 'values' | 'onChange'>,
  access: Pick<AccessControl, 'isOpen'>,
): ListenerLimits {
  const { values } = settings
  const limits = {
    ...limitsIn(values),
    wordsMax: COMMAND_WORDS_MAX,
    isProtected: () => values['protected-mode'] && access.isOpen,
  }
  settings.onChange(() => Object.assign(limits, limitsIn(values)))
  return limits
}

function limitsIn(values: Settings['values']) {
  return {
    bulkBytesMax: values['proto-max-bulk-len'],
    queryBytesMax: values['client-query-buffer-limit'],
    output: values['client-output-buffer-limit'],
    idleSecondsMax: values.timeout,
    clientsMax: values.maxclients,
    keepaliveSeconds: values['tcp-keepalive'],
  }
}
