import { Failure } from '../failures/failure.js'

/** What `import()` says of a package that is not there, and what `require()` says, which CommonJS has in its place. */
const NOT_FOUND: Array<string | undefined> = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND']

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
    if (!NOT_FOUND.includes((cause as NodeJS.ErrnoException).code)) throw cause
    const text = `The package ${name} must be installed for ${purpose}: npm install ${name}`
    throw new Failure({
      kind: 'unsupported',
      text,
      code: 'ERR_MQTT_UNSUPPORTED',
      retry: 'never',
      cause,
    }).error()
  }
}
