/**
 * transactions.ts: to be written.
 */
import { defineCommands } from './command.ts'

export const transactionCommands = defineCommands([])
