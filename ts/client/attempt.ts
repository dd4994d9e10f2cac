import type { Connection } from '../connection/connection.js'
import type { Runtime } from '../engine/runtime.js'
import { Failure } from '../failures/failure.js'
import { thrownFailure } from '../failures/system-failure.js'
import type { ClientSettings } from '../options/client-settings.js'
import type { Host } from '../reconnect/hosts.js'
import { Timed } from '../support/deadlines.js'
import type { Link } from '../transports/link.js'
import { openLink } from '../transports/open-link.js'
import { placeOf } from '../transports/way.js'

/** Whom an attempt belongs to. */
export interface AttemptOwner {
  /** The way to the broker is made; to be told its connection by `attempt.connection`. */
  onLink(attempt: Attempt, link: Link): void
  /** There is no way, or no time: to be abandoned. */
  onFailed(attempt: Attempt, failure: Failure): void
}

/** One try to connect with one host: from the making of the way to it until CONNACK. */
export class Attempt extends Timed {
  /** From when the way is made. */
  connection: Connection | null = null
  /** Ends what makes the way. */
  private readonly setUp = new AbortController()
  private isOver = false

  /**
   * @param timeout seconds; `Infinity` where something else limits it
   */
  constructor(
    private readonly runtime: Runtime,
    private readonly settings: ClientSettings,
    readonly host: Host,
    private readonly owner: AttemptOwner,
    timeout: number,
  ) {
    super()
    runtime.deadlines.add(this, timeout)
    runtime.changed()
    void this.start()
  }

  /** It has led to a connection that the broker has accepted. */
  succeed(): void {
    this.isOver = true
    this.runtime.deadlines.remove(this)
  }

  /** Gives up whatever there is of it. The owner hears no more of it, but for the end of its connection. */
  abandon(): void {
    this.succeed()
    this.setUp.abort()
    this.connection?.abort()
  }

  override expire(): void {
    this.owner.onFailed(
      this,
      new Failure({ kind: 'timeout', text: 'Operation timed out', code: 'ERR_MQTT_TIMEOUT' }),
    )
  }

  private async start(): Promise<void> {
    const { hostname, port } = this.host
    const settings = this.settings.at(hostname, port)
    const maker = { binding: this.runtime.binding, settings, signal: this.setUp.signal }
    try {
      const link = await openLink(maker)
      if (!this.isOver) this.owner.onLink(this, link)
    } catch (error) {
      if (!this.isOver) this.owner.onFailed(this, thrownFailure(error, placeOf(settings)))
    }
  }
}
