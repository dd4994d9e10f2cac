import type { Client } from '../client/client.js'
import { MqttConnectError } from '../mqtt/errors.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import { CommandError, ExitCode } from './command-error.js'

/** The return codes of MQTT 3.x's CONNACK (3.1.1, 3.2.2.3) by what they are called in MQTT 5. */
const RETURN_CODES: ReadonlyMap<number, number> = new Map([
  [132, 1],
  [133, 2],
  [136, 3],
  [134, 4],
  [135, 5],
])

/**
 * Connects.
 * @throws {CommandError} the broker refused, with the code of CONNACK as exit code, as Mosquitto's tools have it
 */
export async function connect(client: Client, protocol: ProtocolVersion, signal: AbortSignal): Promise<void> {
  try {
    await client.connect({ signal })
  } catch (error) {
    if (!(error instanceof MqttConnectError)) throw error
    const code = Number(error.rc?.valueOf() ?? ExitCode.FAILURE)
    const isNew = protocol === ProtocolVersion.V5
    throw new CommandError(error.message, (isNew ? code : RETURN_CODES.get(code)) ?? ExitCode.FAILURE)
  }
}
