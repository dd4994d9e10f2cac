import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { MqttError } from '../mqtt/errors.js'

/**
 * Keeps a directory for one store: by a socket in Linux' abstract name space, or a pipe on Windows, which goes with the
 * process, however that ends. Elsewhere nothing does.
 * @returns what ends it
 * @throws {MqttError} `ERR_MQTT_STORE`: another store has the directory
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const { dev, ino } = await stat(directory, { bigint: true })
  const name = `aiomqtt-store-${dev}-${ino}`
  const address = { linux: `\0${name}`, win32: `\\\\.\\pipe\\${name}` }[process.platform as string]
  if (address === undefined) return async () => {}
  const server = createServer().unref()
  server.listen(address)
  try {
    await once(server, 'listening')
  } catch (cause) {
    throw new MqttError(`The directory is in use by another store: ${directory}`, {
      code: 'ERR_MQTT_STORE',
      cause,
    })
  }
  return () => closed(server)
}

async function closed(server: Server): Promise<void> {
  const close = once(server, 'close')
  server.close()
  await close
}
