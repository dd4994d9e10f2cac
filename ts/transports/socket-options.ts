import type { ConnectionOptions } from '../engine/binding.js'
import type { ClientSettings } from '../options/client-settings.js'
import { lookUp } from './name-lookup.js'

/** How a socket is bound and set up, as the native side takes it. */
export type SocketFields = Pick<ConnectionOptions, 'bindAddress' | 'bindPort' | 'socketOptions'>

/**
 * The client's `bindAddress`, `bindPort` and `socketOptions`.
 * @throws {MqttError} `bindAddress` is a name that cannot be found
 */
export async function socketFields(settings: ClientSettings): Promise<SocketFields> {
  const { bindAddress, bindPort, socketOptions } = settings
  const fields: SocketFields = {}
  if (bindAddress !== '') {
    const [first] = await lookUp(bindAddress, bindPort)
    if (first !== undefined) fields.bindAddress = first[0]
  }
  if (bindPort !== 0) fields.bindPort = bindPort
  if (socketOptions.length > 0) {
    fields.socketOptions = socketOptions.map(([level, name, value]) => [level, name, bytesOf(value)])
  }
  return fields
}

/** What setsockopt(2) gets: an integer becomes a C `int`. */
function bytesOf(value: number | Uint8Array): Uint8Array {
  return typeof value === 'number' ? new Uint8Array(Int32Array.of(value).buffer) : value
}
