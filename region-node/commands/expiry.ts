/**
 * expiry.ts: to be written.
 */
import { defineCommands } from './command.ts'

export const expiryCommands = defineCommands([])
