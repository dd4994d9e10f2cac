import { MqttError } from '../mqtt/errors.js'

/**
 * Loads a package that only some transports need, when it is first needed.
 * @param name as npm knows it
 * @param purpose what needs it, for the error
 * @param load its `import()`
 * @throws {MqttError} `ERR_MQTT_UNSUPPORTED`: it is not installed; the error says how to install it
 */
export async function loadOptional<Package>(
  name: string,
  purpose: string,
  load: () => Promise<Package>,
): Promise<Package> {
  try {
    return await load()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new MqttError(`The package ${name} must be installed for ${purpose}: npm install ${name}`, {
      code: 'ERR_MQTT_UNSUPPORTED',
      cause,
    })
  }
}
