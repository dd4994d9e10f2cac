import type { PublishCall } from '../calls/publish-arguments.js'
import { COMMAND_SUBSCRIBE, COMMAND_UNSUBSCRIBE, type ConnectionOptions } from '../engine/binding.js'
import type { Filter } from '../engine/command-batch.js'
import type { Message } from '../engine/message.js'
import type { Properties } from '../mqtt/properties.js'
import { byteLength } from '../support/bytes.js'
import { type Logger, silentLogger } from '../support/logger.js'

/**
 * The logger's debug lines, as Paho prints them in Python, one for each packet that goes through here. Packets that
 * only the native side sees (pings, the inner ones of QoS 2, acknowledgements of what came) have none. The
 * number after `m` or `Mid:` names the call: packet identifiers are the native side's.
 */
export class PacketLog {
  private constructor(private readonly logger: Logger & { isLevelEnabled?: unknown }) {}

  /** @returns null for the logger that prints nothing: then nothing is even formatted */
  static for(logger: Logger): PacketLog | null {
    return logger === silentLogger ? null : new PacketLog(logger)
  }

  /** @param properties null on MQTT 3.x */
  sendingConnect(options: ConnectionOptions, properties: Properties | null): void {
    if (!this.isEnabled) return
    const { identifier, cleanStart, keepalive, username, password, will } = options
    const flags = [
      `u${bit(username !== undefined)}`,
      `p${bit(password !== undefined)}`,
      `wr${bit(will?.retain ?? false)}`,
      `wq${will?.qos ?? 0}`,
      `wf${bit(will !== undefined)}`,
      `c${bit(cleanStart)}`,
      `k${keepalive}`,
    ]
    const text = `Sending CONNECT (${flags.join(', ')}) client_id=${bytes(identifier)}`
    this.logger.debug(properties === null ? text : `${text} properties=${list(properties)}`)
  }

  /** @param properties null on MQTT 3.x */
  receivedConnack(sessionPresent: boolean, code: number, properties: Properties | null): void {
    if (!this.isEnabled) return
    const text = `Received CONNACK (${bit(sessionPresent)}, ${code})`
    this.logger.debug(properties === null ? text : `${text} properties=${list(properties)}`)
  }

  sendingPublish({ topic, payload, qos, retain, properties }: PublishCall, mid: number, isV5: boolean): void {
    if (!this.isEnabled) return
    const length = typeof payload === 'string' ? Buffer.byteLength(payload) : byteLength(payload)
    const head = `Sending PUBLISH (d0, q${qos}, r${bit(retain)}, m${qos === 0 ? 0 : mid}), '${bytes(topic)}'`
    const middle = isV5 ? `${head}, properties=${list(properties)}` : head
    this.logger.debug(length === 0 ? `${middle} (NULL payload)` : `${middle}, ... (${length} bytes)`)
  }

  receivedPublish({ topic, payloadSize, qos, retain, dup, mid, properties }: Message): void {
    if (!this.isEnabled) return
    const head = `Received PUBLISH (d${bit(dup)}, q${qos}, r${bit(retain)}, m${mid}), '${topic}'`
    const middle = properties === null ? head : `${head}, properties=${list(properties)}`
    this.logger.debug(`${middle}, ...  (${payloadSize} bytes)`)
  }

  sendingFilters(isSubscribe: boolean, filters: readonly Filter[], mid: number): void {
    if (!this.isEnabled) return
    const topics = filters.map(({ filter, options }) =>
      isSubscribe ? `(${bytes(filter)}, ${options})` : bytes(filter),
    )
    const packet = isSubscribe ? 'SUBSCRIBE' : 'UNSUBSCRIBE'
    this.logger.debug(`Sending ${packet} (d0, m${mid}) [${topics.join(', ')}]`)
  }

  /** @param command what is acknowledged: `COMMAND_…` */
  receivedAcknowledgement(command: number, qos: number, mid: number): void {
    if (!this.isEnabled) return
    if (command === COMMAND_SUBSCRIBE) this.logger.debug('Received SUBACK')
    else if (command === COMMAND_UNSUBSCRIBE) this.logger.debug(`Received UNSUBACK (Mid: ${mid})`)
    else if (qos > 0) this.logger.debug(`Received ${qos === 1 ? 'PUBACK' : 'PUBCOMP'} (Mid: ${mid})`)
  }

  sendingDisconnect(): void {
    if (this.isEnabled) this.logger.debug('Sending DISCONNECT')
  }

  receivedDisconnect(code: number): void {
    if (this.isEnabled) this.logger.debug(`Received DISCONNECT ${code}`)
  }

  /** pino and winston can say whether a line would be printed at all. */
  private get isEnabled(): boolean {
    const { logger } = this
    return typeof logger.isLevelEnabled !== 'function' || logger.isLevelEnabled('debug') === true
  }
}

function bit(flag: boolean): 0 | 1 {
  return flag ? 1 : 0
}

/** As Python shows bytes. */
function bytes(text: string): string {
  return `b'${text}'`
}

/** As paho shows properties. */
function list(properties: Properties | undefined): string {
  const shown = Object.entries(properties?.toJSON() ?? {}).map(([name, value]) => `${name} : ${value}`)
  return `[${shown.join(', ')}]`
}
