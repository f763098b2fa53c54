/**
 * project-root.ts: where the project lies, for tests as for the demonstrations.
 */
export { CAUSEWAY, PROJECT_ROOT } from '../../compose/project-root.ts'
