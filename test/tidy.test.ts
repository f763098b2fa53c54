/**
 * tidy.test.ts: the laws of the house as tests: which way imports point, who may touch the machine, what
 * every file says of itself, and that the documents tell what the code does.
 *
 * Each law lists its offenders, so a failure says where to go.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadSettings } from '../region-node/config.ts'
import { VERSION } from '../region-node/version.ts'
import { PROJECT_ROOT } from './harness/project-root.ts'
import { DOCUMENTS, withReferences } from './tidy/reference.ts'
import {
  type Import,
  importCycles,
  listFiles,
  type Room,
  readRoot,
  readSources,
  type Source,
} from './tidy/source.ts'

const LINES_MAX = 700

const sources = readSources()
const shipped = sources.filter(({ room }) => room !== 'test' && room !== 'compose')

/** `path: what` for each finding of a law in the files it is for. */
function offenders(files: readonly Source[], find: (source: Source) => readonly string[]): string[] {
  return files.flatMap((source) => find(source).map((what) => `${source.path}: ${what}`))
}

function importsThat(files: readonly Source[], isWrong: (one: Import, source: Source) => boolean): string[] {
  return offenders(files, (source) =>
    source.imports.filter((one) => isWrong(one, source)).map(({ from }) => from),
  )
}

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([found]) => found.trim())
}

