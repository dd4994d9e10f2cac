import { lookup } from 'node:dns'
import { isIP } from 'node:net'
import { MqttError } from '../mqtt/errors.js'

/** One address to try, as the native side takes it. */
export type Address = [address: string, port: number, family: 4 | 6]

/** What `getaddrinfo` says, in Python's words, by the code that Node gives. */
const TEXTS: Readonly<Record<string, string>> = {
  ENOTFOUND: '[Errno -2] Name or service not known',
  EAI_AGAIN: '[Errno -3] Temporary failure in name resolution',
  EAI_FAIL: '[Errno -4] Non-recoverable failure in name resolution',
  EAI_NODATA: '[Errno -5] No address associated with hostname',
  EAI_FAMILY: '[Errno -6] ai_family not supported',
  EAI_MEMORY: '[Errno -10] Memory allocation failure',
}

/**
 * All addresses of a host, in the operating system's order of preference. It is looked up here, by libuv's pool
 * of threads, because Paho would do it under the lock that all its clients share.
 * @param hostname a name, or an IP address, which needs no lookup
 * @throws {MqttError} for example `[Errno -2] Name or service not known (broker.example:1883)`; its cause is Node's error
 */
export function lookUp(hostname: string, port: number): Promise<Address[]> {
  const family = isIP(hostname)
  if (family !== 0) return Promise.resolve([[hostname, port, family as 4 | 6]])
  return new Promise((resolve, reject) => {
    lookup(hostname, { all: true }, (error, addresses) => {
      if (error) reject(failure(error, `${hostname}:${port}`))
      else resolve(addresses.map(({ address, family }) => [address, port, family as 4 | 6]))
    })
  })
}

/** What Python says to a name that was not found. */
export function lookupText(error: NodeJS.ErrnoException): string {
  return TEXTS[error.code ?? ''] ?? error.message
}

function failure(error: NodeJS.ErrnoException, where: string): MqttError {
  return new MqttError(`${lookupText(error)} (${where})`, { code: 'ERR_MQTT_TRANSPORT', cause: error })
}
