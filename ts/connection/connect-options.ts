import { BESIDE_QUEUE, type ConnectionOptions } from '../engine/binding.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import type { ClientSettings } from '../options/client-settings.js'
import type { LinkFields } from '../transports/link.js'
import { encodeConnectProperties } from './authenticator.js'

/**
 * What a connection is opened with.
 * @param fields those of the way to the broker
 * @param resumed the client identifier of the connection that this one takes the place of; null for the first one
 * @param state what the engine of the last connection left, for the same session
 */
export function connectOptions(
  settings: ClientSettings,
  fields: LinkFields,
  resumed: string | null,
  state: Uint8Array | undefined,
): ConnectionOptions {
  const { protocol, keepalive, username, password, will, properties } = settings
  const startsClean = resumed === null || !settings.cleanStartFirstOnly || protocol !== ProtocolVersion.V5
  const cleanStart = settings.cleanStart && startsClean
  const options: ConnectionOptions = {
    ...fields,
    protocol,
    identifier: resumed ?? settings.identifier,
    cleanStart,
    keepalive,
    properties: encodeConnectProperties(properties, settings.authentication),
    topicAliases: settings.topicAliases,
    latency: Math.floor(settings.latency * 1000),
    maxInflight: settings.maxInflightMessages,
    ...incomingBounds(settings),
    holdAcknowledgements: settings.manualAcks || settings.store !== null,
    holdReleases: settings.store !== null,
  }
  if (username !== null) options.username = username
  if (password !== null) options.password = password
  if (will !== null) options.will = will
  if (state !== undefined && !cleanStart) options.session = state
  return options
}

/** What the bounds of the queue mean for the engine. */
function incomingBounds(
  settings: ClientSettings,
): Pick<ConnectionOptions, 'largestMessage' | 'mostUnreleased'> {
  const { maxQueuedIncomingBytes: bytes, overflow } = settings
  if (bytes === Number.POSITIVE_INFINITY) return { largestMessage: 0, mostUnreleased: 0 }
  // A queue that drops decides itself what becomes of a message, as long as that costs little memory.
  const largestMessage = Math.max(bytes, overflow === 'backpressure' ? 1 : BESIDE_QUEUE)
  return { largestMessage, mostUnreleased: bytes + BESIDE_QUEUE }
}