describe('imports', () => {
  const ALLOWED_ROOMS: Readonly<Record<Room, readonly Room[]>> = {
    crdt: ['crdt'],
    sync: ['sync', 'crdt'],
    'region-node': ['region-node', 'sync', 'crdt'],
    compose: ['compose', 'region-node', 'sync', 'crdt'],
    test: ['test', 'compose', 'region-node', 'sync', 'crdt'],
  }

  it('point one way between the rooms', () => {
    const wrong = importsThat(
      sources,
      ({ file }, { room }) =>
        file !== undefined && !ALLOWED_ROOMS[room].some((allowed) => file.startsWith(`${allowed}/`)),
    )
    expect(wrong).toEqual([])
  })

  it('of crdt/ are its own files only', () => {
    const crdt = sources.filter(({ room }) => room === 'crdt')
    expect(importsThat(crdt, ({ file }) => file === undefined)).toEqual([])
  })

  it('of the engine, the commands and RESP reach neither the machine nor those who drive them', () => {
    const pure = sources.filter(({ path }) => /^region-node\/(engine|commands|resp)\//.test(path))
    const wrong = importsThat(
      pure,
      ({ from, file }) =>
        from.startsWith('node:') || /^region-node\/(persistence|server|admin|cli)\//.test(file ?? ''),
    )
    expect(pure.length).toBeGreaterThan(0)
    expect(wrong).toEqual([])
  })

  it('form no cycle', () => {
    expect(importCycles(sources).map((cycle) => cycle.join(' -> '))).toEqual([])
  })

  it('name files that exist, and packages that package.json names', () => {
    const { dependencies, devDependencies } = JSON.parse(readRoot('package.json')) as Record<
      'dependencies' | 'devDependencies',
      Record<string, string>
    >
    const wrong = importsThat(sources, ({ from, file }, { room }) => {
      if (file !== undefined) return !existsSync(join(PROJECT_ROOT, file))
      if (from.startsWith('node:')) return false
      const name = from.startsWith('@') ? from.split('/').slice(0, 2).join('/') : from.split('/')[0]!
      return !(name in dependencies || (room === 'test' && name in devDependencies))
    })
    expect(wrong).toEqual([])
  })
})

describe('the door to the machine', () => {
  const DOOR = 'region-node/env-node.ts'
  /** The two ends of the thread that a node runs in. */
  const THREAD = ['region-node/thread.ts', 'region-node/node-thread.ts']
  const SOCKET_ROOMS = [
    'region-node/server/listener.ts',
    'sync/transport-ws.ts',
    'region-node/admin/server.ts',
    'region-node/cli/node-client.ts',
    'region-node/proxy/dial.ts',
    // These open none: they read the certificates that are shown.
    'region-node/server/tls.ts',
    'region-node/cli/node-access.ts',
    // Its timers and its clock are given; `fetch` is how etcd's JSON gateway is reached without a package.
    'region-node/coordinator/etcd-gateway.ts',
  ]
  /** Start processes, one that must outlive this one and those that must not: nothing of `Env` can. */
  const PROCESSES = ['region-node/cluster/last-will.ts', 'region-node/machine/child-process.ts']
  const SOCKET_MODULES = /^(node:(net|http|https|http2|tls|dgram)|ws)$/
  const DOOR_MODULES =
    /^node:(fs|fs\/promises|timers|timers\/promises|perf_hooks|child_process|worker_threads)$/

  // A Date made of a number that is given reads no clock.
  it('is the only place that reads clock, randomness, timers and disk', () => {
    const names =
      /\bDate\b(?!\(\s*[^)\s])|\bperformance\b|\bMath\.random\b|\bset(?:Timeout|Interval|Immediate)\b|\bprocess\.hrtime\b|\bprocess\.nextTick\b/g
    const others = shipped.filter(({ path }) => path !== DOOR)
    expect(offenders(others, ({ code }) => matches(code, names))).toEqual([])
    const behind = others.filter(({ path }) => ![...THREAD, ...PROCESSES].includes(path))
    expect(importsThat(behind, ({ from, isTypeOnly }) => !isTypeOnly && DOOR_MODULES.test(from))).toEqual([])
  })

  it('has a few more for sockets', () => {
    const others = shipped.filter(({ path }) => !SOCKET_ROOMS.includes(path))
    expect(importsThat(others, ({ from, isTypeOnly }) => !isTypeOnly && SOCKET_MODULES.test(from))).toEqual(
      [],
    )
    const opening = /\bfetch\(|\bnew WebSocket\(/g
    expect(offenders(others, ({ code }) => matches(code, opening))).toEqual([])
  })
})

describe('every source file', () => {
  it('opens with a comment that names it and says what it is for', () => {
    const wrong = offenders(sources, ({ path, text }) => {
      const name = path.slice(path.lastIndexOf('/') + 1)
      const opening =
        text.startsWith(`/**\n * ${name}: `) && text.slice(0, text.indexOf('*/')).length > name.length + 30
      return opening ? [] : ['no header']
    })
    expect(wrong).toEqual([])
  })

  it(`has at most ${LINES_MAX} lines`, () => {
    const wrong = offenders(sources, ({ text }) => {
      const lines = text.split('\n').length - 1
      return lines > LINES_MAX ? [`${lines} lines`] : []
    })
    expect(wrong).toEqual([])
  })

  it('is finished, and asks nobody to look away', () => {
    // Put together here, so that this file does not find itself.
    const words = ['TO-DO', 'FIX-ME', 'HA-CK', 'X-XX'].map((word) => word.replace('-', ''))
    const unfinished = new RegExp(`\\b(?:${words.join('|')})\\b`, 'g')
    expect(offenders(sources, ({ text }) => matches(text, unfinished))).toEqual([])
    const lookAway = new RegExp(['@ts-', '(?:ignore|expect-error|nocheck)|biome-', 'ignore'].join(''), 'g')
    expect(offenders(sources, ({ text }) => matches(text, lookAway))).toEqual([])
  })

  it('keeps the type checker in the picture', () => {
    const files = sources.filter(({ room }) => room !== 'test')
    const escapes = /\bas\s+any\b|[:<|&,]\s*any\b(?=\s*[,;)>=|&[\]{}\n])/g
    expect(offenders(files, ({ code }) => matches(code, escapes))).toEqual([])
  })

  it('lets no test be switched off or run alone', () => {
    const tests = sources.filter(({ path }) => path.endsWith('.test.ts'))
    const pattern = /\b(?:describe|it|test)\.(?:only|skip|todo)\b/g
    expect(offenders(tests, ({ code }) => matches(code, pattern))).toEqual([])
  })
})

describe('the documents', () => {
  const documents = listFiles('', '.md').filter((path) => !path.includes('/results/'))

  it.each([...DOCUMENTS])(
    '%s holds the tables of the code (npm run reference writes them)',
    (path, names) => {
      const document = readRoot(path)
      expect(document).toBe(withReferences(document, names))
    },
  )

  it('README.md shows a configuration file that a node takes', () => {
    const [, text] = /```conf\n([^`]+)```/.exec(readRoot('README.md')) ?? []
    const readFile = () => Buffer.from(text!, 'utf8')
    const { values } = loadSettings({ argv: ['--config', 'berlin.conf'], environment: {}, readFile })
    expect(values.peer).toHaveLength(2)
  })

  it('name files that exist', () => {
    const wrong = documents.flatMap((path) => {
      const text = readRoot(path)
      const linked = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map(([, target]) => target!)
      const quoted = [...text.matchAll(/`((?:[\w.-]+\/)+[\w.-]+\.(?:ts|mjs|md|json|txt))`/g)].map(
        ([, name]) => name!,
      )
      const missing = [
        ...linked.filter((target) => !existsSync(join(PROJECT_ROOT, dirname(path), target))),
        ...quoted.filter(
          (name) =>
            !existsSync(join(PROJECT_ROOT, name)) && !existsSync(join(PROJECT_ROOT, dirname(path), name)),
        ),
      ]
      return missing.map((name) => `${path}: ${name}`)
    })
    expect(wrong).toEqual([])
  })

  it('CHANGELOG.md and package.json speak of this version', () => {
    expect(readRoot('CHANGELOG.md')).toContain(`## [${VERSION}]`)
    expect((JSON.parse(readRoot('package.json')) as { version: string }).version).toBe(VERSION)
  })
})

describe('package.json and its lock', () => {
  it('name no host to download from', () => {
    for (const path of ['package.json', 'package-lock.json', '.npmrc']) {
      expect(
        matches(readRoot(path), /"resolved"[^\n]*|registry\s*=[^\n]*|https?:\/\/[^\s"]*\.tgz/g),
        path,
      ).toEqual([])
    }
  })

  it('lock what other systems need too, or npm ci refuses the lock', () => {
    const { packages } = JSON.parse(readRoot('package-lock.json')) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>
    }
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !(`node_modules/${name}` in packages || `${path}/node_modules/${name}` in packages),
      ),
    )
    expect(missing).toEqual([])
  })

  it('run everything through a script that works from a fresh checkout', () => {
    const { scripts } = JSON.parse(readRoot('package.json')) as { scripts: Record<string, string> }
    for (const name of ['start', 'test', 'check', 'simulate', 'bench'])
      expect(scripts[name]).toMatch(/^node bin\/run\.mjs /)
  })
})
