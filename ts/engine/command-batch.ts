import { byteLength } from '../support/bytes.js'
import {
  ACKNOWLEDGE_IDENTIFIER,
  ACKNOWLEDGE_WORDS,
  AUTH_CODE,
  AUTH_PROPERTIES_LENGTH,
  AUTH_WORDS,
  CLOSE_FORCE,
  CLOSE_PROPERTIES_LENGTH,
  CLOSE_REASON,
  CLOSE_WORDS,
  COMMAND_ACKNOWLEDGE,
  COMMAND_AUTH,
  COMMAND_CANCEL,
  COMMAND_CLOSE,
  COMMAND_CONNECTION,
  COMMAND_HEAD,
  COMMAND_LENGTH,
  COMMAND_OPERATION,
  COMMAND_PUBLISH,
  COMMAND_RELEASE,
  COMMAND_WORDS,
  FILTERS_COUNT,
  FILTERS_IDENTIFIER,
  FILTERS_PROPERTIES_LENGTH,
  FILTERS_WORDS,
  PUBLISH_IDENTIFIER,
  PUBLISH_PAYLOAD_LENGTH,
  PUBLISH_PROPERTIES_LENGTH,
  PUBLISH_TOPIC_LENGTH,
  PUBLISH_WORDS,
  RELEASE_IDENTIFIER,
  RELEASE_WORDS,
} from './boundary.js'

/** The size that the buffer starts with, and goes back to after a large command. */
const USUAL_CAPACITY = 64 * 1024

/** A buffer larger than this is not kept for the next tick. */
const KEPT_CAPACITY = 1024 * 1024

/** A batch of this size is not made to wait for the end of the tick. */
export const FULL_BATCH = 256 * 1024

/** Strings up to this length get room for their worst case; longer ones are measured first. */
const MEASURED_LENGTH = 16 * 1024

const PUBLISH_HEADER = PUBLISH_WORDS * 4
const FILTERS_HEADER = FILTERS_WORDS * 4

/** One topic filter of SUBSCRIBE or UNSUBSCRIBE. */
export interface Filter {
  readonly filter: string
  /** The byte of subscription options as on the wire; 0 to unsubscribe. */
  readonly options: number
}

/**
 * The commands of one tick, encoded where they will be copied from. Topics and payloads are written straight
 * into the buffer, so a payload is as it was when the call was made, whatever its owner does with it later.
 */
export class CommandBatch {
  /** The number of bytes in use; always a multiple of 4. */
  length = 0
  bytes = Buffer.allocUnsafeSlow(USUAL_CAPACITY)
  private words = new Uint32Array(this.bytes.buffer)

  /**
   * @param identifier the packet identifier, or 0 for the engine to choose one (and for QoS 0)
   * @param flags QoS, retain and DUP, as in `COMMAND_PUBLISH`
   * @param properties encoded with their length prefix, or null for none
   */
  publish(
    connection: number,
    operation: number,
    identifier: number,
    flags: number,
    topic: string,
    properties: Uint8Array | null,
    payload: string | Uint8Array,
  ): void {
    const start = this.length
    const propertiesLength = properties === null ? 0 : properties.length
    const payloadRoom = typeof payload === 'string' ? roomFor(payload) : byteLength(payload)
    this.reserve(PUBLISH_HEADER + topic.length * 3 + 1 + propertiesLength + payloadRoom)

    const { bytes } = this
    let position = start + PUBLISH_HEADER
    const topicLength = bytes.write(topic, position)
    position += topicLength
    bytes[position++] = 0
    if (properties !== null) {
      bytes.set(properties, position)
      position += propertiesLength
    }
    let payloadLength: number
    if (typeof payload === 'string') {
      payloadLength = bytes.write(payload, position)
    } else {
      payloadLength = payloadRoom
      bytes.set(payload, position)
    }
    position += payloadLength

    const { words } = this
    const word = start >> 2
    words[word + PUBLISH_TOPIC_LENGTH] = topicLength
    words[word + PUBLISH_PROPERTIES_LENGTH] = propertiesLength
    words[word + PUBLISH_PAYLOAD_LENGTH] = payloadLength
    words[word + PUBLISH_IDENTIFIER] = identifier
    this.finish(start, position, COMMAND_PUBLISH | (flags << 8), connection, operation)
  }

  /** Withdraws an operation if it has not been sent. */
  cancel(connection: number, operation: number): void {
    const start = this.length
    this.reserve(COMMAND_WORDS * 4)
    this.finish(start, start + COMMAND_WORDS * 4, COMMAND_CANCEL, connection, operation)
  }

  /** @param identifier the packet identifier of a QoS 2 publish of an older connection, after its PUBREC */
  release(connection: number, operation: number, identifier: number): void {
    const start = this.length
    const size = RELEASE_WORDS * 4
    this.reserve(size)
    this.words[(start >> 2) + RELEASE_IDENTIFIER] = identifier
    this.finish(start, start + size, COMMAND_RELEASE, connection, operation)
  }

