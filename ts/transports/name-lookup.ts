import { lookup } from 'node:dns'
import { isIP } from 'node:net'
import { networkFailure } from '../failures/system-failure.js'

/** One address to try, as the native side takes it. */
export type Address = [address: string, port: number, family: 4 | 6]

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
      if (error) reject(networkFailure(error, `${hostname}:${port}`).error())
      else resolve(addresses.map(({ address, family }) => [address, port, family as 4 | 6]))
    })
  })
}
