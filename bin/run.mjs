/**
 * run.mjs: runs a script of this project from a fresh checkout: `node bin/run.mjs SCRIPT [WORDS...]`.
 *
 * Checks Node's version, installs the dependencies when they are not the locked ones, builds what has
 * changed, then runs the script with its words, its standard streams, signals and exit code. All npm
 * scripts go through it, so that one command is enough after a clone. Asked for --help it prints what stands at the
 * head of the script's file instead.
 *
 * Keeps to the syntax of 2019, so that a Node that is too old gets as far as the sentence about it.
 */
import { spawn, spawnSync } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeRefusal } from './requirements.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

main(process.argv.slice(2))

function main(words) {
  if (words.length === 0) return fail('usage: node bin/run.mjs SCRIPT [WORDS...]')
  const refusal = nodeRefusal(process.version)
  if (refusal) return fail(refusal)
  const page = asksForHelp(words) ? pageOf(words[0]) : undefined
  if (page) return console.log(page)
  if (!isWritable()) return fail(`cannot write to ${root}: the dependencies and the build go there.`)
  if (!hasLockedDependencies() && !install()) return
  if (!build()) return
  run(words)
}

function fail(sentence) {
  console.error(sentence)
  process.exitCode = 1
}

function asksForHelp(words) {
  return words.includes('--help') || words.includes('-h')
}

/** What a script of this project says of itself, and what may be said to it; undefined for those of others. */
function pageOf(script) {
  const built = /^dist\/(.*)\.js$/.exec(script)
  if (!built) return undefined
  const source = readFileSync(join(root, `${built[1]}.ts`), 'utf8')
  const comment = /^\/\*\*\n([\s\S]*?)\n \*\//.exec(source)
  return comment[1].replace(/^ \* ?/gm, '')
}

function isWritable() {
  try {
    accessSync(root, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/**
 * Compares what npm noted when it installed with what is locked now. Times of files would not do: a
 * checkout touches the lock file, and a copied folder keeps old times.
 */
function hasLockedDependencies() {
  const installed = packagesIn(join(root, 'node_modules', '.package-lock.json'))
  const locked = packagesIn(join(root, 'package-lock.json'))
  if (!installed || !locked) return false
  return Object.keys(locked).every((path) => {
    const entry = locked[path]
    if (path === '') return true
    // Packages for other systems are locked but not installed.
    if (!installed[path]) return Boolean(entry.optional || entry.devOptional)
    return installed[path].version === entry.version
  })
}

function packagesIn(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages
  } catch {
    return undefined
  }
}

function install() {
  console.error('causeway: installing the dependencies (npm ci), once ...')
  // The build needs the types that only development packages bring, whatever NODE_ENV says.
  const words = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
  const npm = process.env.npm_execpath
  // Under `npm start` npm says where it is itself; otherwise it is found by name, on Windows by a shell.
  const done = /\.c?js$/.test(npm || '')
    ? spawnSync(process.execPath, [npm, ...words], { cwd: root, encoding: 'utf8' })
    : spawnSync('npm', words, { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' })
  return succeeded(done, 'npm ci')
}

/** Quick when nothing has changed: the compiler keeps notes in dist/. */
function build() {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const done = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.json'], { cwd: root, encoding: 'utf8' })
  return succeeded(done, 'the build')
}

function succeeded(done, what) {
  if (done.status === 0) return true
  console.error(`${done.stdout || ''}${done.stderr || ''}`)
  fail(`causeway: ${what} failed${done.error ? `: ${done.error.message}` : '.'}`)
  return false
}

function run(words) {
  const child = spawn(process.execPath, words, { stdio: 'inherit' })
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const name of signals) {
    process.on(name, () => {
      // A terminal gives Ctrl-C to the child itself; to pass it on would make it two.
      if (name !== 'SIGINT' || !process.stdin.isTTY) child.kill(name)
    })
  }
  child.on('error', (error) => {
    fail(`causeway: cannot run ${words[0]}: ${error.message}`)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) {
      process.exitCode = code
      return
    }
    // End as the child did, so that a caller sees the same.
    for (const name of signals) process.removeAllListeners(name)
    process.kill(process.pid, signal)
  })
}
