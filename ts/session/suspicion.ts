import { MqttError } from '../mqtt/errors.js'

/** What a connection may have ended because of. */
export interface Suspect {
  /** Connections that have ended with it as the oldest that was not answered. */
  losses: number
}

/**
 * Finds what makes the broker end one connection after the other: a publish that it does not take, or a subscription.
 *
 * Each loss counts against the oldest that was sent and not answered. What has only one loss left (`maxDeliveryLosses`) is
 * sent alone, and so is all else that the lost connection had, one after the other: an innocent message is answered then,
 * and clears itself; a poison one ends its last connection with nothing else to blame.
 */
export class Suspicion {
  /** What was sent before goes alone: nothing else is sent until it is answered. */
  isCautious = false
  /** The last connection has ended with the same suspect as one before it. */
  hasRepeated = false

  /** @param most `maxDeliveryLosses` */
  constructor(private readonly most: number) {}

  /** A connection has ended. @returns whether the suspect is to be given up */
  blame(suspect: Suspect | null): boolean {
    if (suspect === null) {
      this.hasRepeated = false
      return false
    }
    suspect.losses++
    this.hasRepeated = suspect.losses > 1
    if (suspect.losses >= this.most - 1) this.isCautious = true
    return suspect.losses >= this.most
  }

  /** All that was sent before is answered. */
  clear(): void {
    this.isCautious = false
  }
}

/**
 * For what has ended too many connections.
 * @param what it was
 * @param cause the last loss
 */
export function undeliverable(what: string, losses: number, cause: MqttError): MqttError {
  const times = losses === 1 ? 'a connection' : `${losses} connections`
  const text = `The broker has ended ${times} with this ${what} as the oldest that it had not answered`
  return new MqttError(text, { code: 'ERR_MQTT_DELIVERY', cause })
}
