/**
 * command-watch.ts: looks at every command for SLOWLOG, LATENCY and MONITOR.
 *
 * A clock costs more to read than a GET to run, so commands are timed in one of two ways.
 *
 * - Coarse, when only spikes of COARSE_MS_MIN and more are asked for, which is the default: a command has
 *   ended when the next one begins or the turn is over, and the engine reads its clock at both anyway.
 *   What lies between the two, the reading of the next request, counts as the command's. The clock may be
 *   set: one that is put forward makes a command look slow.
 * - Fine, to the microsecond, for everything else: the monotonic clock is read before and after.
 *
 * Invariant: the engine's observer is this, or nobody when nothing is asked for.
 */
import type { Session } from '../commands/session.ts'
import { Histogram, LatencyEvents } from './latency.ts'
import { Monitors } from './monitors.ts'
import { type CommandObserver, type ObservedCommand, UNTIMED } from './observer.ts'
import { SlowLog } from './slow-log.ts'

const COARSE_MS_MIN = 5
const NEVER = Number.POSITIVE_INFINITY

export interface WatchSettings {
  /** `slowlog-log-slower-than`, microseconds; negative is never. */
  readonly slowMicros: number
  /** `slowlog-max-len`. */
  readonly slowLogLength: number
  /** `latency-monitor-threshold`, milliseconds; 0 is never. */
  readonly latencyMs: number
  /** `latency-tracking`. */
  readonly tracksLatency: boolean
  /** A setting whose value must not be shown. */
  isSecret(name: string): boolean
}

export interface WatchClock {
  /** Wall clock, milliseconds since the Unix epoch. */
  wallMs(): number
  /** Monotonic clock, milliseconds with a fraction. */
  monoMs(): number
}

export class CommandWatch implements CommandObserver {
  readonly slowLog = new SlowLog()
  readonly latency = new LatencyEvents()
  /** By full name of the command. */
  readonly histograms = new Map<string, Histogram>()
  readonly monitors = new Monitors()
  readonly #clock: WatchClock
  readonly #settings: () => WatchSettings
  readonly #attach: (observer: CommandObserver | undefined) => void
  #current: WatchSettings
  #isFine = false
  #hasMonitors = false
  /** Spikes shorter than this are of no interest to a coarse look. */
  #spikeMs = NEVER
  // What a coarse look has seen begin last, and when; in fields, because an object for each command would cost
  // as much as the rest of the look.
  #session: Session | undefined
  #command: ObservedCommand | undefined
  #words: readonly string[] = []
  #sinceMs = NEVER

  /**
   * @param settings  read by `configure`
   * @param attach  makes this the engine's observer, or nobody
   */
  constructor(
    clock: WatchClock,
    settings: () => WatchSettings,
    attach: (observer: CommandObserver | undefined) => void,
  ) {
    this.#clock = clock
    this.#settings = settings
    this.#attach = attach
    this.#current = settings()
  }

  get isLatencyOn(): boolean {
    return this.#current.latencyMs > 0
  }

  /** Takes up the settings: at the start, and when one of them has changed. */
  configure(): void {
    this.#settle()
    const settings = this.#settings()
    this.#current = settings
    const slowMs = settings.slowMicros < 0 ? NEVER : settings.slowMicros / 1000
    this.#spikeMs = Math.min(slowMs, settings.latencyMs > 0 ? settings.latencyMs : NEVER)
    this.#isFine = settings.tracksLatency || this.#spikeMs < COARSE_MS_MIN
    this.#attachOrLeave()
  }

  addMonitor(session: Session): void {
    this.monitors.add(session)
    this.#attachOrLeave()
  }

  removeMonitor(session: Session): void {
    this.monitors.remove(session)
    this.#attachOrLeave()
  }

  #attachOrLeave(): void {
    this.#hasMonitors = !this.monitors.isEmpty
    const isWanted = this.#isFine || this.#spikeMs !== NEVER || this.#hasMonitors
    this.#attach(isWanted ? this : undefined)
  }

  began(session: Session, command: ObservedCommand, words: readonly string[], nowMs: number): number {
    if (this.#isFine) return this.#clock.monoMs()
    if (nowMs - this.#sinceMs >= this.#spikeMs) this.#tookLong(nowMs)
    this.#session = session
    this.#command = command
    this.#words = words
    this.#sinceMs = nowMs
    return this.#hasMonitors ? 0 : UNTIMED
  }

  ended(session: Session, command: ObservedCommand, words: readonly string[], began: number): void {
    // 0 when it began under a coarse look, which CONFIG SET may have changed since.
    if (began > 0) this.#took(session, command, words, this.#clock.monoMs() - began)
    if (this.#hasMonitors && isShown(command)) {
      this.monitors.feed(session, this.#redacted(command, words), this.#clock.wallMs())
    }
  }

  called(session: Session, command: ObservedCommand, words: readonly string[]): void {
    if (this.#hasMonitors && isShown(command)) {
      this.monitors.feed(session, this.#redacted(command, words), this.#clock.wallMs())
    }
  }

  turnEnded(): void {
    this.#settle()
    this.monitors.flush()
  }

  /** The last command of a turn has ended. */
  #settle(): void {
    if (this.#sinceMs === NEVER) return
    const nowMs = this.#clock.wallMs()
    if (nowMs - this.#sinceMs >= this.#spikeMs) this.#tookLong(nowMs)
    this.#sinceMs = NEVER
    this.#session = undefined
    this.#words = []
  }

  /** What a coarse look has seen begin last was a spike. */
  #tookLong(nowMs: number): void {
    if (this.#session === undefined || this.#command === undefined) return
    this.#took(this.#session, this.#command, this.#words, nowMs - this.#sinceMs)
  }

  #took(session: Session, command: ObservedCommand, words: readonly string[], ms: number): void {
    const { slowMicros, slowLogLength, latencyMs, tracksLatency } = this.#current
    const micros = 1000 * ms
    const wallMs = this.#clock.wallMs()
    if (slowMicros >= 0 && micros >= slowMicros && !command.flags.includes('skip_slowlog')) {
      this.slowLog.add(session, this.#redacted(command, words), micros, wallMs, slowLogLength)
    }
    if (latencyMs > 0 && ms >= latencyMs) {
      const event = command.flags.includes('fast') ? 'fast-command' : 'command'
      this.latency.add(event, Math.floor(ms), Math.floor(wallMs / 1000))
    }
    if (tracksLatency) {
      const histogram = this.histograms.get(command.name) ?? new Histogram()
      this.histograms.set(command.name, histogram)
      histogram.add(micros)
    }
  }

  /** Passwords are nobody's business. */
  #redacted({ name }: ObservedCommand, words: readonly string[]): readonly string[] {
    switch (name) {
      case 'auth':
        return words.map((word, i) => (i === 0 ? word : REDACTED))
      case 'hello': {
        const auth = words.findIndex((word) => word.toLowerCase() === 'auth')
        return words.map((word, i) => (auth > 0 && (i === auth + 1 || i === auth + 2) ? REDACTED : word))
      }
      case 'config|set': {
        const { isSecret } = this.#current
        return words.map((word, i) => (i >= 3 && isSecret(words[i - 1]!.toLowerCase()) ? REDACTED : word))
      }
      default:
        return words
    }
  }
}

const REDACTED = '(redacted)'

/** Redis does not show what administrators do. */
function isShown({ flags }: ObservedCommand): boolean {
  // Scripts carry skip_monitor because Redis shows them on a way of their own, before what they call.
  return !flags.includes('admin') && (!flags.includes('skip_monitor') || flags.includes('no_mandatory_keys'))
}
