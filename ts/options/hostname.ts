import { checkNoCredentials, checkText } from '../mqtt/fields.js'
import { rangeError } from '../support/validate.js'

/**
 * A broker's host name or address, or the path of its socket.
 * @param name what gave it: `hostname`, `reconnect.hosts`
 * @throws TypeError for a wrong type; RangeError for one that is empty or has brackets, a port, or credentials
 */
export function checkHostname(hostname: unknown, name = 'hostname', isPath = false): string {
  const host = checkText(name, hostname)
  if (host === '') throw rangeError('Invalid host.')
  if (isPath) return host
  checkNoCredentials(name, host)
  const [, address] = /^\[(.*)\]$/.exec(host) ?? []
  if (address !== undefined) throw rangeError(`${name} must be without brackets: write ${address}`)
  const [, own, port] = /^([^:]+|\[.*\]):(\d+)$/.exec(host) ?? []
  if (own !== undefined) {
    const bare = own.replace(/^\[(.*)\]$/, '$1')
    throw rangeError(`${name} must be without a port: write ${bare}, and give the port ${port} by itself`)
  }
  return host
}
