import type { Failure } from '../failures/failure.js'
import type { ClientSettings } from '../options/client-settings.js'
import type { ConnectionAttempt } from '../options/connection-attempt.js'
import type { ReconnectSettings } from '../options/reconnect-options.js'
import { now } from '../support/clock.js'
import { Backoff } from './backoff.js'
import { type Host, HostList, isSame, parseServerReference } from './hosts.js'

const USE_ANOTHER_SERVER = 0x9c
const SERVER_MOVED = 0x9d

/** Times that a client follows one broker to another without having stayed anywhere. */
const MOST_REDIRECTIONS = 5

/** Another attempt. */
export interface Plan {
  readonly host: Host
  /** Seconds to wait before it. */
  readonly delay: number
  /** Counts the attempts since the loss, from 1; of a `connect()` only those after the first. */
  readonly attempt: number
  /** For the functions among the options. */
  readonly next: ConnectionAttempt
}

/**
 * Decides where and when a client tries to connect, and when it gives up.
 *
 * Attempts go in rounds over all hosts, with a delay before each round ({@link Backoff}) and none within it. A host
 * that has refused for good (`Failure.retry`) is left out of the further rounds. It is over when none is left, when
 * `maxAttempts` have failed, or when no attempt can help. The option `retry` may decide otherwise. The delays begin anew
 * when a connection has lasted at least `minDelay`, and has not ended because of the same message as the last one; a broker that accepts and drops a client again and again is not asked at full speed.
 */
export class Reconnector {
  private readonly backoff: Backoff
  private readonly hosts: HostList
  private attempts = 0
  private redirections = 0
  /** The next attempt is the first of a round. */
  private isRoundDue = false
  /** When the last connection was made, in milliseconds of `performance.now()`. */
  private connectedAt = Number.POSITIVE_INFINITY

  private readonly maxAttempts: number
  private readonly minDelay: number
  private readonly canRedirect: boolean
  private readonly port: number
  private readonly retry: ReconnectSettings['retry']
  /** 1 while the first attempt of this series was that of a `connect()`. */
  private before = 0

  /** @param onThrow hears what the option `retry` throws */
  constructor(
    { hostname, port, transport }: ClientSettings,
    reconnect: ReconnectSettings,
    private readonly onThrow: (error: unknown) => void,
  ) {
    const { hosts, order, minDelay, maxDelay, maxAttempts, retry } = reconnect
    this.retry = retry
    this.backoff = new Backoff({ minDelay, maxDelay })
    this.hosts = new HostList({ hostname, port }, hosts, order === 'random' ? Math.random : null)
    this.maxAttempts = maxAttempts
    this.minDelay = minDelay
    this.canRedirect = transport === 'tcp' || transport === 'websockets'
    this.port = port
  }

  /** `connect()` was called. @returns the first host */
  start(): Host {
    this.backoff.reset()
    this.redirections = 0
    this.beginSeries()
    this.before = 1
    return this.hosts.next() as Host
  }

  /** The connection was made. */
  succeeded(host: Host): void {
    this.connectedAt = now()
    this.hosts.succeeded(host)
  }

  /**
   * The connection was lost: a series of attempts begins.
   * @param isStuck it has ended because of the same message as the one before
   * @returns null when there must be none
   */
  lost(host: Host, failure: Failure, isStuck: boolean): Plan | null {
    if (!isStuck && now() - this.connectedAt >= this.minDelay * 1000) {
      this.backoff.reset()
      this.redirections = 0
    }
    this.beginSeries()
    this.isRoundDue = true
    return this.redirect(failure) ? this.next(failure) : this.decide(host, failure)
  }

  /**
   * An attempt has failed.
   * @param mayRetry false to go on only where the broker redirects the client
   */
  failed(host: Host, failure: Failure, mayRetry: boolean): Plan | null {
    if (this.redirect(failure)) return this.next(failure)
    return mayRetry ? this.decide(host, failure) : null
  }

  private beginSeries(): void {
    this.attempts = 0
    this.before = 0
    this.isRoundDue = false
    this.hosts.begin()
  }

  /** Asks the option `retry`; what it leaves open, the failure decides. */
  private decide(host: Host, failure: Failure): Plan | null {
    if (this.retry === null) return this.usual(host, failure)
    // The hosts that are left out are not what it was asked about.
    const plan = this.next(failure)
    if (plan === null) return null
    const verdict = this.ask(this.retry, failure, plan.next)
    if (verdict === false) return null
    if (verdict === true) return plan
    if (verdict !== undefined) return { ...plan, delay: verdict }
    if (failure.retry === 'never') return null
    if (failure.retry === 'later') return plan
    this.hosts.exclude(host)
    if (!isSame(plan.host, host)) return plan
    this.attempts--
    const other = this.next(failure)
    return other === null ? null : { ...other, delay: Math.max(plan.delay, other.delay) }
  }

  private usual(host: Host, failure: Failure): Plan | null {
    if (failure.retry === 'never') return null
    if (failure.retry === 'elsewhere') this.hosts.exclude(host)
    return this.next(failure)
  }

  private ask(
    retry: NonNullable<ReconnectSettings['retry']>,
    failure: Failure,
    next: ConnectionAttempt,
  ): boolean | number | undefined {
    try {
      const verdict: unknown = retry(failure.report(), next)
      if (typeof verdict === 'boolean') return verdict
      return typeof verdict === 'number' && verdict >= 0 ? verdict : undefined
    } catch (error) {
      this.onThrow(error)
      return undefined
    }
  }

  private next(failure: Failure): Plan | null {
    if (this.attempts >= this.maxAttempts) return null
    let host = this.hosts.next()
    if (host === null) {
      this.hosts.again()
      this.isRoundDue = true
      host = this.hosts.next()
    }
    if (host === null) return null
    const delay = this.isRoundDue ? this.backoff.next() : 0
    this.isRoundDue = false
    const attempt = ++this.attempts
    const { hostname, port } = host
    const next = { host: hostname, port, number: attempt + this.before, error: failure.report() }
    return { host, delay, attempt, next }
  }

  /** Whether the broker has said where to go, and the client goes there. */
  private redirect(failure: Failure): boolean {
    const serverReference = failure.properties?.serverReference
    const rc = Number(failure.rc)
    if (!this.canRedirect || serverReference === undefined) return false
    if (rc !== USE_ANOTHER_SERVER && rc !== SERVER_MOVED) return false
    if (++this.redirections > MOST_REDIRECTIONS) return false
    const hosts = parseServerReference(serverReference, this.port)
    this.hosts.redirect(hosts, rc === SERVER_MOVED)
    return hosts.length > 0
  }
}