  /**
   * Acknowledges a message.
   * @param identifier its packet identifier
   */
  acknowledge(connection: number, qos: number, identifier: number): void {
    const start = this.length
    const size = ACKNOWLEDGE_WORDS * 4
    this.reserve(size)
    this.words[(start >> 2) + ACKNOWLEDGE_IDENTIFIER] = identifier
    this.finish(start, start + size, COMMAND_ACKNOWLEDGE | (qos << 8), connection, 0)
  }

  /** @param properties including their length prefix */
  auth(connection: number, code: number, properties: Uint8Array): void {
    const start = this.length
    const size = AUTH_WORDS * 4
    this.reserve(size + properties.length)
    this.bytes.set(properties, start + size)
    this.words[(start >> 2) + AUTH_CODE] = code
    this.words[(start >> 2) + AUTH_PROPERTIES_LENGTH] = properties.length
    this.finish(start, start + size + properties.length, COMMAND_AUTH, connection, 0)
  }

  /**
   * @param reason DISCONNECT's reason code, on MQTT 5
   * @param properties DISCONNECT's, including their length prefix
   */
  close(connection: number, force: boolean, reason: number, properties: Uint8Array | null): void {
    const start = this.length
    const size = CLOSE_WORDS * 4
    const propertiesLength = properties === null ? 0 : properties.length
    this.reserve(size + propertiesLength)
    if (properties !== null) this.bytes.set(properties, start + size)
    this.words[(start >> 2) + CLOSE_REASON] = reason
    this.words[(start >> 2) + CLOSE_PROPERTIES_LENGTH] = propertiesLength
    const head = COMMAND_CLOSE | ((force ? CLOSE_FORCE : 0) << 8)
    this.finish(start, start + size + propertiesLength, head, connection, 0)
  }

  /** Takes the command that starts at `start`, the last one, out of the batch to keep it for later. */
  takeBack(start: number): Uint8Array {
    const command = Buffer.from(this.bytes.subarray(start, this.length))
    this.length = start
    return command
  }

  /** Puts a command that was taken back into the batch. */
  append(command: Uint8Array): void {
    this.reserve(command.length)
    this.bytes.set(command, this.length)
    this.length += command.length
  }

  /** The batch was submitted. */
  clear(): void {
    this.length = 0
    if (this.bytes.length > KEPT_CAPACITY) this.allocate(USUAL_CAPACITY)
  }

  /**
   * @param kind `COMMAND_SUBSCRIBE` or `COMMAND_UNSUBSCRIBE`
   * @param identifier the packet identifier, or 0 for the engine to choose one
   */
  filters(
    kind: number,
    connection: number,
    operation: number,
    identifier: number,
    filters: readonly Filter[],
    properties: Uint8Array | null,
  ): void {
    const start = this.length
    const propertiesLength = properties === null ? 0 : properties.length
    let room = FILTERS_HEADER + propertiesLength
    for (const { filter } of filters) room += 4 + filter.length * 3
    this.reserve(room)

    const { bytes } = this
    let position = start + FILTERS_HEADER
    if (properties !== null) bytes.set(properties, position)
    position += propertiesLength
    for (const { filter, options } of filters) {
      bytes[position] = options
      const length = bytes.write(filter, position + 3)
      bytes.writeUInt16LE(length, position + 1)
      position += 3 + length
      bytes[position++] = 0
    }
    this.words[(start >> 2) + FILTERS_COUNT] = filters.length
    this.words[(start >> 2) + FILTERS_PROPERTIES_LENGTH] = propertiesLength
    this.words[(start >> 2) + FILTERS_IDENTIFIER] = identifier
    this.finish(start, position, kind, connection, operation)
  }

  private finish(start: number, end: number, head: number, connection: number, operation: number): void {
    const { words } = this
    const word = start >> 2
    this.length = (end + 3) & ~3
    words[word + COMMAND_LENGTH] = this.length - start
    words[word + COMMAND_HEAD] = head
    words[word + COMMAND_CONNECTION] = connection
    words[word + COMMAND_OPERATION] = operation
  }

  private reserve(size: number): void {
    const needed = this.length + size + 3
    if (needed > this.bytes.length) this.grow(needed)
  }

  private grow(needed: number): void {
    const old = this.bytes
    this.allocate(Math.max(needed, old.length * 2))
    this.bytes.set(old.subarray(0, this.length))
  }

  private allocate(capacity: number): void {
    this.bytes = Buffer.allocUnsafeSlow((capacity + 3) & ~3)
    this.words = new Uint32Array(this.bytes.buffer)
  }
}

function roomFor(payload: string): number {
  return payload.length <= MEASURED_LENGTH ? payload.length * 3 : Buffer.byteLength(payload)
}
