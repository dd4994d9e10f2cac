import type { PublishCall } from '../calls/publish-arguments.js'
import { LARGE_FROM, MESSAGE_RETAIN, PUBLISH_STAGED } from '../engine/binding.js'
import type { Runtime } from '../engine/runtime.js'
import { byteLength } from '../support/bytes.js'

const NO_PAYLOAD = new Uint8Array(0)

/**
 * Writes a PUBLISH command.
 * @param identifier the packet identifier; 0 for the engine to choose it
 * @param flags QoS, DUP and retain
 * @param properties with their length prefix, or null for none
 * @returns whether the payload must be staged now: a large one does not stand in the command
 */
export function submitPublish(
  runtime: Runtime,
  connection: number,
  number: number,
  identifier: number,
  flags: number,
  topic: string,
  properties: Uint8Array | null,
  payload: string | Uint8Array,
): payload is Uint8Array {
  const isStaged = isLarge(payload)
  const all = isStaged ? flags | PUBLISH_STAGED : flags
  const own = isStaged ? NO_PAYLOAD : payload
  runtime.commands.publish(connection, number, identifier, all, topic, properties, own)
  return isStaged
}

/** The same for a call that is not kept, the payload included. */
export function submitCall(runtime: Runtime, connection: number, number: number, call: PublishCall): void {
  const { topic, encodedProperties, payload, qos, retain } = call
  const flags = retain ? qos | MESSAGE_RETAIN : qos
  if (submitPublish(runtime, connection, number, 0, flags, topic, encodedProperties, payload)) {
    runtime.stage(payload)
  }
}

/** Whether the payload is large enough not to be copied from command to packet. */
export function isLarge(payload: string | Uint8Array): payload is Uint8Array {
  return typeof payload !== 'string' && byteLength(payload) >= LARGE_FROM
}
